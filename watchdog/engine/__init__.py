"""The thin asyncio loops: polling, release tracking, response, verification, outbox, supervision.

No decision is made here: `judgement` and `safety` decide, this room fetches and stores.
"""

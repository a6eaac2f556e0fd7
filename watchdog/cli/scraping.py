"""From configured questions to signals that read metrics pages.

Role: the composition root's part for `scrape`; imported only when a signal needs it.
"""

from __future__ import annotations

from watchdog.clients.http import HttpClient
from watchdog.ports import Clock
from watchdog.settings.access import ConfiguredSignal
from watchdog.settings.scrape_access import PageQuestion
from watchdog.settings.selectors import Selector as Typed
from watchdog.signals.http import Pods
from watchdog.signals.scrape import Pages, Part, ScrapeSignal, Selector, Slow, Within


def scrape_of(entry: ConfiguredSignal, asked: PageQuestion, client: HttpClient, clock: Clock) -> ScrapeSignal:
    """The signal of one entry."""
    page = asked.page
    return ScrapeSignal(
        entry.name,
        question_of(asked),
        Pages(
            pods=Pods(port=page.port, path=page.path, scheme=page.scheme),
            timeout_s=page.timeout_s,
            headers=page.headers,
            ca_file=page.ca_file,
            verify=page.verify,
        ),
        client,
        clock,
        every_s=entry.every_s,
        counts_users=entry.counts_users,
    )


def question_of(asked: PageQuestion) -> Part | Slow | Within:
    """The question in the signal's own words. Raises ValueError for one that cannot be asked."""
    if asked.value is not None:
        return Within(value=_selector(asked.value), above=asked.above, below=asked.below)
    if asked.histogram is not None:
        return Slow(histogram=_selector(asked.histogram), within_s=asked.within_s)
    if asked.part is None or asked.every is None:
        raise ValueError("counters need a part and a whole")
    return Part(part=_selector(asked.part), every=_selector(asked.every), good=asked.good)


def _selector(typed: Typed) -> Selector:
    matchers = tuple((one.label, one.how, one.value) for one in typed.matchers)
    return Selector(metric=typed.metric, matchers=matchers, text=typed.text)

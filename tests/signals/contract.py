"""What every signal promises, as tests that run on any of them.

Subclass `SignalContract`, give it a fixture ``source`` that yields a `Source`, and every test below runs on it.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest

from watchdog.model import Counts, Unknown, Value
from watchdog.ports import Clock, PollContext, Signal


class Source(Protocol):
    """A signal over something that works until it is told otherwise."""

    clock: Clock
    signal: Signal
    context: PollContext

    def make_bad(self) -> None:
        """The target is ill."""

    def make_unknown(self) -> None:
        """The source cannot tell any more."""

    def make_hang(self) -> None:
        """The source does not answer."""


async def something_new(source: Source) -> None:
    """Where a signal gives each event out once, time goes by and events come."""
    goes_by = getattr(source, "something_new", None)
    if goes_by is not None:
        await goes_by()


class SignalContract:
    """Samples, three values, no exceptions, cancellation."""

    @pytest.mark.asyncio
    async def test_it_has_a_name_and_says_whether_it_counts_users(self, source):
        assert isinstance(source.signal, Signal)
        assert source.signal.name
        assert isinstance(source.signal.counts_users, bool)

    @pytest.mark.asyncio
    async def test_a_poll_gives_samples_under_its_name_over_an_interval_that_is_past(self, source):
        for _ in range(3):
            await something_new(source)
            samples = await source.signal.poll(source.context)
            assert samples
            for sample in samples:
                assert sample.signal == source.signal.name
                assert sample.start <= sample.end <= source.clock.now()
                assert isinstance(sample.reading, (Counts, Value))
                assert sample.detail

    @pytest.mark.asyncio
    async def test_a_healthy_target_gives_good_events_and_an_ill_one_bad_ones(self, source):
        await something_new(source)
        before = await source.signal.poll(source.context)
        source.make_bad()
        await something_new(source)
        after = await source.signal.poll(source.context)
        assert sum(sample.reading.bad for sample in before) == 0
        assert sum(sample.reading.good for sample in before) > 0
        assert sum(sample.reading.bad for sample in after) > 0

    @pytest.mark.asyncio
    async def test_a_source_that_cannot_tell_is_unknown_with_a_reason_and_never_an_exception(self, source):
        source.make_unknown()
        samples = await source.signal.poll(source.context)
        assert samples
        for sample in samples:
            assert isinstance(sample.reading, Unknown)
            assert sample.reading.reason

    @pytest.mark.asyncio
    async def test_before_anything_is_known_of_the_target_a_poll_raises_nothing(self, source):
        await something_new(source)
        assert await source.signal.poll(PollContext())

    @pytest.mark.asyncio
    async def test_a_poll_that_hangs_can_be_cancelled(self, source):
        source.make_hang()
        polling = asyncio.create_task(source.signal.poll(source.context))
        await asyncio.sleep(0.02)
        assert not polling.done()
        polling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await polling

    @pytest.mark.asyncio
    async def test_it_can_be_closed_twice(self, source):
        await source.signal.poll(source.context)
        await source.signal.close()
        await source.signal.close()

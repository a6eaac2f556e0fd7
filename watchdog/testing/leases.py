"""A lease that says what the test wants, and a desk at which several of them contend.

Role: `FakeLease` is the `ports.Lease` of tests. Guarantees: without `force`, it behaves as a lease must: one holder a
desk, state known without asking, nothing held after `release`.
"""

from __future__ import annotations

from watchdog.ports import Held, LeaseState, LeaseUnknown, NotHolder

FOREVER_S = 1e9
"""Seconds that a lease without an end is held for."""


class LeaseDesk:
    """Where leases of one name are given out: at most one holder."""

    def __init__(self) -> None:
        """Nobody holds anything."""
        self.holder = ""
        self.fence = 0


class FakeLease:
    """A lease by hand. `force(state)` makes every answer that state; `force(None)` goes back to the desk's truth."""

    def __init__(self, holder: str = "me", desk: LeaseDesk | None = None, *, held: bool = False) -> None:
        """A contender called `holder`; `held` takes it at once, for tests that are not about leases."""
        self.holder = holder
        self.desk = desk if desk is not None else LeaseDesk()
        self.remaining = FOREVER_S
        """Seconds that `Held` names; a test lowers it to play a lease near its end."""
        self.acquired = 0
        """How often `acquire` was called."""
        self.released = 0
        self._forced: LeaseState | None = None
        self._known: LeaseState = LeaseUnknown(reason="not asked for yet")
        if held:
            self._take()

    def force(self, state: LeaseState | None) -> None:
        """Answer with `state` from now on, whatever the desk says."""
        self._forced = state

    async def acquire(self) -> LeaseState:
        """Try to take it from the desk."""
        self.acquired += 1
        if self._forced is None:
            self._take()
        return self.state()

    def state(self) -> LeaseState:
        """The forced state, else what the last `acquire` or `release` left."""
        if self._forced is not None:
            return self._forced
        if isinstance(self._known, Held):
            return Held(remaining=self.remaining, fence=self._known.fence)
        return self._known

    async def release(self) -> None:
        """Hand it back to the desk when we hold it."""
        self.released += 1
        if self.desk.holder == self.holder:
            self.desk.holder = ""
        self._known = NotHolder(holder="")

    def _take(self) -> None:
        if self.desk.holder not in ("", self.holder):
            self._known = NotHolder(holder=self.desk.holder)
            return
        if not self.desk.holder:
            self.desk.fence += 1
        self.desk.holder = self.holder
        self._known = Held(remaining=self.remaining, fence=self.desk.fence)

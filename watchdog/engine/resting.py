"""Rest: when nothing has changed and nothing is wrong, the outside and the store are left alone.

Role: spares the platform and the store most of the reads of release tracking. Neighbours: `tracking` asks, `ports.Watching` knows. Guarantees:
only a unit that is completely rolled out, with every instance ready and well, of which no signal says anything bad and no
incident is open, rests; it is read anew after `RESYNC_S` all the same, because what a state says of instances may depend on
the time; whatever decides, reads (`gathering`, the writer). Not guaranteed: that a change which nobody tells of is seen sooner.
"""

from __future__ import annotations

from dataclasses import replace

from watchdog.engine.board import Seen
from watchdog.model import Grade, Health, Instant, WorkloadState
from watchdog.ports import Watching

RESYNC_S = 300.0
KEEP_S = 180.0
"""The ledger of a unit at rest is kept this often: its minutes are the baseline, of which so much may be lost in a crash."""


def confirmed(seen: Seen, monotonic: float, now: Instant) -> WorkloadState | None:
    """The state as it is still known to be, with the time of this look; None = it has to be read."""
    platform, state = seen.watch.platform, seen.state
    if state is None or seen.state_error or not isinstance(platform, Watching):
        return None
    if monotonic - seen.read_at >= RESYNC_S or not _well(state) or not _quiet(seen):
        return None
    return replace(state, at=now) if platform.unchanged(seen.read_at) else None


def as_before(seen: Seen, before: WorkloadState | None) -> bool:
    """Whether a read of a unit that is watched has shown what was known, and nothing is wrong."""
    state = seen.state
    if state is None or before is None or not isinstance(seen.watch.platform, Watching):
        return False
    return replace(before, at=state.at) == state and _well(state) and _quiet(seen)


def settled(seen: Seen) -> bool:
    """Whether the ledger has nothing to wait for: it knows which release runs, and that has earned its grade."""
    if seen.record is None or seen.state is None or seen.record.current != seen.state.release.fingerprint:
        return False
    release = seen.record.release(seen.record.current)
    return release is not None and release.grade in (Grade.GOOD, Grade.ASSUMED_GOOD)


def _well(state: WorkloadState) -> bool:
    if not state.complete or state.in_progress or not state.observed or state.stuck or state.paused or state.deleting:
        return False
    return all(entry.ready and not entry.problem and not entry.terminating for entry in state.instances)


def _quiet(seen: Seen) -> bool:
    if seen.in_episode or seen.breach is not None or seen.gone or seen.store_error:
        return False
    return seen.verdict is not None and seen.verdict.health in (Health.HEALTHY, Health.INCONCLUSIVE)

"""What it costs to know little of the hour before: release to breach by evidence, after so many watched minutes.

The rule behind its interface in event time, default knobs: three pods and the service asked every 5 s, random errors, 15 draws a row.
The last row is of pods that are asked for something that goes on working, so that only the service shows the fault.
"""

from __future__ import annotations

import random
import statistics

from tests.benchmarks.processes import table
from watchdog.judgement.evidence import EvidenceRule, Kind
from watchdog.judgement.judge import judge, start
from watchdog.judgement.rule import Context
from watchdog.model import Counts, Health, Instance, Sample, instant

POLL_S, PODS, DRAWS, LOOKS = 5.0, 3, 15, 360
BEGAN = 10_000.0
MINUTES = (0, 8, 10, 15, 60)
SHARES = (1.0, 0.5, 0.3)


def context(minutes: int) -> Context:
    """A release that is rolled out at once, after so many good minutes."""
    pods = tuple(
        Instance(name=f"p{n}", ready=True, release="new", started=instant(BEGAN), ready_since=instant(BEGAN + 1))
        for n in range(PODS)
    )
    return Context(
        target="api",
        fresh_from=instant(BEGAN - 500),
        release="new",
        rollout_started=instant(BEGAN),
        rollout_completed=instant(BEGAN + 2),
        wanted=PODS,
        ready=PODS,
        instances=pods,
        baseline={"pods": ((12 * PODS, 0),) * minutes, "service": ((12, 0),) * minutes} if minutes else {},
    )


def seconds(minutes: int, share: float, draw: int, *, pods_fail: bool = True) -> float | None:
    """Release to breach; None within half an hour."""
    chance, given = random.Random(f"known-hour/{minutes}/{share}/{draw}"), context(minutes)
    rule = EvidenceRule(("pods", "service"), {"pods": Kind.PROBE, "service": Kind.PROBE}, poll_s=POLL_S)
    state = start((rule,), given, instant(BEGAN))
    for look in range(1, LOOKS):
        now = instant(BEGAN + look * POLL_S)

        def sample(signal: str, pod: int | None = None, now=now) -> Sample:
            bad = int(chance.random() < share and (pods_fail or pod is None))
            name = None if pod is None else f"p{pod}"
            release = None if pod is None else "new"
            begin, reading = instant(now - POLL_S), Counts(good=1 - bad, bad=bad)
            return Sample(signal=signal, start=begin, end=now, reading=reading, instance=name, release=release)

        samples = [*(sample("pods", pod) for pod in range(PODS)), sample("service")]
        state, verdict = judge((rule,), state, samples, given, now)
        if verdict.health is Health.FAILING:
            return look * POLL_S
    return None


def main() -> None:
    """Print one table."""
    rows = []
    for minutes, pods_fail in (*((minutes, True) for minutes in MINUTES), (MINUTES[-1], False)):
        row = [f"{minutes}" if pods_fail else f"{minutes}, pods answer well"]
        for share in SHARES:
            found = [seconds(minutes, share, draw, pods_fail=pods_fail) for draw in range(DRAWS)]
            seen = [one for one in found if one is not None]
            missed = f", {len(found) - len(seen)} of {len(found)} not in 30 min" if len(seen) < len(found) else ""
            row.append(
                f"{statistics.median(one or 1800.0 for one in found):.0f} s / {max(seen, default=0):.0f} s{missed}"
            )
        rows.append(row)
    print(
        table(["watched minutes before", *(f"{share:.0%} of answers bad: median / longest" for share in SHARES)], rows)
    )


if __name__ == "__main__":
    main()

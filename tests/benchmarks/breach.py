"""First bad sample to breach, against the rule's own minimum, on the whole engine in virtual time."""

from __future__ import annotations

import looptime
import structlog

from tests.benchmarks.processes import table
from tests.engine.house import House
from watchdog.judgement.rule import Rule
from watchdog.judgement.threshold import Above, Consecutive, KOfN

RULES: tuple[tuple[str, Rule, float, float], ...] = (
    ("3 in a row, all requests fail", Consecutive(signal="probe", n=3, recover=2), 1.0, 2.0),
    ("6 of 12 (of signals that give states), all fail", KOfN(signal="probe", failed=6, of=12), 1.0, 5.0),
    ("6 of 12 (of signals that give states), half fail", KOfN(signal="probe", failed=6, of=12), 0.5, 10.0),
    ("above 10 % for 10 s, 30 % fail", Above(signal="probe", above=0.1, for_s=10.0, min_events=5), 0.3, 10.0),
)
"""Name, rule, share of bad answers, the least seconds the rule could need at one poll a second."""


async def seconds(rule: Rule, share: float) -> tuple[float, float]:
    """(first bad sample to breach, release to breach) on the daemon."""
    house = House()
    api = house.add()
    api.rules = (rule,)
    await house.earn()
    api.behaviour.bad["bad"] = share
    async with house.running():
        await house.pass_(20)
        began = house.clock.now()
        api.unit.deploy("bad")
        await house.until(lambda: house.daemon is not None and bool(house.daemon.responses["api"].incident))
        incident = await house.incident()
    first_bad, breach = incident.first_bad or 0.0, incident.breach_at or 0.0
    return breach - first_bad, breach - began


def main() -> None:
    """Print one table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    rows = []
    for name, rule, share, least in RULES:
        loop = looptime.new_event_loop(start=0)
        try:
            bad, release = loop.run_until_complete(seconds(rule, share))
        finally:
            loop.close()
        rows.append([name, f"{bad:.1f}", f"{least:.1f}", f"{bad / least:.2f} x", f"{release:.1f}"])
    header = ["rule, poll 1 s", "first bad sample to breach s", "least possible s", "ratio", "release to breach s"]
    print(table(header, rows))


if __name__ == "__main__":
    main()

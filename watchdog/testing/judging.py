"""The product's own judgement for anyone's traces: history in, then one poll after another, "ok" or "rollback" out.

Role: what the benchmark runs, and what you may run your traces through. It is the evidence rule with default knobs, the
same functions that the daemon calls. Guarantees: unknown keys are ignored; a key that is absent or None said nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from watchdog.judgement.evidence.baseline import Pair, minutes_of, rhythm, tolerated_rate
from watchdog.judgement.evidence.knobs import Kind, Knobs
from watchdog.judgement.evidence.look import Look, PodLook
from watchdog.judgement.evidence.terms import Terms, terms_of
from watchdog.judgement.evidence.weighing import Weighed, begin, weigh

STREAMS = {kind.value: kind for kind in Kind}


class Engine:
    """One release under watch. `why` says what fired, `evidence` the share of what is needed, 0 to 1."""

    def __init__(self, history: Mapping[str, Sequence[Pair]], poll_s: float, knobs: Knobs | None = None) -> None:
        knobs = knobs or Knobs()
        kinds = {name: kind for name, kind in STREAMS.items() if history.get(name) is not None}
        if not kinds:
            raise ValueError(f"the history has none of {', '.join(STREAMS)}")
        pairs = {name: [tuple_of(pair) for pair in history[name]] for name in kinds}
        self.poll_s = float(poll_s)
        self.baselines = {
            name: tolerated_rate(minutes_of(pairs[name], poll_s), kind, knobs) for name, kind in kinds.items()
        }
        self.terms: Terms = terms_of(
            kinds, self.baselines, knobs, self.poll_s, {name: rhythm(pairs[name], self.poll_s) for name in kinds}
        )
        self.state: Weighed = begin(self.terms)

    @property
    def why(self) -> str:
        """The reason to roll back, empty while there is none."""
        return self.state.why

    @property
    def evidence(self) -> float:
        """Share of the evidence that is needed, from 0 to 1."""
        return self.state.shown

    def update(self, bins: Mapping[str, Any]) -> Literal["ok", "rollback"]:
        """Take in one poll. Keys as in `look_of`."""
        at = float(bins.get("at") or self.state.at + self.poll_s)
        self.state = weigh(self.terms, self.state, look_of(bins, at, self.terms))
        return "rollback" if self.state.fires else "ok"


def engine(history: Mapping[str, Sequence[Pair]], poll_s: float) -> Engine:
    """The judgement of one release.

    `history` = ``{"probe"|"err"|"slow": [(events, bad), ...]}`` of one hour, one pair a poll, oldest first; `poll_s` in
    seconds. Raises ValueError when it names none of the three.
    """
    return Engine(history, poll_s)


def look_of(bins: Mapping[str, Any], at: float, terms: Terms) -> Look:
    """One poll as a look.

    `probe`, `err`, `slow`: (events, bad), or (events, bad, age in polls) for a late bin, or None. `control` and `old`: the
    same three keys. `pods`: {id, new, ready, since, restarts, probe, err, slow} each. `ready`: (ready, wanted). `restarts`:
    so far. `covers`: seconds a sum speaks of, by stream. `at`: seconds since the deploy, where polls are not regular.
    """
    counts: dict[str, Pair] = {}
    ends: dict[str, float] = {}
    for name in terms.kinds:
        said = bins.get(name)
        if said is not None:
            counts[name] = tuple_of(said)
            if len(said) > 2:  # noqa: PLR2004 - the third one is its age
                ends[name] = at - float(said[2]) * terms.poll_s
    ready, pods = bins.get("ready"), bins.get("pods")
    return Look(
        at=at,
        counts=counts,
        ends=ends,
        covers=bins.get("covers") or {},
        old=_pairs(bins.get("old"), terms),
        control=_pairs(bins.get("control"), terms),
        ready=None if ready is None else (int(ready[0]), int(ready[1])),
        restarts=bins.get("restarts"),
        pods=None if pods is None else tuple(_pod(pod, terms) for pod in pods),
    )


def tuple_of(pair: Sequence[float]) -> Pair:
    """(events, bad) as whole numbers; raises ValueError for counts that cannot be."""
    events, bad = int(pair[0]), int(pair[1])
    if not 0 <= bad <= events or not math.isfinite(pair[0]):
        raise ValueError(f"{bad} bad of {events} events cannot be")
    return events, bad


def _pairs(said: Mapping[str, Any] | None, terms: Terms) -> dict[str, Pair] | None:
    if said is None:
        return None
    return {name: tuple_of(said[name]) for name in terms.kinds if said.get(name) is not None}


def _pod(said: Mapping[str, Any], terms: Terms) -> PodLook:
    restarts = said.get("restarts")
    return PodLook(
        name=str(said["id"]),
        new=bool(said["new"]),
        ready=bool(said["ready"]),
        ready_for_s=said.get("since"),
        restarts=None if restarts is None else int(restarts),
        counts=_pairs(said, terms) or {},
    )

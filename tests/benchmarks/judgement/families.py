"""Families of releases seen as one service: healthy ones and faults, written from the published list (docs/judgement.md).

Each is a function (rng, rps, poll_s) -> Trace. History and watch are counts poll by poll; `onset` is when a fault begins.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.judgement.weather import Spell, Weather, passing, restart, total

HOUR, WATCH = 3600.0, 1800.0
Bins = dict[str, Any]


@dataclass
class Trace:
    """One release. `onset` None = healthy."""

    history: dict[str, list[tuple[int, int]]]
    polls: list[Bins]
    onset: float | None = None


Family = Callable[[random.Random, float, float], Trace]
Shape = Callable[[Weather, random.Random], float | None]


@dataclass
class Story:
    """How a family differs from ordinary weather."""

    shape: Shape
    ordinary: bool = True
    """Interruptions as services have them, also in the hour before."""
    after: list[Callable[[Trace, random.Random, float], None]] = field(default_factory=list)
    control: bool = False


def traced(story: Story, rng: random.Random, rps: float, poll_s: float) -> Trace:
    """One trace of a story."""
    weather = Weather(rps)
    if story.ordinary:
        weather.spells = passing(rng, -HOUR, WATCH) + restart(rng)
    before = list(weather.spells)
    onset = story.shape(weather, rng)
    polls: list[Bins] = []
    history: dict[str, list[tuple[int, int]]] = {"probe": [], "err": [], "slow": []}
    for index in range(round(HOUR / poll_s)):
        start = -HOUR + index * poll_s
        for name, pair in weather.counts(rng, start, start + poll_s).items():
            history[name].append(pair)
    own = [spell for spell in weather.spells if spell in before]
    beside = Weather(rps, [spell for spell in weather.spells if spell not in own])
    for index in range(round(WATCH / poll_s)):
        bins: Bins = dict(weather.counts(rng, index * poll_s, (index + 1) * poll_s))
        if story.control:
            bins["control"] = beside.counts(rng, index * poll_s, (index + 1) * poll_s)
        polls.append(bins)
    trace = Trace(history, polls, onset)
    for change in story.after:
        change(trace, rng, poll_s)
    return trace


def family(shape: Shape, **changes: Any) -> Family:
    """A family out of its shape."""
    story = Story(shape, **changes)
    return lambda rng, rps, poll_s: traced(story, rng, rps, poll_s)


def nothing(weather: Weather, rng: random.Random) -> None:
    """Ordinary weather only."""


def _blips(count: int, shortest: float) -> Shape:
    def shape(weather: Weather, rng: random.Random) -> None:
        at = rng.uniform(60, 600)
        for _ in range(count):
            lasts = rng.uniform(shortest, 30)
            weather.spells.append(total(at, lasts))
            at += lasts + rng.uniform(120, 600)

    return shape


def _drift(weather: Weather, rng: random.Random) -> None:
    """The error rate wanders: lognormal, standard deviation 0.6, five minutes of memory."""
    step, memory = 60.0, math.exp(-60.0 / 300.0)
    level, levels = rng.gauss(0, 0.6), []
    for _ in range(round((HOUR + WATCH) / step)):
        levels.append(math.exp(level))
        level = memory * level + math.sqrt(1 - memory**2) * rng.gauss(0, 0.6)
    weather.factor = lambda at: levels[min(len(levels) - 1, int((at + HOUR) // step))]


def _clustered(weather: Weather, rng: random.Random) -> None:
    weather.burst = 5.0


def _noisy(weather: Weather, rng: random.Random) -> None:
    weather.base_err = 0.02


def _spike(weather: Weather, rng: random.Random) -> None:
    start = rng.uniform(60, 1200)
    weather.traffic = lambda at: 5.0 if start <= at < start + 300 else 1.0
    weather.factor = lambda at: 3.0 if start <= at < start + 300 else 1.0


def _prober(weather: Weather, rng: random.Random) -> None:
    """The watcher's own network is cut."""
    start = rng.uniform(60, 1200)
    weather.spells.append(Spell(start, start + rng.uniform(60, 180), probe=1.0))


def _preoutage(weather: Weather, rng: random.Random) -> None:
    """A dependency outage that was there before the deploy."""
    start = -rng.uniform(600, 1800)
    weather.spells.append(Spell(start, WATCH, err=0.3, probe=0.3))


def _depout(weather: Weather, rng: random.Random) -> None:
    start = rng.uniform(60, 1200)
    weather.spells.append(Spell(start, start + rng.uniform(180, 600), err=0.3, probe=0.3))


def _gone(trace: Trace, rng: random.Random, poll_s: float) -> None:
    """Request telemetry is missing for 2-8 minutes."""
    start, lasts = rng.uniform(60, 1200), rng.uniform(120, 480)
    for index, bins in enumerate(trace.polls):
        if start <= index * poll_s < start + lasts:
            bins["err"] = bins["slow"] = None


def _late(trace: Trace, rng: random.Random, poll_s: float) -> None:
    """Request counts come 1-3 polls late, now and then."""
    for name in ("err", "slow"):
        said = [bins[name] for bins in trace.polls]
        waiting: list[tuple[int, int]] = []
        for index, bins in enumerate(trace.polls):
            if rng.random() < 0.3 and len(waiting) < 3:
                waiting.append((index, index))
                bins[name] = None
            elif waiting:
                first = waiting.pop(0)[0]
                bins[name] = (*said[first], index - first)
                waiting.append((index, index))
                waiting = waiting[-3:]
            else:
                bins[name] = said[index]


def _reset(trace: Trace, rng: random.Random, poll_s: float) -> None:
    """Counters start anew with each pod: some polls say nothing, some only a part."""
    for index, bins in enumerate(trace.polls):
        if index * poll_s < 120 and rng.random() < 0.4:
            for name in ("err", "slow"):
                events, bad = bins[name] or (0, 0)
                bins[name] = None if rng.random() < 0.5 else (events - events // 2, bad - bad // 2)


def lumped(every_s: float) -> Callable[[Trace, random.Random, float], None]:
    """Requests come as one sum every so many seconds, as from a scrape."""

    def change(trace: Trace, rng: random.Random, poll_s: float) -> None:
        every = max(1, round(every_s / poll_s))
        phase = rng.randrange(every)
        for name in ("err", "slow"):
            trace.history[name] = _sums(trace.history[name], every, phase, (0, 0))
            later = _sums([bins[name] or (0, 0) for bins in trace.polls], every, phase, None)
            for bins, pair in zip(trace.polls, later, strict=True):
                bins[name] = pair

    return change


def _sums(pairs: list[tuple[int, int]], every: int, phase: int, empty: Any) -> list[Any]:
    said, events, bad = [], 0, 0
    for index, pair in enumerate(pairs):
        events, bad = events + pair[0], bad + pair[1]
        if index % every == phase:
            said.append((events, bad))
            events = bad = 0
        else:
            said.append(empty)
    return said


def _steady(share: float, *, probes: bool = True, slow: float = 0.0) -> Shape:
    def shape(weather: Weather, rng: random.Random) -> float:
        weather.spells.append(Spell(0, WATCH, err=share, probe=share if probes else 0.0, slow=slow))
        return 0.0

    return shape


def _silent(weather: Weather, rng: random.Random) -> float:
    weather.spells.append(Spell(0, WATCH, err=0.98, probe=0.98, silent=True))
    return 0.0


def _flap(weather: Weather, rng: random.Random) -> float:
    at = rng.uniform(0, 20)
    weather.spells += [total(at + 60 * turn, 20) for turn in range(30)]
    return at


def _late_fault(share: float) -> Shape:
    def shape(weather: Weather, rng: random.Random) -> float:
        at = rng.uniform(300, 900)
        weather.spells.append(total(at, WATCH, share))
        return at

    return shape


def _ramp(weather: Weather, rng: random.Random) -> float:
    weather.spells += [
        Spell(at, at + 10, err=0.3 * min(1, at / 900), probe=0.3 * min(1, at / 900)) for at in range(0, 1800, 10)
    ]
    return 0.0


def _worse(weather: Weather, rng: random.Random) -> float:
    """In a dependency outage of 30 % from before, the release fails half of what is left."""
    weather.spells += [Spell(-900, WATCH, err=0.3, probe=0.3), Spell(0, WATCH, err=0.5, probe=0.5)]
    return 0.0


HEALTHY: dict[str, Family] = {
    "reference": family(nothing),
    "iid": family(nothing, ordinary=False),
    "blip1": family(_blips(1, 5), ordinary=False),
    "blip2": family(_blips(2, 15), ordinary=False),
    "drift": family(_drift),
    "clustered": family(_clustered),
    "noisybase": family(_noisy),
    "gap": family(nothing, after=[_gone]),
    "spike": family(_spike),
    "prober": family(_prober, ordinary=False),
    "preoutage": family(_preoutage),
    "depout+control": family(_depout, control=True),
    "late bins": family(nothing, after=[_late]),
    "counter resets": family(nothing, after=[_reset]),
    "sums 30 s": family(nothing, after=[lumped(30)]),
    "sums 60 s": family(nothing, after=[lumped(60)]),
}

FAULTS: dict[str, Family] = {
    "crash": family(_steady(0.98)),
    "crash_silent": family(_silent),
    "err50": family(_steady(0.5)),
    "err20": family(_steady(0.2)),
    "err5": family(_steady(0.05, probes=False)),
    "err1": family(_steady(0.009, probes=False)),
    "flap": family(_flap),
    "late20": family(_late_fault(0.2)),
    "latecrash": family(_late_fault(0.98)),
    "ramp": family(_ramp),
    "err20_gap": family(_steady(0.2), after=[_gone]),
    "worse_in_outage": family(_worse),
    "slow10": family(_steady(0.0, slow=0.1)),
    "err20 sums 60 s": family(_steady(0.2), after=[lumped(60)]),
}

SEVERITY = {
    "crash": 0.98,
    "crash_silent": 0.98,
    "err50": 0.5,
    "err20": 0.2,
    "err5": 0.05,
    "err1": 0.01,
    "flap": 0.33,
    "late20": 0.2,
    "latecrash": 0.98,
    "ramp": 0.15,
    "err20_gap": 0.2,
    "worse_in_outage": 0.35,
    "slow10": 0.1,
}
"""Share of users that a fault hurts: H is the mean of severity times median delay."""

"""Families of rollouts seen pod by pod: old pods leave, new ones come, each with counts of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.judgement.families import HOUR, WATCH, Bins, Family, Trace
from tests.benchmarks.judgement.weather import BASE_ERR, BASE_PROBE, BASE_SLOW, Weather, binomial, poisson

Share = Callable[[float], float]
NEVER = 1e9


def fine(at: float) -> float:
    """Nothing but the base error rate."""
    return 0.0


@dataclass
class Pod:
    """One pod: created, ready and gone at these seconds after the deploy; `fails` = share of bad answers at a time."""

    name: str
    new: bool
    created: float
    ready: float
    gone: float = NEVER
    fails: Share = fine
    down: list[tuple[float, float]] = field(default_factory=list)
    """Stretches in which it is not ready."""
    restarts: list[float] = field(default_factory=list)

    def is_ready(self, at: float) -> bool:
        """In service."""
        return self.ready <= at < self.gone and not any(start <= at < end for start, end in self.down)

    def since(self, at: float) -> float | None:
        """Seconds since it became ready the last time."""
        if not self.is_ready(at):
            return None
        return at - max([self.ready, *(end for _, end in self.down if end <= at)])


@dataclass
class Fleet:
    """All pods of a rollout, and what happens to all of them (`shared`)."""

    pods: list[Pod]
    wanted: int
    shared: Share = fine
    control: bool = False


Shape = Callable[[random.Random], tuple[Fleet, float | None]]


def rolling(rng: random.Random, starts: tuple[float, float] = (5, 20)) -> Fleet:
    """3-10 pods, one after another."""
    count = rng.randint(3, 10)
    at, pods = 0.0, []
    for index in range(count):
        ready = at + rng.uniform(*starts)
        pods.append(Pod(f"new-{index}", True, at, ready))
        pods.append(Pod(f"old-{index}", False, -HOUR, -HOUR, ready))
        at = ready + rng.uniform(2, 15)
    return Fleet(pods, count)


def recreate(rng: random.Random, gap: tuple[float, float]) -> Fleet:
    """All pods at once: none is ready for a while."""
    count = rng.randint(1, 8)
    ready = rng.uniform(*gap)
    pods = [Pod(f"new-{index}", True, 1.0, ready + rng.uniform(0, 2)) for index in range(count)]
    pods += [Pod(f"old-{index}", False, -HOUR, -HOUR, 0.0) for index in range(count)]
    return Fleet(pods, count)


def news(fleet: Fleet) -> list[Pod]:
    """The new pods, in order of appearance."""
    return [pod for pod in fleet.pods if pod.new]


def warming(rng: random.Random, pod: Pod) -> None:
    """30-100 % of its answers are bad for 5-20 s after it became ready."""
    share, lasts = rng.uniform(0.3, 1.0), rng.uniform(5, 20)
    pod.fails = lambda at: share if at < pod.ready + lasts else 0.0


def between(start: float, end: float, share: float) -> Share:
    """This share within a stretch."""
    return lambda at: share if start <= at < end else 0.0


def _warm(rng: random.Random) -> tuple[Fleet, None]:
    fleet = rolling(rng)
    for pod in news(fleet):
        warming(rng, pod)
    return fleet, None


def _brown_out(rng: random.Random) -> tuple[Fleet, None]:
    return recreate(rng, (45, 60)), None


def _recreate_warm(rng: random.Random) -> tuple[Fleet, None]:
    fleet = recreate(rng, (15, 40))
    for pod in news(fleet):
        warming(rng, pod)
    return fleet, None


def _outage_in_roll(rng: random.Random) -> tuple[Fleet, None]:
    fleet = rolling(rng, (15, 30))
    last = max(pod.gone for pod in fleet.pods if not pod.new)
    start = rng.uniform(0, max(1.0, last - 45))
    fleet.shared = between(start, start + rng.uniform(180, 600), 0.4)
    return fleet, None


def _outage_after(rng: random.Random) -> tuple[Fleet, None]:
    fleet = rolling(rng)
    start = max(pod.gone for pod in fleet.pods if not pod.new) + rng.uniform(60, 600)
    fleet.shared = between(start, start + rng.uniform(180, 600), 0.4)
    fleet.control = True
    return fleet, None


def _node_loss(rng: random.Random) -> tuple[Fleet, None]:
    """A third of all pods fails for 10-20 s, then is not ready until 60-90 s have passed."""
    fleet = rolling(rng)
    start = rng.uniform(20, 300)
    for pod in rng.sample(fleet.pods, len(fleet.pods) // 3):
        noticed, back = start + rng.uniform(10, 20), start + rng.uniform(60, 90)
        pod.fails = between(start, back, 1.0)
        pod.down.append((noticed, back))
    return fleet, None


def _slow_start(rng: random.Random) -> tuple[Fleet, None]:
    return rolling(rng, (60, 150)), None


def _old_leave(rng: random.Random) -> tuple[Fleet, None]:
    fleet = rolling(rng)
    for pod in fleet.pods:
        if not pod.new:
            pod.fails = between(pod.gone - rng.uniform(4, 8), NEVER, 0.9)
    return fleet, None


def _scaled_up(rng: random.Random) -> tuple[Fleet, None]:
    fleet, _ = _warm(rng)
    at = 400.0
    for index in range(fleet.wanted):
        pod = Pod(f"more-{index}", True, at, at + rng.uniform(5, 20))
        warming(rng, pod)
        fleet.pods.append(pod)
        at = pod.ready + rng.uniform(0, 10)
    return fleet, None


def _pod_outages(rng: random.Random) -> tuple[Fleet, None]:
    fleet = rolling(rng)
    for pod in news(fleet):
        start = pod.ready + rng.uniform(30, 900)
        pod.fails = between(start, start + rng.uniform(5, 30), 0.98)
    return fleet, None


def _one_restart(rng: random.Random) -> tuple[Fleet, None]:
    fleet = rolling(rng)
    pod = rng.choice(news(fleet))
    at = pod.ready + rng.uniform(20, 300)
    pod.restarts.append(at)
    pod.down.append((at, at + rng.uniform(10, 30)))
    return fleet, None


def _single(rng: random.Random) -> tuple[Fleet, None]:
    """One replica, replaced with a gap of 10-25 s."""
    ready = rng.uniform(10, 25)
    return Fleet([Pod("new-0", True, 1.0, ready), Pod("old-0", False, -HOUR, -HOUR, 0.0)], 1), None


def _odd_pod(rng: random.Random) -> tuple[Fleet, None]:
    fleet = rolling(rng)
    while fleet.wanted < 5:
        fleet = rolling(rng)
    rng.choice(news(fleet)).fails = lambda at: 0.98
    return fleet, None


def _new_fail(share: float) -> Shape:
    def shape(rng: random.Random) -> tuple[Fleet, float]:
        fleet = rolling(rng)
        for pod in news(fleet):
            pod.fails = lambda at: share
        return fleet, news(fleet)[0].ready

    return shape


def _after_roll(rng: random.Random) -> tuple[Fleet, float]:
    fleet = rolling(rng)
    at = max(pod.gone for pod in fleet.pods if not pod.new) + rng.uniform(30, 300)
    for pod in news(fleet):
        pod.fails = between(at, NEVER, 0.3)
    return fleet, at


def _crash_loop(rng: random.Random) -> tuple[Fleet, float]:
    """The first new pod starts, dies, backs off 10, 20, 40 ... s; the rollout stands still and old pods serve."""
    fleet = rolling(rng)
    first = news(fleet)[0]
    fleet.pods = [pod for pod in fleet.pods if not pod.new or pod is first]
    for pod in fleet.pods:
        if not pod.new:
            pod.gone = NEVER
    at, pause = first.created + 5.0, 10.0
    while at < WATCH:
        first.restarts.append(at + 5)
        at, pause = at + 5 + pause, min(300.0, 2 * pause)
    first.ready = NEVER
    return fleet, first.created


def _flapping(rng: random.Random) -> tuple[Fleet, float]:
    """Every new pod is 20 s down, 40 s up, and restarts each time."""
    fleet = recreate(rng, (5, 10))
    start = max(pod.ready for pod in news(fleet)) + 10
    for pod in news(fleet):
        pod.down = [(start + 60 * turn, start + 60 * turn + 20) for turn in range(30)]
        pod.restarts = [begin for begin, _ in pod.down]
        pod.fails = lambda at: 0.98 if (at - start) % 60 < 20 and at >= start else 0.0
    return fleet, start


def _never_ready(rng: random.Random) -> tuple[Fleet, float]:
    fleet = rolling(rng)
    first = news(fleet)[0]
    first.ready = NEVER
    fleet.pods = [pod for pod in fleet.pods if not pod.new or pod is first]
    for pod in fleet.pods:
        if not pod.new:
            pod.gone = NEVER
    return fleet, first.created


def _nothing_ready(rng: random.Random) -> tuple[Fleet, float]:
    fleet = recreate(rng, (30, 60))
    for pod in news(fleet):
        pod.ready = NEVER
    return fleet, 0.0


def _pod_bins(pod: Pod, rng: random.Random, fleet: Fleet, at: float, mean: float) -> dict[str, Any]:
    """What one pod says of itself at the end of a poll."""
    ready = pod.is_ready(at)
    since = pod.since(at)
    said: dict[str, Any] = {
        "id": pod.name,
        "new": pod.new,
        "ready": ready,
        "since": since,
        "restarts": sum(moment <= at for moment in pod.restarts),
    }
    share = 1 - (1 - pod.fails(at)) * (1 - fleet.shared(at))
    if ready:
        requests = poisson(rng, mean)
        bad = share + (1 - share) * BASE_ERR
        said["probe"] = (1, int(rng.random() < share + (1 - share) * BASE_PROBE))
        said["err"] = (requests, binomial(rng, requests, bad))
        said["slow"] = (requests, binomial(rng, requests, BASE_SLOW))
    return said


def _poll(fleet: Fleet, rng: random.Random, rps: float, at: float, poll_s: float) -> Bins:
    here = [pod for pod in fleet.pods if pod.created <= at < pod.gone]
    ready = [pod for pod in here if pod.is_ready(at)]
    mean = rps * poll_s / max(1, len(ready))
    pods = [_pod_bins(pod, rng, fleet, at, mean) for pod in here]
    speaking = [pod for pod in pods if pod["ready"]]
    unserved = 0 if speaking else poisson(rng, rps * poll_s)
    asked = rng.choice(speaking) if speaking else None
    bins: Bins = {
        "probe": asked["probe"] if asked else (1, 1),
        "err": (
            sum(pod["err"][0] for pod in speaking) + unserved,
            sum(pod["err"][1] for pod in speaking) + unserved,
        ),
        "slow": (sum(pod["slow"][0] for pod in speaking), sum(pod["slow"][1] for pod in speaking)),
        "pods": pods,
        "ready": (len(ready), fleet.wanted),
        "restarts": sum(pod["restarts"] for pod in pods),
    }
    olds = [pod for pod in speaking if not pod["new"]]
    if olds:
        bins["old"] = {
            name: (sum(pod[name][0] for pod in olds), sum(pod[name][1] for pod in olds))
            for name in ("probe", "err", "slow")
        }
    if fleet.control:
        requests = poisson(rng, rps * poll_s)
        share = fleet.shared(at)
        bins["control"] = {
            "probe": (1, int(rng.random() < share + BASE_PROBE)),
            "err": (requests, binomial(rng, requests, min(1.0, share + BASE_ERR))),
            "slow": (requests, binomial(rng, requests, BASE_SLOW)),
        }
    return bins


def rollout(shape: Shape) -> Family:
    """A family of rollouts."""

    def made(rng: random.Random, rps: float, poll_s: float) -> Trace:
        fleet, onset = shape(rng)
        weather = Weather(rps)
        history: dict[str, list[tuple[int, int]]] = {"probe": [], "err": [], "slow": []}
        for index in range(round(HOUR / poll_s)):
            for name, pair in weather.counts(rng, index * poll_s, (index + 1) * poll_s).items():
                history[name].append(pair)
        polls = [_poll(fleet, rng, rps, (index + 1) * poll_s, poll_s) for index in range(round(WATCH / poll_s))]
        return Trace(history, polls, onset)

    return made


HEALTHY_ROLLOUTS: dict[str, Family] = {
    "roll: warm-up pod by pod": rollout(_warm),
    "roll: brown-out 45-60 s": rollout(_brown_out),
    "roll: recreate, then warm-up": rollout(_recreate_warm),
    "roll: outage hits old too": rollout(_outage_in_roll),
    "roll: outage, control fails": rollout(_outage_after),
    "roll: node loss": rollout(_node_loss),
    "roll: slow start 60-150 s": rollout(_slow_start),
    "roll: old pods fail leaving": rollout(_old_leave),
    "roll: as many pods again": rollout(_scaled_up),
    "roll: each pod one outage": rollout(_pod_outages),
    "roll: one pod restarts": rollout(_one_restart),
    "roll: single replica": rollout(_single),
    "roll: one odd pod of 5-10": rollout(_odd_pod),
}

FAULTY_ROLLOUTS: dict[str, Family] = {
    "roll: new pods 98 %": rollout(_new_fail(0.98)),
    "roll: new pods 30 %": rollout(_new_fail(0.3)),
    "roll: new pods 5 %": rollout(_new_fail(0.05)),
    "roll: 30 % after the roll": rollout(_after_roll),
    "roll: first pod crash-loops": rollout(_crash_loop),
    "roll: 20 s down, 40 s up": rollout(_flapping),
    "roll: first pod never ready": rollout(_never_ready),
    "roll: nothing ever ready": rollout(_nothing_ready),
}

"""What a service goes through: interruptions, outages, drift; and the counts that come of it, poll by poll.

All randomness comes from the one generator that is handed in, so a trace is a function of its seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

BASE_ERR, BASE_PROBE, BASE_SLOW = 0.001, 0.001, 0.003
NORMAL_FROM = 200.0
"""Above this variance a binomial is drawn from the normal curve: nobody sees the difference, and it is fast."""


def binomial(rng: random.Random, n: int, p: float) -> int:
    """Failures of `n` events, by jumps from failure to failure."""
    if n <= 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    if p > 0.5:
        return n - binomial(rng, n, 1 - p)
    if n * p * (1 - p) > NORMAL_FROM:
        return min(n, max(0, round(rng.gauss(n * p, math.sqrt(n * p * (1 - p))))))
    log_good, failures, at = math.log1p(-p), 0, 0
    while True:
        at += int(math.log(1.0 - rng.random()) / log_good) + 1
        if at > n:
            return failures
        failures += 1


def poisson(rng: random.Random, mean: float) -> int:
    """Requests of one poll."""
    if mean > NORMAL_FROM:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    if mean > 30:
        return poisson(rng, mean / 2) + poisson(rng, mean / 2)
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


@dataclass
class Spell:
    """Bad weather from `start` to `end` seconds: the share of requests, probes and slow ones that it turns bad."""

    start: float
    end: float
    err: float = 0.0
    probe: float = 0.0
    slow: float = 0.0
    silent: bool = False
    """Requests leave no trace: the telemetry dies with the service."""

    def overlap(self, start: float, end: float) -> float:
        """Share of (start, end) that it covers."""
        return max(0.0, min(end, self.end) - max(start, self.start)) / (end - start)


def total(start: float, lasts: float, share: float = 0.98) -> Spell:
    """Everything fails, or this share of it."""
    return Spell(start, start + lasts, err=share, probe=share)


@dataclass
class Weather:
    """One hour before the deploy (negative seconds) and the watch after it."""

    rps: float
    spells: list[Spell] = field(default_factory=list)
    base_err: float = BASE_ERR
    factor: Callable[[float], float] | None = None
    """Multiplies the base error rate at a time."""
    traffic: Callable[[float], float] | None = None
    burst: float = 1.0
    """Mean number of failures that come together (retries)."""

    def counts(self, rng: random.Random, start: float, end: float) -> dict[str, tuple[int, int]]:
        """Counts of one poll that ends at `end`; the probe asks at its end."""
        spells = [spell for spell in self.spells if spell.start < end and spell.end > start]
        err, slow, probe, silent = self.base_err, BASE_SLOW, BASE_PROBE, 0.0
        if self.factor:
            err = min(0.9, err * self.factor(start))
        for spell in spells:
            share = spell.overlap(start, end)
            err += (1 - err) * spell.err * share
            slow += (1 - slow) * spell.slow * share
            if spell.start <= end < spell.end:
                probe += (1 - probe) * spell.probe
            silent += share if spell.silent else 0.0
        mean = self.rps * (end - start) * (self.traffic(start) if self.traffic else 1.0) * (1 - min(1.0, silent))
        requests = poisson(rng, mean)
        failed = self._failed(rng, requests, err)
        return {
            "probe": (1, int(rng.random() < probe)),
            "err": (requests, failed),
            "slow": (requests, binomial(rng, requests, slow)),
        }

    def _failed(self, rng: random.Random, requests: int, err: float) -> int:
        if self.burst <= 1:
            return binomial(rng, requests, err)
        failed = 0
        for _ in range(binomial(rng, requests, err / self.burst)):
            failed += 1
            while rng.random() < 1 - 1 / self.burst:
                failed += 1
        return min(requests, failed)


def passing(rng: random.Random, start: float, end: float, every_s: float = 10_800.0) -> list[Spell]:
    """Interruptions as services have them: now and then 5-30 s, half of them total, half partial."""
    spells, at = [], start + rng.expovariate(1 / every_s)
    while at < end:
        spells.append(one_interruption(rng, at))
        at += rng.expovariate(1 / every_s)
    return spells


def one_interruption(rng: random.Random, at: float) -> Spell:
    """5-30 s, total or 5-70 % of requests and probes."""
    share = 0.98 if rng.random() < 0.5 else rng.uniform(0.05, 0.7)
    return total(at, rng.uniform(5, 30), share)


def restart(rng: random.Random) -> list[Spell]:
    """Half of all deploys cost an interruption within the first minute."""
    return [one_interruption(rng, rng.uniform(0, 30))] if rng.random() < 0.5 else []

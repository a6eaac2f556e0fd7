"""Ville's bound at the boundary: every stream exactly as bad as tolerated, and the bound must hold without the speed limit.

The speed limit and the mean make the rule far more careful than its bound. So the bet itself is tested: with an unlimited
burst, on one stream, the share of watches in which the weighted mean over alternatives ever reaches 1/alpha is at most alpha.
"""

from __future__ import annotations

import math
import random

import pytest

from tests.benchmarks.judgement.weather import binomial
from tests.judgement.evidence.streams import quiet_hour
from watchdog.judgement.evidence.detector import bet, fresh_stream, log_sum
from watchdog.judgement.evidence.knobs import Kind, Knobs
from watchdog.judgement.evidence.terms import ALTERNATIVES, ladder_of
from watchdog.testing.judging import engine

UNLIMITED = (1e12,) * ALTERNATIVES


def ever_reaches(rng: random.Random, alpha: float, share: float, kind: Kind, events: int) -> bool:
    """One watch of half an hour at 5 s, without speed limit."""
    ladder, stream = ladder_of(Knobs().floor(kind), kind, Knobs(), 5.0), fresh_stream(ALTERNATIVES, 0.0)
    need = -math.log(alpha)
    for number in range(1, 361):
        counts = (events, binomial(rng, events, share))
        stream = bet(ladder, stream, counts, 5.0 * number, need=need, watch_s=1800.0, burst=UNLIMITED)
        if log_sum(list(stream.evidence)) - math.log(ALTERNATIVES) >= need:
            return True
    return False


@pytest.mark.parametrize(("kind", "events"), [(Kind.ERR, 50), (Kind.PROBE, 1)])
def test_at_the_boundary_the_bare_bet_wins_at_most_alpha_of_the_watches(kind, events):
    rng, alpha, watches = random.Random(5), 0.1, 250
    won = sum(ever_reaches(rng, alpha, Knobs().floor(kind), kind, events) for _ in range(watches))
    # 3 standard errors of a binomial around alpha
    assert won <= alpha * watches + 3 * math.sqrt(alpha * (1 - alpha) * watches)


def test_the_simulation_would_notice_a_bet_that_is_too_good():
    """Twice the tolerated rate wins in most watches: the test above can fail."""
    rng = random.Random(5)
    assert sum(ever_reaches(rng, 0.1, 2 * Knobs().floor(Kind.ERR), Kind.ERR, 50) for _ in range(20)) > 10


def test_the_whole_rule_at_the_boundary_never_fires_in_a_handful_of_watches():
    rng = random.Random(7)
    for _ in range(8):
        judge = engine(quiet_hour(), 5.0)
        for _ in range(360):
            bins = {
                "probe": (1, int(rng.random() < 0.03)),
                "err": (50, binomial(rng, 50, 0.005)),
                "slow": (50, binomial(rng, 50, 0.02)),
            }
            assert judge.update(bins) == "ok"

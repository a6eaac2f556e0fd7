"""Bounds on a rate of which only counts are known: quantiles of the beta distribution, by the standard library.

Role: the arithmetic under `baseline`. Guarantees: `upper` and `lower` are the one-sided Clopper-Pearson bounds, accurate
to about 1e-12; with no events nothing is known and they are 1 and 0. The incomplete beta function is the continued
fraction of Lentz, its inverse Newton steps kept inside a bracket.
"""

from __future__ import annotations

import math
from functools import lru_cache

TINY = 1e-300
STEPS, CLOSE = 500, 1e-14


def upper(bad: int, events: int, risk: float) -> float:
    """The rate that the true one exceeds with probability `risk` at most, after `bad` of `events` failed."""
    return _quantile(bad + 1, events - bad, 1 - risk) if bad < events else 1.0


def lower(bad: int, events: int, risk: float) -> float:
    """The rate that the true one is below with probability `risk` at most."""
    return _quantile(bad, events - bad + 1, risk) if bad > 0 else 0.0


def incomplete(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(_log_front(a, b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


@lru_cache(maxsize=4096)
def _quantile(a: int, b: int, share: float) -> float:
    """The x at which I_x(a, b) is `share`. Newton steps in a bracket; where one leaves it, the bracket is halved."""
    low, high, x = 0.0, 1.0, a / (a + b)
    for _ in range(200):
        miss = incomplete(a, b, x) - share
        low, high = (x, high) if miss < 0 else (low, x)
        slope = math.exp(_log_front(a, b) + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))
        after = x - miss / slope if slope > TINY else low
        if not low < after < high:
            after = (low + high) / 2
        if abs(after - x) <= 1e-15 + 1e-13 * x:
            return after
        x = after
    return x


def _log_front(a: float, b: float) -> float:
    return math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < CLOSE:
            break
    return value


def _away(x: float) -> float:
    """Away from zero, as Lentz's method asks."""
    return x if abs(x) > TINY else TINY

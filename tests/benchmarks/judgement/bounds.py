"""The published lower bounds: no rule, however clever, has a smaller median delay (Neyman-Pearson, seconds, everything known)."""

from __future__ import annotations

BOUNDS: dict[tuple[str, float], float] = {
    **{("crash", rps): 35 for rps in (0.01, 0.1, 1, 10, 100)},
    **{("crash_silent", rps): 35 for rps in (0.01, 0.1, 1, 10, 100)},
    ("err50", 0.1): 35,
    ("err50", 1): 25,
    ("err50", 10): 25,
    ("err20", 0.1): 55,
    ("err20", 1): 30,
    ("err20", 10): 25,
    ("err5", 0.1): 335,
    ("err5", 1): 70,
    ("err5", 10): 20,
    ("err1", 10): 45,
    ("err1", 100): 5,
}
"""By family and requests a second: the rows over which R is the geometric mean of median delay / bound."""

MISSED_S = 1800.0

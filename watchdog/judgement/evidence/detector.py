"""One stream of events against six alternatives: the bet, and the speed limit on it.

Role: the heart of the rule. For each alternative rate q above the tolerated rate p the bet on n events, x of them bad, is
the log likelihood ratio ``g = x ln(q/p) + (n-x) ln((1-q)/(1-p))``. Its exponential is a fair (or losing) game while the
stream fails with probability p at most, given its past; so the weighted mean over alternatives and starting moments is an
e-process, and Ville's inequality bounds the chance that it ever reaches 1/alpha (Ville 1939; Ramdas et al. 2023).
Neighbours: `terms` makes ladders, `groups` keeps streams.
Guarantees: the speed limit only lowers a bet, so the bound stays; evidence of an alternative reaches what is needed only
after more than the tolerated interruption was touched by bad polls in total, however they are spread (see `Ladder.burst`);
a bin without events changes nothing. All clocks are event time in seconds, never polls.
"""

from __future__ import annotations

import math
from operator import ge

from watchdog.model import record

Floats = tuple[float, ...]
NOTHING = -math.inf

START_S = 30.0
"""Starting moments weigh as 1 / (t + START_S): those near the deploy are the likeliest."""


@record
class Ladder:
    """Alternatives to one tolerated rate, and how fast each may fill up.

    `fill` = seconds of evidence that fill from empty to what is needed; `burst` = seconds that one bin may bring after a
    pause. `fill_mixed` holds while a rollout goes on whose requests cannot be told apart.
    """

    tolerated: float
    unacceptable: float
    rates: Floats
    bad: Floats
    good: Floats
    fill: Floats
    fill_mixed: Floats
    burst: Floats


@record
class Stream:
    """What is remembered of one stream, one number an alternative: four times six floats.

    `evidence` is the log e-value since the best start, `saved` the seconds of evidence it may still gain, `floor` the
    weight of that start and `since` its event time. `last` = event time up to which data came.
    """

    evidence: Floats
    saved: Floats
    floor: Floats
    since: Floats
    last: float


def fresh_stream(alternatives: int, start: float) -> Stream:
    """A stream that has seen nothing, from event time `start` on."""
    nothing = (NOTHING,) * alternatives
    return Stream(
        evidence=nothing, saved=(math.inf,) * alternatives, floor=nothing, since=(start,) * alternatives, last=start
    )


def start_weight(earlier: float, later: float, watch_s: float) -> float:
    """Log weight of all starting moments in (earlier, later].

    ``ln((b+30)/(a+30)) / ln(1 + watch/30)``: the weights of any grid add up to 1 over the watch, and there is no horizon
    to run past; after T seconds the bound is alpha ln(1+T/30) / ln(1+watch/30) (facts/judgement-pods, section 1).
    """
    earlier = max(earlier, 1.0 - START_S)  # a first poll of a slow source covers time from before the watch
    if later <= earlier:
        return -math.inf
    return math.log(math.log((later + START_S) / (earlier + START_S)) / math.log1p(watch_s / START_S))


def bet(
    ladder: Ladder,
    stream: Stream,
    counts: tuple[int, int],
    at: float,
    *,
    need: float,
    watch_s: float,
    level: float | None = None,
    burst: Floats | None = None,
    mixed: bool = False,
) -> Stream:
    """The stream after (events, bad) that speak of the time up to `at`.

    `need` = log evidence at which this stream's group fires. `level` = the share that a comparison fails now: bets go
    against it, alternatives at or below it rest. `burst` replaces the ladder's for a sum that covers a longer time.
    """
    events, bad = counts
    if events <= 0:
        return stream
    wins, losses = ladder.bad, ladder.good
    if level is not None and level > ladder.tolerated:
        wins, losses = _against(ladder.rates, level)
    weight = start_weight(stream.last, at, watch_s)
    evidence, floor, since = _started(stream, weight)
    most = ladder.burst if burst is None else burst
    saved = _refilled(stream.saved, most, max(0.0, at - stream.last))
    if bad:
        gains = [bad * win + (events - bad) * lose for win, lose in zip(wins, losses, strict=True)]
        fill = ladder.fill_mixed if mixed else ladder.fill
        evidence, saved = _limited(evidence, saved, floor, gains, fill, need)
    else:
        evidence = tuple([value + events * lose for value, lose in zip(evidence, losses, strict=True)])
    return Stream(evidence=evidence, saved=saved, floor=floor, since=since, last=max(at, stream.last))


def _started(stream: Stream, weight: float) -> tuple[Floats, Floats, Floats]:
    """Evidence, floor and start of each alternative; where a start now is worth more than what was won, it starts now."""
    before, alternatives = stream.evidence, len(stream.evidence)
    if max(before) <= weight:
        same = (weight,) * alternatives
        return same, same, (stream.last,) * alternatives
    if min(before) > weight:
        return before, stream.floor, stream.since
    evidence = tuple([max(weight, value) for value in before])
    kept = [value > weight for value in before]
    floor = tuple([ground if keep else weight for ground, keep in zip(stream.floor, kept, strict=True)])
    since = tuple([start if keep else stream.last for start, keep in zip(stream.since, kept, strict=True)])
    return evidence, floor, since


def _refilled(saved: Floats, most: Floats, seconds: float) -> Floats:
    """Seconds of evidence that may be gained now: what was saved, and the time since the last data, up to a burst."""
    if saved is most:
        return most
    refilled = [tokens + seconds for tokens in saved]
    if all(map(ge, refilled, most)):
        return most
    return tuple(map(min, refilled, most))


def _limited(
    evidence: Floats, saved: Floats, floor: Floats, gains: list[float], fill: Floats, need: float
) -> tuple[Floats, Floats]:
    """The speed limit: gains cost saved seconds, at the speed that fills from the floor to `need` in `fill` seconds."""
    values, left = [], []
    for value, tokens, ground, gain, lasts in zip(evidence, saved, floor, gains, fill, strict=True):
        if gain > 0 and ground > NOTHING:
            speed = (need - ground) / lasts
            allowed = tokens * speed
            won = min(allowed, gain)
            values.append(value + won)
            left.append(tokens - won / speed)
        else:
            values.append(value + gain)
            left.append(tokens)
    return tuple(values), tuple(left)


def held(stream: Stream, at_most: float) -> Stream:
    """Evidence kept below `at_most`: something contradicts it. Lowering never breaks the bound."""
    if max(stream.evidence) <= at_most:
        return stream
    return Stream(
        evidence=tuple(min(value, at_most) for value in stream.evidence),
        saved=stream.saved,
        floor=stream.floor,
        since=stream.since,
        last=stream.last,
    )


def log_sum(values: list[float]) -> float:
    """Log of the sum of the exponentials."""
    top = max(values, default=NOTHING)
    if top == NOTHING:
        return top
    return top + math.log(sum([math.exp(value - top) for value in values]))


def _against(rates: Floats, level: float) -> tuple[Floats, Floats]:
    wins = tuple(math.log(rate / level) if rate > level else 0.0 for rate in rates)
    losses = tuple(math.log((1 - rate) / (1 - level)) if rate > level else 0.0 for rate in rates)
    return wins, losses

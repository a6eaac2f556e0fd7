"""Groups: one new pod, all settled new pods, the service - each with its streams and its share of alpha.

Role: streams of one group together, and what they come to. Neighbours: `detector` (one stream), `weighing` (which counts
go to which group). Guarantees: evidence of a group is the *mean* over its streams and alternatives, never a product, so
that streams may show the same users; the shares of alpha of all groups add up to one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from watchdog.judgement.evidence.baseline import Pair
from watchdog.judgement.evidence.detector import NOTHING, Floats, Stream, bet, fresh_stream, held, log_sum, start_weight
from watchdog.judgement.evidence.terms import ALTERNATIVES, Terms
from watchdog.model import record

POD_SHARE, NEW_SHARE, SERVICE_SHARE = 0.4, 0.4, 0.2
"""Shares of alpha while pods are known; the service has all of it as long as they are not."""


@record
class Group:
    """`share` is the log of the group's share of alpha."""

    share: float
    streams: Mapping[str, Stream]

    def evidence(self) -> float:
        """Log of the mean e-value over streams and alternatives, weighed by the share."""
        every = [value for stream in self.streams.values() for value in stream.evidence]
        return log_sum(every) - math.log(len(every)) + self.share

    def shown(self, evidence: float, need: float) -> float:
        """Share of the way from where its bets started to `need`, clipped to 0...1."""
        every = [value for stream in self.streams.values() for value in stream.floor]
        return way(evidence, log_sum(every) - math.log(len(every)) + self.share, need)


def way(evidence: float, ground: float, need: float) -> float:
    """How far evidence has come from `ground` to `need`: 0 at or below the ground, 1 when it suffices."""
    if ground == NOTHING or evidence <= ground:
        return 0.0
    return min(1.0, (evidence - ground) / (need - ground)) if need > ground else 1.0


def fresh_group(terms: Terms, share: float, start: float) -> Group:
    """A group that has seen nothing, from event time `start` on."""
    return Group(share=math.log(share), streams={name: fresh_stream(ALTERNATIVES, start) for name in terms.kinds})


@record
class Bin:
    """What one stream of a group gets: counts, the time they speak of, and how the bet on them is limited."""

    counts: Pair
    at: float
    level: float | None = None
    burst: Floats | None = None
    mixed: bool = False


def group_bet(terms: Terms, group: Group, bins: Mapping[str, Bin]) -> Group:
    """The group after one bin a stream; streams without a bin stay."""
    need = terms.need - group.share
    watch_s = terms.knobs.expert.watch_s
    streams = dict(group.streams)
    for name, one in bins.items():
        streams[name] = bet(
            terms.ladders[name],
            streams[name],
            one.counts,
            one.at,
            need=need,
            watch_s=watch_s,
            level=one.level,
            burst=one.burst,
            mixed=one.mixed,
        )
    return Group(share=group.share, streams=streams)


def group_held(terms: Terms, group: Group, names: Sequence[str], at: float) -> Group:
    """The named streams kept below half of what is needed."""
    half = (start_weight(at - terms.poll_s, at, terms.knobs.expert.watch_s) + terms.need) / 2
    streams = dict(group.streams)
    for name in names:
        streams[name] = held(streams[name], half)
    return Group(share=group.share, streams=streams)

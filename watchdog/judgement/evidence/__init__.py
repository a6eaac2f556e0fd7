"""The evidence rule: a sequential bet that the release made things worse, with a speed limit. Pure: no await, clock, log or I/O."""

from watchdog.judgement.evidence.baseline import Baseline, minutes_of, tolerated_rate
from watchdog.judgement.evidence.knobs import Kind, Knobs
from watchdog.judgement.evidence.look import Look, PodLook
from watchdog.judgement.evidence.rule import EvidenceRule
from watchdog.judgement.evidence.terms import Terms, terms_of
from watchdog.judgement.evidence.weighing import Weighed, begin, weigh

__all__ = [
    "Baseline",
    "EvidenceRule",
    "Kind",
    "Knobs",
    "Look",
    "PodLook",
    "Terms",
    "Weighed",
    "begin",
    "minutes_of",
    "terms_of",
    "tolerated_rate",
    "weigh",
]

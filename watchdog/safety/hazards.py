"""The hazards A-Z: why going back would be wrong, which check looks at each, and what a release claims about itself.

Role: the table behind ``hazard C`` in checks, reports and metrics; `claims_of` reads what the template says. Neighbours:
`safety.reasons` turns both into checks. Guarantees: a claim that cannot be understood counts as the careful reading.
Not guaranteed: hazards with an empty `checked_by` are not looked at by this version unless a reader brings a fact.
"""

from __future__ import annotations

from watchdog.model import Outcome, Release, record


@record
class Hazard:
    """One reason why going back would be wrong.

    `outcome` is where its presence leads; `checked_by` names the check of the gate (or ``judgement``) that looks at it
    without an outside reader, empty when only a configured reader can tell.
    """

    letter: str
    slug: str
    title: str
    outcome: Outcome
    checked_by: str = ""


_ESCALATE, _HOLD, _ASK = Outcome.ESCALATE, Outcome.HOLD, Outcome.ASK

HAZARDS: tuple[Hazard, ...] = tuple(
    Hazard(letter=letter, slug=slug, title=title, outcome=outcome, checked_by=by)
    for letter, slug, title, outcome, by in (
        ("A", "database-ahead", "the database schema moved ahead of the older code", _ESCALATE, "data"),
        ("B", "event-types", "new event types or projections that the older code does not know", _ASK, ""),
        ("C", "dependency-outage", "a dependency is down for both versions", _HOLD, "blame"),
        ("D", "config-changed", "configuration outside the release changed", _ASK, ""),
        ("E", "credentials-rotated", "credentials were rotated since the good release ran", _ASK, ""),
        ("F", "gitops-owner", "a reconciler would undo the rollback", _ESCALATE, "in_progress_by_others"),
        ("G", "operation-in-flight", "another operation is under way", _HOLD, "in_progress_by_others"),
        ("H", "rollback-loop", "rollbacks would follow each other", _ESCALATE, "budget"),
        ("I", "good-is-bad", "the release to go back to is bad itself", _ESCALATE, "good_not_condemned"),
        ("J", "no-good-release", "there is no known good release that could run", _ESCALATE, "good_exists"),
        ("K", "rollback-halves-capacity", "the rollback itself fails or halves the capacity", _ESCALATE, ""),
        ("L", "capacity-on-the-way", "the older release's floor is too small for today's load", _ASK, ""),
        ("M", "certificate-or-dns", "certificate, DNS or ingress trouble", _ESCALATE, ""),
        ("N", "traffic-spike", "a traffic spike, scraper or attack", _HOLD, ""),
        ("O", "node-or-cluster", "node, cluster, quota or registry trouble", _HOLD, ""),
        ("P", "partial-compatibility", "other services need the newer version", _ESCALATE, ""),
        ("Q", "queue-schema", "messages were written that the older code cannot read", _ASK, ""),
        ("R", "cached-clients", "cached clients ask for the other version's files", _HOLD, ""),
        ("S", "monitoring-outage", "the monitoring is down", _HOLD, "breach_stands"),
        ("T", "control-plane-down", "the control plane is down", _HOLD, "in_progress_by_others"),
        ("U", "breach-without-release", "nothing was released lately", _ESCALATE, "bake"),
        ("V", "fix-forward", "a fix is already being rolled out", _HOLD, "in_progress_by_others"),
        ("W", "no-rollback-release", "a security or compliance release that should not go back", _ASK, "data"),
        ("X", "too-little-traffic", "too little traffic to judge", _HOLD, "judgement"),
        ("Y", "badly-built-probe", "the probe does not measure what users see", _ASK, ""),
        ("Z", "stale-alert", "the alert behind it is stale or resolved", _HOLD, "breach_stands"),
    )
)
"""All 26, in order of their letters."""

_BY_NAME = {name: hazard for hazard in HAZARDS for name in (hazard.letter.lower(), hazard.slug)}


def hazard_named(name: str) -> Hazard | None:
    """The hazard with that letter or slug, in any case; None when there is none."""
    return _BY_NAME.get(name.strip().lower())


def hazard_outcome(name: str) -> Outcome:
    """Where the presence of that hazard leads. An unheard-of name is put to a person."""
    known = hazard_named(name)
    return known.outcome if known else Outcome.ASK


@record
class Claims:
    """What a release's own template says. `migration` is empty, ``compatible``, ``breaking`` or ``unclear``."""

    migration: str = ""
    no_rollback: bool = False


_COMPATIBLE = frozenset({"none", "no", "false", "compatible"})
_NO = frozenset({"false", "no", "0"})


def claims_of(release: Release) -> Claims:
    """Read ``migration`` and ``no-rollback`` from the template's claims.

    Any other text after ``migration`` (a version, ``true``) is a migration nobody called compatible: ``unclear``. A
    ``no-rollback`` that is there counts unless it clearly says no.
    """
    migration = ""
    claimed = release.claims.get("migration")
    if claimed is not None:
        said = _word(claimed)
        migration = "compatible" if said in _COMPATIBLE else "breaking" if said == "breaking" else "unclear"
    return Claims(migration=migration, no_rollback=says_no_rollback(release.claims))


def says_no_rollback(words: object) -> bool:
    """Whether a mapping of claims or hints forbids going back without asking (``no-rollback`` or ``no_rollback``)."""
    if not hasattr(words, "get"):
        return False
    found = [words.get(key) for key in ("no-rollback", "no_rollback")]
    return any(value is not None and _word(value) not in _NO for value in found)


def _word(value: object) -> str:
    return str(value).strip().lower()

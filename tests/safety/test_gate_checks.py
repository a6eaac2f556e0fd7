"""Each check by itself: pass, block, ask and unknown, where they exist."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.safety.passing import (
    BAD,
    FAILING,
    GOOD,
    NEWER,
    NOW,
    PAUSE,
    act,
    approval,
    passing,
    policy,
    record_of,
    run,
    state,
    verdict,
)
from watchdog.model import (
    Budget,
    Check,
    DataSafety,
    Effect,
    Finding,
    Grade,
    Health,
    Instant,
    Mode,
    Outcome,
    Owner,
    Ownership,
)
from watchdog.safety.facts import BlameView, GateFacts, HazardView, Leadership, PausesRead, SelfSuspicion
from watchdog.safety.gate import CHECKS

PASS, BLOCK, ASK, UNKNOWN = Effect.PASS, Effect.BLOCK, Effect.ASK, Effect.UNKNOWN
HOLD, ESCALATE, BLIND, ASKING = Outcome.HOLD, Outcome.ESCALATE, Outcome.BLIND, Outcome.ASK
RECOVERED, GO = Outcome.RECOVERED_UNAIDED, Outcome.ROLL_BACK

UNARMED = {"armed": False}
ACT_ON_FIRST_START = {"armed": False, "policy": policy(first_start="act")}
UNGRADED = replace(GOOD, grade=Grade.NEW, watched_s=90.0)
CONDEMNED = replace(GOOD, grade=Grade.CONDEMNED, note="crash loop on Tuesday")
DATABASE = policy(data=DataSafety.CHECK)


def owned(owner: Owner, sentence: str = "managed by Argo CD application shop") -> Ownership:
    return Ownership(owner=owner, sentence=sentence)


def claiming(**claims: object) -> dict[str, object]:
    return {"blamed": replace(BAD, claims={key.replace("_", "-"): value for key, value in claims.items()})}


TABLE: list[tuple[str, str, dict[str, object], Effect, Outcome, str]] = [
    # check, case, what differs, effect, outcome, part of the sentence
    ("breach_stands", "failing a moment ago", {}, PASS, GO, "1 s ago"),
    ("breach_stands", "exactly two polls ago", {"failing_seen_s": 10.0}, PASS, GO, "10 s ago"),
    ("breach_stands", "more than two polls ago", {"failing_seen_s": 10.1}, UNKNOWN, HOLD, "fresh poll"),
    ("breach_stands", "no poll of this window", {"failing_seen_s": None}, UNKNOWN, HOLD, "no poll of this window"),
    ("breach_stands", "an age that is no number", {"failing_seen_s": float("nan")}, UNKNOWN, HOLD, "last"),
    ("breach_stands", "an age in the future", {"failing_seen_s": -1.0}, UNKNOWN, HOLD, "fresh poll"),
    ("breach_stands", "no verdict yet", {"verdict": None}, UNKNOWN, HOLD, "no verdict yet"),
    ("breach_stands", "blind", {"verdict": verdict(Health.BLIND)}, UNKNOWN, BLIND, "no source can be trusted"),
    (
        "breach_stands",
        "recovered by its rule",
        {"verdict": verdict(Health.HEALTHY, recovered=True)},
        BLOCK,
        RECOVERED,
        "by itself",
    ),
    ("breach_stands", "up phase of a crash loop", {"verdict": verdict(Health.HEALTHY)}, PASS, GO, "still failing"),
    (
        "breach_stands",
        "long up, but not by the rule",
        {"verdict": verdict(Health.INCONCLUSIVE), "failing_seen_s": 40.0},
        BLOCK,
        HOLD,
        "watching on",
    ),
    ("breach_stands", "by hand", {"manual": True, "verdict": None}, PASS, GO, "by hand"),
    ("store", "can be written", {}, PASS, GO, "can be stored"),
    ("store", "cannot be written", {"store_ok": False}, BLOCK, HOLD, "cannot be written"),
    ("target_known", "configured", {}, PASS, GO, "is configured"),
    ("target_known", "removed", {"target_known": False}, BLOCK, HOLD, "nothing new starts"),
    ("target_known", "removed in mid-plan", {"target_known": False, "step": 1}, PASS, GO, "is finished"),
    ("target_known", "watched only", {"policy": policy(watch_only=True)}, BLOCK, HOLD, "only watched"),
    ("mode", "enforce", {}, PASS, GO, "enforce"),
    ("mode", "observe", {"policy": policy(mode=Mode.OBSERVE)}, BLOCK, HOLD, "observe"),
    ("mode", "ask", {"policy": policy(mode=Mode.ASK)}, ASK, ASKING, "watchdog approve inc-1"),
    ("mode", "ask, by hand", {"policy": policy(mode=Mode.ASK), "manual": True}, PASS, GO, "by hand"),
    ("mode", "the workload asks", {"state": state(hints={"mode": "ask"})}, ASK, ASKING, "annotation"),
    ("mode", "the workload observes", {"state": state(hints={"mode": "Observe "})}, BLOCK, HOLD, "annotation"),
    ("mode", "a mistyped hint asks", {"state": state(hints={"mode": "enforec"})}, ASK, ASKING, "no mode"),
    (
        "mode",
        "a hint never loosens",
        {"policy": policy(mode=Mode.OBSERVE), "state": state(hints={"mode": "enforce"})},
        BLOCK,
        HOLD,
        "observe",
    ),
    ("first_start", "armed", {}, PASS, GO, "armed"),
    ("first_start", "never armed", UNARMED, BLOCK, HOLD, "watchdog arm"),
    ("first_start", "store found empty", {**UNARMED, "store_found_empty": True}, BLOCK, HOLD, "found empty"),
    ("first_start", "act, start seen", ACT_ON_FIRST_START, PASS, GO, "was seen"),
    (
        "first_start",
        "act, start not seen",
        {**ACT_ON_FIRST_START, "record": record_of(first_seen=Instant(NOW - 10))},
        BLOCK,
        HOLD,
        "not seen",
    ),
    (
        "first_start",
        "act, start not known",
        {**ACT_ON_FIRST_START, "blamed": replace(BAD, started=None)},
        BLOCK,
        HOLD,
        "not seen",
    ),
    (
        "first_start",
        "a mistyped word is careful",
        {"armed": False, "policy": policy(first_start="atc")},
        BLOCK,
        HOLD,
        "watchdog arm",
    ),
    ("pause", "none", {}, PASS, GO, "not paused"),
    (
        "pause",
        "one",
        {"pauses": PausesRead(readable=True, active=(PAUSE,))},
        BLOCK,
        HOLD,
        "by anna until 1970-01-12 14:46:40 UTC: database maintenance",
    ),
    (
        "pause",
        "one that can be ended",
        {"pauses": PausesRead(readable=True, active=(PAUSE,))},
        BLOCK,
        HOLD,
        "watchdog resume p-1",
    ),
    (
        "pause",
        "a window of the configuration and another",
        {
            "pauses": PausesRead(
                readable=True, active=(PAUSE, replace(PAUSE, applied_at=None, until=Instant(NOW + 9999)))
            )
        },
        BLOCK,
        HOLD,
        "(and 1 more); end it with `watchdog resume p-1`",
    ),
    (
        "pause",
        "ended, but what it covered is not judged anew yet",
        {"pauses": PausesRead(readable=True, just_ended=replace(PAUSE, ended_at=NOW))},
        UNKNOWN,
        HOLD,
        "judged anew first",
    ),
    (
        "pause",
        "ended, and a person orders the rollback",
        {"pauses": PausesRead(readable=True, just_ended=replace(PAUSE, ended_at=NOW)), "manual": True},
        PASS,
        GO,
        "not paused",
    ),
    (
        "pause",
        "ended in the middle of a plan",
        {"pauses": PausesRead(readable=True, just_ended=replace(PAUSE, ended_at=NOW)), "wrote": True},
        PASS,
        GO,
        "not paused",
    ),
    (
        "pause",
        "an annotation on the workload",
        {"pauses": PausesRead(readable=True, active=(replace(PAUSE, id="annotation-7", applied_at=None),))},
        BLOCK,
        HOLD,
        "take the annotation away",
    ),
    (
        "pause",
        "an annotation of an earlier generation, before its end",
        {"state": state(hints={"pause": {"until": "2030-01-01T00:00:00Z", "generation": 7, "stale": True}})},
        ASK,
        ASKING,
        "for generation 7, and the workload was changed since: set it anew",
    ),
    (
        "pause",
        "an annotation of an earlier generation, after its end",
        {"state": state(hints={"pause": {"until": "1970-01-01T00:00:01Z", "generation": 7, "stale": True}})},
        PASS,
        GO,
        "not paused",
    ),
    ("pause", "unreadable", {"pauses": PausesRead(readable=False, sentence="timeout")}, UNKNOWN, HOLD, "timeout"),
    ("shutting_down", "no", {}, PASS, GO, "not"),
    ("shutting_down", "yes", {"shutting_down": True}, BLOCK, HOLD, "no new act"),
    ("leadership", "held", {}, PASS, GO, "60 s"),
    (
        "leadership",
        "a lock without end",
        {"leadership": Leadership(held=True, remaining_s=float("inf"))},
        PASS,
        GO,
        "live",
    ),
    ("leadership", "lost", {"leadership": Leadership(held=False, sentence="w-2 has it")}, BLOCK, HOLD, "w-2 has it"),
    ("leadership", "unknown", {"leadership": Leadership(held=None, sentence="timeout")}, UNKNOWN, HOLD, "not known"),
    ("leadership", "too short", {"leadership": Leadership(held=True, remaining_s=9.0)}, BLOCK, HOLD, "9 s more"),
    ("leadership", "just too short", {"leadership": Leadership(held=True, remaining_s=10.0)}, BLOCK, HOLD, "renewal"),
    (
        "leadership",
        "no number",
        {"leadership": Leadership(held=True, remaining_s=float("nan"))},
        BLOCK,
        HOLD,
        "an unknown time",
    ),
    ("in_progress_by_others", "quiet", {}, PASS, GO, "nobody else"),
    (
        "in_progress_by_others",
        "the blamed release's own rollout",
        {"state": state(in_progress=True, complete=False, updated=1, started=Instant(NOW - 30))},
        PASS,
        GO,
        "for 30 s (1 of 3 updated): the best moment",
    ),
    (
        "in_progress_by_others",
        "another release's rollout",
        {"state": state(release=NEWER, in_progress=True, actor="ci")},
        BLOCK,
        HOLD,
        "superseded: revision 8 is live now, not revision 7, changed by ci",
    ),
    ("in_progress_by_others", "somebody went back", {"state": state(release=GOOD)}, BLOCK, HOLD, "already went back"),
    ("in_progress_by_others", "second step of ours", {"state": state(release=GOOD), "step": 1}, PASS, GO, "nobody"),
    (
        "in_progress_by_others",
        "newer in mid-plan",
        {"state": state(release=NEWER), "step": 1},
        BLOCK,
        HOLD,
        "superseded",
    ),
    ("in_progress_by_others", "deleted", {"state": state(deleting=True)}, BLOCK, HOLD, "being deleted"),
    ("in_progress_by_others", "unreadable", {"state": None, "state_error": "503"}, UNKNOWN, BLIND, "503"),
    ("in_progress_by_others", "another write", {"in_flight": ("inc-9",)}, BLOCK, HOLD, "inc-9"),
    ("in_progress_by_others", "paused workload", {"state": state(paused=True)}, ASK, ASKING, "spec.paused"),
    ("in_progress_by_others", "owner not asked", {"owner": None}, UNKNOWN, HOLD, "could not be found out"),
    (
        "in_progress_by_others",
        "owner unknown",
        {"owner": owned(Owner.UNKNOWN)},
        UNKNOWN,
        HOLD,
        "could not be found out",
    ),
    *[
        (
            "in_progress_by_others",
            f"owned by {owner}",
            {"owner": owned(owner)},
            BLOCK,
            ESCALATE,
            "Argo CD application shop",
        )
        for owner in (Owner.HELM, Owner.GITOPS, Owner.CONTROLLER)
    ],
    ("bake", "in it", {"bake_sentence": "12 of 30 watched minutes"}, PASS, GO, "12 of 30"),
    ("bake", "past it", {"in_bake": False}, BLOCK, ESCALATE, "past its bake time"),
    ("blame", "to blame", {}, PASS, GO, "old pods are fine"),
    (
        "blame",
        "not to blame",
        {"blame": BlameView(to_blame=False, sentence="postgres is down")},
        BLOCK,
        HOLD,
        "postgres",
    ),
    ("blame", "unknown", {"blame": BlameView(to_blame=None, sentence="control is blind")}, UNKNOWN, ASKING, "control"),
    ("data", "none", {"policy": policy(data=DataSafety.NONE)}, PASS, GO, "no data"),
    ("data", "compatible", {}, PASS, GO, "compatible"),
    ("data", "not said", {"policy": policy(data=DataSafety.NOT_SAID)}, ASK, ASKING, "nobody said"),
    ("data", "breaking", claiming(migration="breaking"), BLOCK, ESCALATE, "breaking"),
    ("data", "a migration nobody called compatible", claiming(migration="0042"), ASK, ASKING, "0042"),
    ("data", "a compatible migration", claiming(migration="compatible"), PASS, GO, "compatible"),
    ("data", "no-rollback", claiming(no_rollback="true"), ASK, ASKING, "no-rollback"),
    ("data", "no-rollback: false", claiming(no_rollback="false"), PASS, GO, "compatible"),
    ("data", "no-rollback on the workload", {"state": state(hints={"no_rollback": True})}, ASK, ASKING, "annotation"),
    ("data", "check, nobody looked", {"policy": DATABASE}, UNKNOWN, ASKING, "no reader"),
    (
        "data",
        "check, fine",
        {"policy": DATABASE, "hazards": (HazardView(hazard="A", present=False),)},
        PASS,
        GO,
        "can be read",
    ),
    (
        "data",
        "check, ahead",
        {"policy": DATABASE, "hazards": (HazardView(hazard="database-ahead", present=True, sentence="head 43"),)},
        BLOCK,
        ESCALATE,
        "head 43",
    ),
    (
        "data",
        "check, unreachable",
        {"policy": DATABASE, "hazards": (HazardView(hazard="A", present=None, sentence="refused"),)},
        UNKNOWN,
        ASKING,
        "refused",
    ),
    ("good_exists", "earned", {}, PASS, GO, "back to revision 6"),
    ("good_exists", "assumed", {"good": replace(GOOD, grade=Grade.ASSUMED_GOOD)}, PASS, GO, "assumed good"),
    ("good_exists", "none", {"good": None, "good_sentence": "first deploy"}, BLOCK, ESCALATE, "first deploy"),
    ("good_exists", "the blamed one", {"good": replace(BAD, grade=Grade.GOOD)}, BLOCK, ESCALATE, "itself"),
    ("good_exists", "not earned", {"good": UNGRADED}, BLOCK, ESCALATE, "watched for 90 s"),
    ("good_exists", "not earned, by hand", {"good": UNGRADED, "manual": True}, PASS, GO, "named by hand"),
    ("good_near", "near", {"steps_back": 2}, PASS, GO, "2 good releases back"),
    ("good_near", "too old", {"good_far": True}, ASK, ASKING, "7 d"),
    ("good_near", "too many back", {"steps_back": 3}, ASK, ASKING, "at most 2"),
    ("good_near", "none", {"good": None}, PASS, GO, "no release"),
    ("good_not_condemned", "clean", {}, PASS, GO, "not condemned"),
    ("good_not_condemned", "condemned", {"good": CONDEMNED}, BLOCK, ESCALATE, "crash loop on Tuesday"),
    ("good_not_condemned", "in the ledger", {"record": record_of(releases=(CONDEMNED,))}, BLOCK, ESCALATE, "Tuesday"),
    ("good_not_condemned", "not in the ledger", {"record": record_of(releases=())}, PASS, GO, "not condemned"),
    ("good_not_condemned", "none", {"good": None}, PASS, GO, "no release"),
    ("good_can_run", "can", {"preflight": (Finding(name="quota", sentence="quota is ample"),)}, PASS, GO, "ample"),
    (
        "good_can_run",
        "cannot",
        {"preflight": (Finding(name="secret", sentence="Secret db is gone", blocks=True),)},
        BLOCK,
        ESCALATE,
        "Secret db is gone",
    ),
    (
        "good_can_run",
        "may not look",
        {"preflight": (Finding(name="secret", sentence="may not read Secret db", unknown=True),)},
        UNKNOWN,
        ASKING,
        "may not read",
    ),
    ("good_can_run", "not answered", {"preflight": None}, UNKNOWN, ASKING, "could not be checked"),
    ("good_can_run", "none", {"good": None, "preflight": None}, PASS, GO, "no release"),
    ("hazards", "not configured", {}, PASS, GO, "not checked"),
    ("hazards", "absent", {"hazards": (HazardView(hazard="M", present=False),)}, PASS, GO, "none of M"),
    ("hazards", "unreachable", {"hazards": (HazardView(hazard="M", present=None),)}, UNKNOWN, ASKING, "could not be"),
    ("hazards", "certificate", {"hazards": (HazardView(hazard="m", present=True),)}, BLOCK, ESCALATE, "hazard M"),
    ("hazards", "traffic", {"hazards": (HazardView(hazard="traffic-spike", present=True),)}, BLOCK, HOLD, "hazard N"),
    ("hazards", "event types", {"hazards": (HazardView(hazard="B", present=True),)}, ASK, ASKING, "hazard B"),
    ("hazards", "never heard of", {"hazards": (HazardView(hazard="moon", present=True),)}, ASK, ASKING, "moon"),
    (
        "hazards",
        "the strongest of several speaks and all are named",
        {
            "hazards": (
                HazardView(hazard="B", present=True),
                HazardView(hazard="N", present=None),
                HazardView(hazard="M", present=True, sentence="expired yesterday"),
            )
        },
        BLOCK,
        ESCALATE,
        "expired yesterday; hazard B",
    ),
    (
        "hazards",
        "the database is the data check's",
        {"policy": DATABASE, "hazards": (HazardView(hazard="A", present=True),)},
        PASS,
        GO,
        "not checked",
    ),
    ("hazards", "unasked database", {"hazards": (HazardView(hazard="A", present=True),)}, BLOCK, ESCALATE, "hazard A"),
    ("budget", "free", {}, PASS, GO, "0 of 2"),
    ("budget", "same release", {"record": record_of(acts=(act(90_000, source="bad"),))}, BLOCK, ESCALATE, "inc-0"),
    ("budget", "written before", {"wrote": True}, BLOCK, ESCALATE, "already written"),
    ("budget", "later step", {"wrote": True, "step": 1}, PASS, GO, "0 of 2"),
    (
        "budget",
        "of the target",
        {"record": record_of(acts=(act(4000), act(3000)))},
        BLOCK,
        HOLD,
        "next one possible in 22 h",
    ),
    ("budget", "of the fleet", {"fleet_acts": (act(9), act(8), act(7))}, BLOCK, HOLD, "over all targets"),
    (
        "budget",
        "of a rollback",
        {"record": record_of(acts=(act(900, to="bad"),))},
        BLOCK,
        ESCALATE,
        "rollback of a rollback",
    ),
    ("budget", "refused", {"record": record_of(cancelled=("bad",))}, BLOCK, HOLD, "said no"),
    ("budget", "limit 0", {"policy": policy(budget=Budget(per_target=0))}, BLOCK, HOLD, "limit 0"),
    ("self_suspect", "no", {}, PASS, GO, "nothing points"),
    ("self_suspect", "yes", {"suspect": SelfSuspicion(verdict=True, sentence="6 of 10")}, BLOCK, HOLD, "6 of 10"),
    ("self_suspect", "unknown", {"suspect": SelfSuspicion(verdict=None)}, UNKNOWN, ASKING, "not known"),
    ("approval", "none", {}, PASS, GO, "no approval stands"),
    ("approval", "fits", {"approvals": (approval("mode"),)}, PASS, GO, "bea approved mode"),
    (
        "approval",
        "for another road",
        {"approvals": (approval("mode", to_release="older"),)},
        ASK,
        ASKING,
        "bad to older, but the road is now bad to good",
    ),
    (
        "approval",
        "a second one for the right road",
        {"approvals": (approval("mode", id="a-2", to_release="older"), approval("approval"))},
        PASS,
        GO,
        "bea",
    ),
    (
        "approval",
        "for another road, expired",
        {"approvals": (approval("mode", to_release="older", expires=NOW),)},
        PASS,
        GO,
        "no approval stands",
    ),
    ("countdown", "over", {}, PASS, GO, "is over"),
    ("countdown", "ends now", {"countdown_until": NOW}, PASS, GO, "is over"),
    ("countdown", "running", {"countdown_until": Instant(NOW + 7)}, BLOCK, HOLD, "in 7 s"),
    ("countdown", "not begun", {"countdown_started": False, "countdown_until": None}, BLOCK, HOLD, "10 s comes first"),
    ("countdown", "end not known", {"countdown_until": None}, UNKNOWN, HOLD, "not known"),
    (
        "countdown",
        "none configured",
        {"policy": policy(countdown_s=0), "countdown_started": False},
        PASS,
        GO,
        "no countdown",
    ),
    (
        "countdown",
        "after an approval",
        {"approvals": (approval("mode"),), "countdown_started": False},
        PASS,
        GO,
        "after the approval by bea",
    ),
    (
        "countdown",
        "after an approval of nothing",
        {"approvals": (approval(),), "countdown_started": False},
        BLOCK,
        HOLD,
        "comes first",
    ),
]


@pytest.mark.parametrize(
    ("name", "changes", "effect", "outcome", "words"),
    [pytest.param(name, changes, *rest, id=f"{name}: {case}") for name, case, changes, *rest in TABLE],
)
def test_check_answers(name: str, changes: dict[str, object], effect: Effect, outcome: Outcome, words: str) -> None:
    answer = run(name, passing(**changes))
    assert (answer.name, answer.effect, answer.outcome) == (name, effect, outcome)
    assert words in answer.sentence


def test_every_check_has_a_passing_and_an_objecting_row() -> None:
    effects: dict[str, set[bool]] = {}
    for name, _, _, effect, _, _ in TABLE:
        effects.setdefault(name, set()).add(effect is PASS)
    assert effects == {name: {True, False} for name, _ in CHECKS}


def test_every_sentence_is_one_finished_line() -> None:
    for name, case, changes, *_ in TABLE:
        sentence = run(name, passing(**changes)).sentence
        assert sentence and "\n" not in sentence and "None" not in sentence, (name, case)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("leadership", passing(leadership=Leadership(held=False))),
        ("leadership", passing(leadership=Leadership(held=None))),
        ("leadership", passing(leadership=Leadership(held=True, remaining_s=1.0))),
        ("in_progress_by_others", passing(in_flight=("inc-9",))),
        ("in_progress_by_others", passing(state=state(release=NEWER))),
        ("in_progress_by_others", passing(state=None)),
        ("in_progress_by_others", passing(owner=owned(Owner.GITOPS))),
        ("target_known", passing(target_known=False)),
        ("store", passing(store_ok=False)),
        ("pause", passing(pauses=PausesRead(readable=False))),
        ("shutting_down", passing(shutting_down=True)),
        ("good_exists", passing(good=None)),
    ],
)
def test_what_no_person_may_override(name: str, facts: GateFacts) -> None:
    answer: Check = run(name, facts)
    assert answer.effect is not PASS
    assert not answer.overridable


def test_a_breaking_migration_between_the_good_and_the_blamed_release_counts_as_well() -> None:
    between = replace(
        BAD, fingerprint="mid", revision="6b", started=Instant(NOW - 600), claims={"migration": "breaking"}
    )
    answer = run("data", passing(record=record_of(releases=(BAD, between, GOOD)), steps_back=2))
    assert (answer.effect, answer.outcome, answer.hazard) == (BLOCK, ESCALATE, "A")
    assert "6b" in answer.sentence


def test_a_breaking_migration_before_the_good_release_or_after_the_blamed_one_does_not_count() -> None:
    older = replace(BAD, fingerprint="old", started=Instant(NOW - 90_000), claims={"migration": "breaking"})
    later = replace(BAD, fingerprint="new", started=Instant(NOW - 1), claims={"migration": "breaking"})
    unknown_start = replace(BAD, fingerprint="odd", started=None, claims={"migration": "breaking"})
    answer = run("data", passing(record=record_of(releases=(later, BAD, GOOD, older, unknown_start))))
    assert answer.effect is PASS


def test_the_good_release_may_itself_have_migrated() -> None:
    assert run("data", passing(good=replace(GOOD, claims={"migration": "breaking"}))).effect is PASS


@pytest.mark.parametrize(
    ("name", "changes", "letter"),
    [
        ("breach_stands", {"verdict": replace(FAILING, health=Health.BLIND)}, "S"),
        ("in_progress_by_others", {"owner": owned(Owner.GITOPS)}, "F"),
        ("in_progress_by_others", {"in_flight": ("inc-9",)}, "G"),
        ("in_progress_by_others", {"state": state(release=NEWER)}, "V"),
        ("bake", {"in_bake": False}, "U"),
        ("blame", {"blame": BlameView(to_blame=False)}, "C"),
        ("blame", {"blame": BlameView(to_blame=False, hazard="O")}, "O"),
        ("data", {"policy": policy(data=DataSafety.NOT_SAID)}, "A"),
        ("data", claiming(no_rollback="true"), "W"),
        ("good_exists", {"good": None}, "J"),
        ("good_not_condemned", {"good": CONDEMNED}, "I"),
        ("budget", {"wrote": True}, "H"),
    ],
)
def test_hazards_are_named_by_their_letter(name: str, changes: dict[str, object], letter: str) -> None:
    assert run(name, passing(**changes)).hazard == letter

"""An incident in all its parts, for the tests of this folder."""

from __future__ import annotations

from dataclasses import replace

from watchdog.model import (
    Check,
    CloseReason,
    Counts,
    Decision,
    Effect,
    Entry,
    Evidence,
    EvidenceFile,
    Grade,
    Incident,
    Instant,
    Intent,
    Mode,
    Notice,
    Outcome,
    Plan,
    Release,
    Sample,
    Stage,
    Step,
    UnitRef,
    Unknown,
)

NOON = Instant(1_767_268_800.0)
CANARY = "Zx9canary77QqSecret"


def at(seconds: float) -> Instant:
    return Instant(NOON + seconds)


def template(image: str, **env: str) -> dict:
    entries = [{"name": name, "value": value} for name, value in env.items()]
    return {
        "metadata": {"labels": {"app": "books", "pod-template-hash": image[-1] * 8}},
        "spec": {"containers": [{"name": "api", "image": image, "env": entries}]},
    }


UNIT = UnitRef(target="books-api", platform="kubernetes", uid="u-1", name="bookstore/deployment/books-api")
GOOD = Release(
    fingerprint="f1", revision="1", images={"api": "books:1"}, template=template("books:1", DB_PASSWORD="old" + CANARY),
    grade=Grade.GOOD,
)  # fmt: skip
BAD = Release(
    fingerprint="f2", revision="2", images={"api": "books:2"}, change_cause=f"deploy --token {CANARY}", started=at(-60),
    completed=at(-30), template=template("books:2", DB_PASSWORD=CANARY, FEATURE="on"),
)  # fmt: skip
STEP = Step(
    name="put back", unit=UNIT, words="put revision 1 back", precondition="the Deployment still runs revision 2",
    request={"method": "PATCH", "body": {"spec": {"template": GOOD.template}}},
)  # fmt: skip
PLAN = Plan(
    unit=UNIT, from_release="f2", to_release="f1", steps=(STEP,), words="revision 2 to 1", warnings=("HPA is there",)
)
DECISION = Decision(
    at=at(25), target="books-api", outcome=Outcome.ROLL_BACK, would=Outcome.ROLL_BACK, sentence="every check passes",
    from_release="f2", to_release="f1",
    checks=(
        Check(name="mode", effect=Effect.PASS, sentence="enforce"),
        Check(name="pause", effect=Effect.PASS, sentence="no pause | none"),
    ),
)  # fmt: skip
INTENT = Intent(
    id="i-1", incident="books-api-12ab", step=STEP, from_release="f2", to_release="f1", stored_at=at(26),
    outcome="issued", sentence=f"accepted with password={CANARY}", settled_at=at(26.5),
)  # fmt: skip


def suspected(**changes) -> Incident:
    """What the response captures for before anything fired."""
    incident = Incident(
        id="books-api-12ab", units=(UNIT,), target="books-api", group="bookstore", blamed=BAD, stage=Stage.SUSPECTED,
        mode=Mode.ENFORCE, opened_at=at(8), updated_at=at(8), first_bad=at(5), headline="errors: 30 % above 5 %",
    )  # fmt: skip
    return replace(incident, **changes)


def recovered(**changes) -> Incident:
    """A rollback that helped, with everything that a record can hold."""
    incident = suspected(
        stage=Stage.CLOSED,
        breach_at=at(15),
        good=GOOD,
        plan=PLAN,
        step=1,
        decision=DECISION,
        issued_at=at(26.5),
        confirmed_at=at(40),
        verify_from=at(40),
        closed_at=at(100),
        reason=CloseReason.RECOVERED,
        intents=(INTENT,),
        evidence=Evidence(
            started=at(9),
            finished=at(12),
            files=(EvidenceFile(path="x/logs/api.log", size=12, sha256="ab" * 32, taken_at=at(10), note="cut"),),
            missing=("events: not permitted",),
        ),
        entries=(
            Entry(at=at(5), kind="first_bad", sentence="first bad sample"),
            Entry(at=at(15), kind="breach", sentence="errors: 30 % above 5 %"),
            Entry(at=at(15.5), kind="countdown", sentence="rolls back in 10 s"),
            Entry(at=at(26.5), kind="issued", sentence=f"curl -u ada:{CANARY}"),
            Entry(at=at(100), kind="closed_recovered", sentence="all signals healthy for 60 s"),
        ),
        notices=(
            Notice(
                key="a",
                kind="opened",
                headline="books-api fails",
                body="",
                severity="page",
                owed_at=at(15),
                sent_at=at(16),
            ),
            Notice(
                key="b",
                kind="x",
                headline="other",
                body="",
                severity="info",
                owed_at=at(15),
                dead=True,
                last_error="404",
            ),
            Notice(key="c", kind="x", headline="third", body="", severity="info", owed_at=at(15)),
        ),
    )
    return replace(incident, **changes)


def samples() -> tuple[Sample, ...]:
    """Ten minutes of one probe and one counter; bad from 5 s on until the write."""
    kept = []
    for second in range(-300, 300, 5):
        bad = 5 <= second < 30
        kept.append(_sample("errors", second, Counts(good=7 if bad else 10, bad=3 if bad else 0)))
        kept.append(_sample("health", second, Unknown(reason="timeout") if second == 10 else Counts(good=1, bad=0)))
    return tuple(kept)


def _sample(signal: str, second: float, reading) -> Sample:
    detail = f"GET /health?sig={CANARY}: 500"
    return Sample(signal=signal, start=at(second), end=at(second + 5), reading=reading, detail=detail)

"""The report: the whole course on one page, for machines and for people, without secrets and never lost."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from tests.incidents.worlds import BAD, CANARY, DECISION, GOOD, INTENT, PLAN, at, recovered, samples, suspected
from watchdog.incidents import IncidentRecorder, headline, report_json, report_markdown, spans, timeline, write_report
from watchdog.incidents.report import FOR_PEOPLE
from watchdog.model import Approval, CloseReason, Counts, Entry, Mode, Override, Sample, Stage
from watchdog.ports import Unavailable
from watchdog.redaction import Redactor
from watchdog.testing.clock import WorldClock
from watchdog.testing.files import MemoryFiles


def document(incident, **settings):
    return report_json(
        incident, redactor=Redactor(), written_at=at(101), samples=samples(), version="1.2.3", **settings
    )


def page(incident, kept=None):
    return report_markdown(incident, samples() if kept is None else kept, redactor=Redactor(), written_at=at(101))


# -- JSON ------------------------------------------------------------------------------------------------------------


def test_the_report_is_versioned_json_and_names_the_incident():
    report = json.loads(json.dumps(document(recovered())))
    assert report["schema"] == 1
    assert report["kind"] == "IncidentReport"
    assert report["watchdog"] == "1.2.3"
    assert (report["id"], report["target"], report["group"]) == ("books-api-12ab", "books-api", "bookstore")
    assert report["headline"] == (
        "Rolled back books-api from revision 2 (books:2) to revision 1 (books:1), and it recovered"
    )
    assert report["state"]["reason"] == "recovered"
    assert report["written_at"] == "2026-01-01T12:01:41.000000Z"


def test_the_report_of_a_drill_says_that_it_was_one_and_asks_for_nothing():
    drill = replace(recovered(), target="DRILL of books-api", reason=CloseReason.WOULD_HAVE)
    report = document(drill)
    assert report["headline"] == "DRILL of books-api: nothing was wrong, and nothing was written"
    assert [step.startswith("Nothing: this was a drill") for step in report["next_steps"]] == [True]
    assert page(drill).startswith("# DRILL of books-api")


def test_what_was_felt_counts_only_the_time_of_the_incident_and_leaves_unknown_out():
    impact = {row["signal"]: row for row in document(recovered())["impact"]}
    errors, health = impact["errors"], impact["health"]
    assert (errors["bad"], errors["events"]) == (15, 15 + 35 + 10 * 16)  # 5 bad polls, 16 good ones around them
    assert errors["sentence"] == "errors: 15 of 210 failed (7.1 %) within 25 s"
    assert (health["bad"], health["unknown"]) == (0, 1)
    assert "samples unknown: 1" in health["sentence"]
    assert (errors["first"], errors["last"]) == ("2026-01-01T12:00:05.000000Z", "2026-01-01T12:00:30.000000Z")


def test_without_samples_of_that_time_nothing_is_claimed():
    old = [Sample(signal="errors", start=at(-900), end=at(-895), reading=Counts(good=0, bad=9))]
    assert report_json(recovered(), redactor=Redactor(), written_at=at(101), samples=old)["impact"] == []
    assert "Not known: no samples of that time were kept." in page(recovered(), old)


def test_durations_run_between_the_anchors():
    measured = {span.name: span.seconds for span in spans(recovered())}
    assert measured == {
        "notice": 10.0, "evidence": 3.0, "decide": 11.0, "write": 0.5, "roll_out": 13.5, "verify": 60.0, "restore": 95.0
    }  # fmt: skip


def test_a_duration_with_a_missing_end_or_the_wrong_order_is_left_out():
    assert [span.name for span in spans(recovered(confirmed_at=None, evidence=None))] == [
        "notice",
        "decide",
        "write",
        "restore",
    ]
    assert "notice" not in [span.name for span in spans(recovered(breach_at=at(-5)))]
    assert spans(suspected()) == ()


def test_the_timeline_is_in_order_and_holds_every_anchor_and_every_line_of_the_journal():
    rows = timeline(recovered())
    assert [row.at for row in rows] == sorted(row.at for row in rows)
    assert [row.anchor for row in rows if row.anchor] == [
        "release_started", "release_completed", "first_bad", "evidence_started", "evidence_captured", "breach", "countdown",
        "decision", "intent", "issued", "confirmed", "verified", "closed",
    ]  # fmt: skip
    sentences = [row.sentence for row in rows]
    assert [entry.sentence for entry in recovered().entries if entry.sentence not in sentences] == []
    assert len(rows) == 13, "what the journal tells of an anchor is not told twice"


def test_a_line_of_the_journal_that_is_no_anchor_keeps_its_kind_and_its_actor():
    said = Entry(at=at(50), kind="approved", sentence="ada approved (data)", actor="ada")
    again = Entry(at=at(60), kind="breach", sentence="breach again")
    rows = timeline(recovered(entries=(said, again)))
    assert [(row.sentence, row.source) for row in rows if not row.anchor] == [
        ("approved: ada approved (data)", "ada"), ("breach: breach again", "watchdog"),
    ]  # fmt: skip
    assert [row.at for row in rows if row.anchor == "breach"] == [at(15)]


def test_what_never_happened_is_no_anchor():
    rows = timeline(recovered(reason=CloseReason.NOT_RECOVERED))
    assert "verified" not in [row.anchor for row in rows]
    assert [row.anchor for row in timeline(suspected()) if row.anchor] == [
        "release_started",
        "release_completed",
        "first_bad",
    ]


def test_every_check_of_the_decision_is_there_with_its_sentence():
    checks = document(recovered())["decision"]["checks"]
    assert [(check["name"], check["effect"], check["sentence"]) for check in checks] == [
        ("mode", "pass", "enforce"), ("pause", "pass", "no pause | none"),
    ]  # fmt: skip


def test_the_exact_request_is_there_without_its_secrets():
    (intent,) = document(recovered())["action"]["intents"]
    assert intent["request"]["method"] == "PATCH"
    container = intent["request"]["body"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "books:1"
    assert container["env"] == [{"name": "DB_PASSWORD", "value": "«redacted-secret_name»"}]
    assert (intent["outcome"], intent["attempt"], intent["step"]) == ("issued", 1, "put back")


def test_the_change_names_what_differs_and_not_what_the_secrets_are():
    change = document(recovered())["change"]
    assert change["from"]["label"] == "revision 2 (books:2)"
    assert change["from"]["images"] == [{"container": "api", "image": "books:2"}]
    assert "template" not in change["from"]
    places = {row["path"]: row["change"] for row in change["differences"]["differences"]}
    assert places == {
        "/spec/containers/api/image": "changed",
        "/spec/containers/api/env/DB_PASSWORD/value": "changed",
        "/spec/containers/api/env/FEATURE": "added",
    }


def test_a_container_whose_name_looks_like_a_secret_keeps_its_image():
    report = document(recovered(blamed=replace(BAD, images={"keycloak": "keycloak:26"})))
    assert report["change"]["from"]["images"] == [{"container": "keycloak", "image": "keycloak:26"}]


def test_what_only_people_know_is_there_and_empty():
    report = document(recovered())
    assert set(report["for_people"]) == set(FOR_PEOPLE)
    assert set(report["for_people"].values()) == {""}
    assert "root cause" not in json.dumps(report).lower()


def test_evidence_is_listed_with_digests_and_what_is_missing():
    evidence = document(recovered())["evidence"]
    assert evidence["files"][0]["sha256"] == "ab" * 32
    assert evidence["missing"] == ["events: not permitted"]
    assert document(suspected())["evidence"]["missing"] == ["everything: nothing was captured"]


@pytest.mark.parametrize("reason", [*CloseReason, None])
def test_every_end_has_its_headline_its_severity_and_next_steps(reason):
    incident = recovered(
        reason=reason, stage=Stage.CLOSED if reason else Stage.VERIFYING, needs_human=reason is CloseReason.UNKNOWN
    )
    assert "books-api" in headline(incident)
    report = document(incident)
    assert report["severity"] == ("page" if incident.needs_human else "notice")
    assert len(report["next_steps"]) >= 2
    assert headline(incident) in re.sub(r"\\(.)", r"\1", page(incident))


def test_headlines_never_say_rolled_back_when_nothing_was_written():
    for reason in (CloseReason.WOULD_HAVE, CloseReason.EXPIRED, CloseReason.RECOVERED_UNAIDED, CloseReason.CANCELLED):
        assert "Rolled back" not in headline(recovered(reason=reason, intents=()))
    assert document(recovered(reason=CloseReason.WOULD_HAVE, intents=()))["severity"] == "none"


# -- Markdown --------------------------------------------------------------------------------------------------------


def test_the_page_begins_with_what_happened_and_what_to_do():
    lines = page(recovered()).splitlines()
    assert lines[0] == "# Rolled back books-api from revision 2 (books:2) to revision 1 (books:1), and it recovered"
    assert lines.index("**Next steps**") < 12
    headings = [line for line in lines if line.startswith("## ")]
    assert headings == [
        "## What users and probes felt", "## How long it took", "## Timeline (UTC; seconds since the first bad sample)",
        "## Decision", "## Action", "## Verification", "## What the suspected release changed", "## Evidence", "## Who was told",
        "## For people to fill in",
    ]  # fmt: skip


def test_the_page_holds_numbers_checks_request_evidence_and_notices():
    text = page(recovered())
    for words in (
        "15 of 210 failed (7.1 %)", "- 95.0 s to restore", "| mode | pass | enforce |", r"no pause \| none", "Only if the Deployment",
        '"image": "books:1"', "ab" * 32, "- events: not permitted", "sent 2026-01-01T12:00:16", "NOT sent: 404", "(owed)",
        "- changed /spec/containers/api/image: books:1 → books:2", "Result recovered: all signals healthy for 60 s", "HPA is there",
        "+20.0 | **decision** last decision", "+10.0 | **breach** errors: 30 % above 5 % | watchdog", "### Contributing factors",
    ):  # fmt: skip
        assert words in text, words


def test_a_suspicion_has_a_page_too():
    text = page(suspected())
    for words in ("The gate was never asked.", "No plan was made.", "Not reached.", "no known good release", "Nobody."):
        assert words in text


def test_a_would_have_record_says_what_would_have_been():
    decision = replace(DECISION, outcome=DECISION.outcome.HOLD)
    text = page(
        recovered(mode=Mode.OBSERVE, simulated=True, intents=(), reason=CloseReason.WOULD_HAVE, decision=decision)
    )
    assert "- Simulated: nothing was written" in text
    assert r"Without mode and pause it would have been: roll_back." in text
    assert "### 1. put revision 1 back: not written" in text


def test_approvals_and_overrides_stand_with_their_person():
    incident = recovered(
        approvals=(
            Approval(
                id="1", who="ada", at=at(20), from_release="f2", to_release="f1", checks=("data",), expires=at(90)
            ),
        ),
        overrides=(Override(id="2", who="bob", why="I saw it", checks=("bake",), at=at(20)),),
    )
    assert "- Approved by ada" in page(incident)
    assert "- Overridden by bob: bake, because I saw it" in page(incident)


def test_a_command_is_shown_as_it_is_typed():
    step = replace(PLAN.steps[0], request={"argv": ["./deploy", "rollback", "2", "1", "--token", CANARY]})
    text = page(recovered(intents=(replace(INTENT, step=step),)))
    assert "\n./deploy rollback 2 1 --token «redacted-secret_name»\n" in text


@pytest.mark.parametrize(
    "evil", ["a | b", "<script>alert(1)</script>", "line\nbreak", "`x`", "[x](http://y)", "# big", "**b**"]
)
def test_text_from_outside_cannot_become_markup_or_a_row(evil):
    checks = (replace(DECISION.checks[0], sentence=evil, name=evil),)
    incident = recovered(
        blamed=replace(BAD, images={"api": evil}), headline=evil, decision=replace(DECISION, checks=checks, sentence=evil)
    )  # fmt: skip
    text = page(incident)
    assert len([line for line in text.splitlines() if line.startswith("# ")]) == 1
    for mark in ("<script", "[x](", "**b**", "`x`"):
        assert mark not in text
    (row,) = [line for line in text.splitlines() if line.endswith(" |") and "| pass |" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 4


def test_a_request_with_fences_stays_inside_its_block():
    step = replace(PLAN.steps[0], request={"x": "```\n# out"})
    text = page(recovered(intents=(replace(INTENT, step=step),)))
    assert "\n````\n" in text
    assert "\n# out" not in text


def test_a_very_large_request_is_cut_on_the_page_and_whole_in_json():
    step = replace(PLAN.steps[0], request={"x": "y" * 20_000})
    incident = recovered(intents=(replace(INTENT, step=step),))
    assert "cut, see report.json" in page(incident)
    assert document(incident)["action"]["intents"][0]["request"]["x"] == "y" * 20_000


def test_no_secret_stands_in_either_form():
    incident = recovered(good=GOOD, past_intents=(INTENT,))
    assert CANARY not in json.dumps(document(incident))
    assert CANARY not in page(incident)
    assert "«redacted-" in page(incident)


# -- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_both_forms_are_written_beside_the_evidence():
    files = MemoryFiles(WorldClock())
    written = await write_report(recovered(), files=files, clock=WorldClock(), redactor=Redactor(), samples=samples())
    names = [file.path for file in written.files]
    assert names == [
        *(f"books-api-12ab/report.{form}" for form in ("json", "md", "html")),
        "books-api-12ab/manifest.json",
    ]
    assert json.loads(files.contents["books-api-12ab/report.json"])["id"] == "books-api-12ab"
    assert files.contents["books-api-12ab/report.md"].startswith(b"# Rolled back")
    assert (written.text, written.why) == ("", "")


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize("fault", ["read_only", "hang"])
async def test_losing_the_place_for_files_degrades_to_printing_the_report(fault):
    clock = WorldClock()
    files = MemoryFiles(clock)
    setattr(files, fault, True)
    printed: list[str] = []
    recorder = IncidentRecorder(files, Redactor(), clock, printed.append, version="1.2.3")
    begun = clock.monotonic()
    await recorder.report(recovered(), samples())
    assert clock.monotonic() - begun <= 10
    (text,) = printed
    assert "could not be written" in text
    assert "# Rolled back books-api" in text
    assert "## For people to fill in" in text
    assert CANARY not in text
    files.hang = False


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_the_reason_for_printing_holds_no_secret_either():
    class Leaky(MemoryFiles):
        async def write(self, path, content):
            raise Unavailable(f"https://u:{CANARY}@store refused")

    written = await write_report(recovered(), files=Leaky(WorldClock()), clock=WorldClock(), redactor=Redactor())
    assert CANARY not in written.why
    assert "refused" in written.why


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_the_recorder_captures_reports_and_tells_where_it_lies():
    clock = WorldClock()
    files = MemoryFiles(clock)
    printed: list[str] = []
    recorder = IncidentRecorder(files, Redactor(), clock, printed.append)
    evidence = await recorder.capture(recovered(evidence=None), [], samples(), 15.0)
    await recorder.report(recovered(evidence=evidence), samples())
    assert {"books-api-12ab/samples.jsonl", "books-api-12ab/report.md"} <= set(files.contents)
    assert b"samples.jsonl" in files.contents["books-api-12ab/report.md"]
    assert recorder.location(recovered()) == "memory:books-api-12ab/report.html"
    assert printed == []

"""The HTML report: everything of report.json, nothing from anywhere else, and graphs whose numbers are those of the samples."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.incidents.worlds import BAD, CANARY, GOOD, at, recovered, samples, suspected
from watchdog.incidents import report_json
from watchdog.incidents.graphs import svg
from watchdog.incidents.html import render_html
from watchdog.incidents.series import as_documents, graphs_of, marks_of
from watchdog.model import CloseReason, Counts, Sample, Unknown, Value
from watchdog.redaction import Redactor

EVIL = "<script>alert(1)</script> & \"quotes\" 'single' {{ 7 * 7 }} \x00\x1b[2J"
VOID = {"meta", "br", "hr", "img", "input", "link"}


def page(incident, kept=None):
    report = report_json(
        incident, redactor=Redactor(), written_at=at(101), samples=samples() if kept is None else kept, version="1"
    )
    return render_html(report)


class Checked(HTMLParser):
    """Every element is closed, and nothing loads or runs anything."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        assert tag not in {"script", "img", "iframe", "object", "link", "base", "form"}, tag
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name not in {"src", "href", "srcset", "action"}, (name, value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def checked(text):
    parser = Checked()
    parser.feed(text)
    assert parser.open == []
    return " ".join(" ".join(parser.text).split())


@pytest.mark.parametrize(
    "incident",
    [recovered(), suspected(), recovered(reason=CloseReason.NOT_RECOVERED, needs_human=True), recovered(evidence=None, decision=None, plan=None, intents=())],
    ids=["recovered", "open", "not recovered", "bare"],
)  # fmt: skip
def test_it_is_one_file_that_loads_and_runs_nothing(incident):
    text = page(incident)
    checked(text)
    assert "default-src 'none'" in text
    assert "http://" not in text.replace("http://www.w3.org", "")


def test_what_happened_and_what_to_do_come_before_everything_else():
    text = checked(page(recovered()))
    places = [
        text.index(words)
        for words in ("Rolled back books-api", "What to do now", "What users and probes felt", "Timeline")
    ]
    assert places == sorted(places)
    assert "From the first bad sample to healthy again: 95.0 s" in text


def test_a_person_who_is_needed_is_told_first_and_in_red():
    text = page(recovered(reason=CloseReason.NOT_RECOVERED, needs_human=True))
    assert 'class="verdict bad"' in text
    assert "Look at books-api now" in checked(text)


def test_everything_that_the_json_says_to_people_stands_in_the_page():
    report = report_json(recovered(), redactor=Redactor(), written_at=at(101), samples=samples(), version="1")
    text = checked(render_html(report))
    said = [
        *report["next_steps"],
        *(row["sentence"] for row in report["impact"]),
        *(row["sentence"] for row in report["timeline"]),
        *(row["words"] for row in report["durations"]),
        *(check["sentence"] for check in report["decision"]["checks"]),
        *(intent["words"] for intent in report["action"]["intents"]),
        *(file["path"] for file in report["evidence"]["files"]),
        *report["evidence"]["missing"],
    ]
    assert [line for line in said if " ".join(str(line).split()) not in text] == []


def test_foreign_text_is_text_everywhere():
    incident = recovered(
        headline=EVIL,
        target=EVIL,
        blamed=replace(BAD, images={"api": EVIL}, revision=EVIL),
        entries=tuple(replace(entry, sentence=EVIL) for entry in recovered().entries),
    )
    kept = [replace(one, signal=EVIL) for one in samples()]
    text = page(incident, kept)
    checked(text)
    assert "<script" not in text
    assert "{{ 7 * 7 }}" in text.replace("&#39;", "'")


def test_no_secret_that_the_redactor_knows_stands_in_the_page():
    assert CANARY not in page(recovered(headline=f"password={CANARY}"))


# -- graphs ----------------------------------------------------------------------------------------------------------


def sums(kept, signal, start, end):
    mine = [one for one in kept if one.signal == signal and start < one.end <= end and isinstance(one.reading, Counts)]
    return sum(one.reading.events for one in mine), sum(one.reading.bad for one in mine)


def test_the_sums_of_a_graph_are_those_of_the_raw_samples():
    kept = samples()
    found = graphs_of(recovered(), kept)
    assert {graph.signal for graph in found} >= {"errors", "health"}
    for graph in found:
        points = [point for line in graph.lines for point in line.points]
        drawn = sum(p.events for p in points), sum(p.bad for p in points)
        assert drawn == sums(kept, graph.signal, graph.start, graph.end)


@given(
    st.lists(st.tuples(st.floats(-300, 400), st.integers(0, 50), st.integers(0, 50), st.sampled_from(["bad", "good", None])), min_size=1, max_size=80)
)  # fmt: skip
def test_no_event_is_lost_or_invented_whatever_the_samples(rows):
    names = {"bad": BAD.fingerprint, "good": GOOD.fingerprint, None: None}
    kept = [
        Sample(
            signal="errors", start=at(end - 5), end=at(end), reading=Counts(good=good, bad=bad), release=names[whose]
        )
        for end, good, bad, whose in rows
    ]
    for graph in graphs_of(recovered(), kept):
        points = [point for line in graph.lines for point in line.points]
        assert (sum(p.events for p in points), sum(p.bad for p in points)) == sums(
            kept, "errors", graph.start, graph.end
        )
        assert all(p.value is None for p in points if not p.events)
        ET.fromstring(svg(as_documents([graph])[0], marks_of(recovered())))


def test_a_bin_without_events_is_a_gap_in_the_line_and_unknown_is_hatched():
    def sample(end, reading):
        return Sample(signal="errors", start=at(end - 5), end=at(end), reading=reading)

    kept = [sample(t, Counts(good=9, bad=1)) for t in (0, 5, 10)]
    kept += [sample(t, Unknown(reason="down")) for t in (15, 20, 25)]
    kept += [sample(t, Counts(good=9, bad=1)) for t in (30, 35, 40)]
    (graph,) = as_documents(graphs_of(recovered(closed_at=at(60)), kept))
    drawing = svg(graph, [])
    assert len(re.findall("<polyline", drawing)) == 2
    assert len(re.findall('<rect class="unknown"', drawing)) == 1
    assert ">50 %<" not in drawing and ">10 %<" in drawing


def test_values_have_their_own_axis():
    kept = [
        Sample(signal="queue", start=at(t - 5), end=at(t), reading=Value(value=40.0 + t, unit="s"))
        for t in range(0, 60, 5)
    ]
    (graph,) = as_documents(graphs_of(recovered(), kept))
    assert graph["unit"] == "s"
    assert ">95 s<" in svg(graph, [])


def test_old_and_new_release_are_lines_of_their_own():
    kept = [
        Sample(signal="errors", start=at(t - 5), end=at(t), reading=Counts(good=5, bad=bad), release=release)
        for t in range(0, 60, 5)
        for release, bad in ((BAD.fingerprint, 5), (GOOD.fingerprint, 0))
    ]
    (graph,) = graphs_of(recovered(), kept)
    assert {line.role: max(p.value or 0 for p in line.points) for line in graph.lines} == {"bad": 0.5, "good": 0.0}

"""``replay``: what the watchdog would have done, judged by the daemon's own code over what was recorded.

Role: reads; asks sources that remember; changes nothing. Neighbours: `judgement.replaying` judges, `cli.recordings` reads.
Guarantees: the rules are those that the configuration gives the daemon, knob by knob; signals that were not recorded are left
out and named; other configurations are judged on the very same samples, side by side.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchdog.cli.client import place
from watchdog.cli.exits import Exit, Failed
from watchdog.cli.options import asks_daemon, configured, daemon, shows
from watchdog.cli.output import indented, show
from watchdog.cli.recorded import HOUR_S, loaded_from, moment_of, of_the_past, samples_of, target_of
from watchdog.cli.terminal import Terminal, current
from watchdog.cli.text import plain
from watchdog.cli.times import shown, spell

if TYPE_CHECKING:
    from watchdog.judgement.replaying import Replayed, Rollout
    from watchdog.model import Sample
    from watchdog.settings import Loaded
    from watchdog.settings.access import ConfiguredTarget


@dataclass(frozen=True)
class Recorded:
    """What is judged."""

    samples: Sequence[Sample]
    rollouts: Sequence[Rollout]


@dataclass(frozen=True)
class Judged:
    """One configuration's judgement of all rollouts."""

    file: str
    found: Sequence[Replayed]
    left_out: Sequence[str]


@click.command()
@click.argument("target")
@of_the_past
@click.option(
    "--released",
    multiple=True,
    metavar="[NAME=]TIME",
    help="When a release began; may be repeated. Default: the column `release`, or what the daemon remembers.",
)
@click.option(
    "--bad", multiple=True, metavar="NAME", help="A release that was bad; may be repeated. The others were good."
)
@click.option(
    "--against",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Another configuration to judge the same samples with; may be repeated.",
)
@click.option(
    "--svg",
    "drawn",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw it into this file as well.",
)
@configured
@shows()
@asks_daemon
def replay(
    *,
    target: str,
    file: Path | None,
    begin: str | None,
    end: str | None,
    released: tuple[str, ...],
    bad: tuple[str, ...],
    against: tuple[Path, ...],
    drawn: Path | None,
    path: Path,
    form: str,
) -> int:
    """What would have been blamed, when and why, over what was recorded.

    The judgement alone, without the gate. Nothing is changed: try thresholds here before they may act.
    """
    terminal = current()
    files = [path, *against]
    loaded = [loaded_from(one, terminal.environ) for one in files]
    targets = [target_of(one, target, name) for one, name in zip(loaded, files, strict=True)]
    span = moment_of(begin, "--from"), moment_of(end, "--to")
    recorded = _recorded(targets[0], loaded[0], file, span, [_release(text) for text in released])
    unknown = sorted(set(bad) - {rollout.release for rollout in recorded.rollouts})
    if unknown:
        names = ", ".join(rollout.release for rollout in recorded.rollouts)
        raise click.BadParameter(f"{unknown[0]} is none of {names}", param_hint="--bad")
    judged = [_judged(one, str(name), recorded) for one, name in zip(targets, files, strict=True)]
    answer = _answer(target, recorded, judged, bad)
    if drawn is not None:
        _draw(drawn, recorded, judged)
    show(terminal, answer, form, lambda: _text(terminal, answer))
    return Exit.OK


# -- what is judged --------------------------------------------------------------------------------------------------


def _release(text: str) -> Rollout:
    from watchdog.judgement.replaying import Rollout  # noqa: PLC0415 - with the judgement
    from watchdog.model import instant  # noqa: PLC0415 - as above

    name, sign, moment = text.rpartition("=")
    began = moment_of(moment, "--released")
    return Rollout(release=name if sign else moment, began=instant(began or 0.0))


def _recorded(
    target: ConfiguredTarget,
    loaded: Loaded,
    file: Path | None,
    span: tuple[float | None, float | None],
    released: Sequence[Rollout],
) -> Recorded:
    from watchdog.cli.recordings import rollouts_of  # noqa: PLC0415 - with the judgement

    samples = samples_of(target, loaded, file, span)
    first, last = span[0] or float("-inf"), span[1] or float("inf")
    rollouts = list(released) or rollouts_of(samples) or ([] if file is not None else _remembered(target.name))
    samples = [one for one in samples if first - HOUR_S <= one.end <= last]
    rollouts = [one for one in rollouts if first <= one.began <= last]
    if not samples:
        raise Failed("there is nothing recorded in that time", Exit.REFUSED)
    if not rollouts:
        message = "no release began in that time: nothing to judge"
        raise Failed(f"{message}; say when: --released NAME=TIME, or the column `release`", Exit.REFUSED)
    if released:  # the samples may name releases otherwise, or none
        samples = [replace(one, release=None) for one in samples]
    return Recorded(samples, rollouts)


def _remembered(target: str) -> list[Rollout]:
    """The rollouts that the daemon's ledger knows; none where no daemon answers."""
    from watchdog.judgement.replaying import Rollout  # noqa: PLC0415 - with the judgement
    from watchdog.model import parse_instant  # noqa: PLC0415 - as above

    try:
        releases = daemon().get(place("targets", target) + "/history").get("releases", ())
    except Failed:
        return []
    return [
        Rollout(release=str(entry.get("label") or entry["fingerprint"]), began=parse_instant(entry["started"]))
        for entry in releases
        if entry.get("started")
    ]


# -- judging ---------------------------------------------------------------------------------------------------------


def _judged(target: ConfiguredTarget, file: str, recorded: Recorded) -> Judged:
    from watchdog.cli.judging import rules_of  # noqa: PLC0415 - with the judgement
    from watchdog.judgement.replaying import Recording, Rhythm  # noqa: PLC0415 - as above
    from watchdog.judgement.replaying import replay as judge_all  # noqa: PLC0415 - as above

    there = {sample.signal for sample in recorded.samples}
    signals = tuple(entry for entry in target.signals if entry.name in there)
    if not signals:
        names = ", ".join(entry.name for entry in target.signals)
        raise Failed(f"{file}: of {target.name} nothing is recorded that it judges by ({names})", Exit.REFUSED)
    samples = [sample for sample in recorded.samples if sample.signal in {entry.name for entry in signals}]
    found = []
    progress = current().progress
    rhythm = Rhythm(
        target=target.name,
        tolerate_s=target.policy.tolerate_interruption_s,
        watch_s=target.policy.bake_s,
        step_s=min(entry.every_s for entry in signals),
    )
    rules = rules_of(replace(target, signals=signals))
    for one in judge_all(rules, Recording(samples), recorded.rollouts, rhythm):
        found.append(one)
        progress(f"{file}: {len(found)} of {len(recorded.rollouts)} rollouts")
    progress("")
    return Judged(file, found, [entry.name for entry in target.signals if entry.name not in there])


def _draw(file: Path, recorded: Recorded, judged: Sequence[Judged]) -> None:
    from watchdog.cli.pictures import picture  # noqa: PLC0415 - with the judgement

    text = picture(recorded.samples, [(one.file, one.found) for one in judged])
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror}", Exit.REFUSED) from None


# -- the answer ------------------------------------------------------------------------------------------------------


def _answer(target: str, recorded: Recorded, judged: Sequence[Judged], bad: Sequence[str]) -> dict[str, Any]:
    from watchdog.cli.recordings import rhythm  # noqa: PLC0415 - with the judgement
    from watchdog.model import iso, to_document  # noqa: PLC0415 - as above

    names = sorted({sample.signal for sample in recorded.samples})
    rhythms = {name: rhythm(one for one in recorded.samples if one.signal == name) for name in names}
    return {
        "target": target,
        "from": iso(recorded.samples[0].start),
        "to": iso(recorded.samples[-1].end),
        "signals": [{"name": name, "every_s": rhythms[name]} for name in names],
        "settings": [
            {
                "file": one.file,
                "not_recorded": list(one.left_out),
                "rollouts": [
                    {**to_document(found), "after_s": _after(found), "bad": found.release in bad if bad else None}
                    for found in one.found
                ],
                "summary": _summary(one, bad),
            }
            for one in judged
        ],
    }


def _after(found: Replayed) -> float | None:
    return None if found.fired_at is None else round(found.fired_at - found.began, 3)


def _summary(judged: Judged, bad: Sequence[str]) -> dict[str, Any]:
    fired = [one for one in judged.found if one.fired_at is not None]
    answer: dict[str, Any] = {"rollouts": len(judged.found), "fired": [one.release for one in fired]}
    if bad:
        caught = [one for one in fired if one.release in bad]
        answer["bad"] = len(bad)
        answer["missed"] = [name for name in bad if name not in answer["fired"]]
        answer["false"] = [one.release for one in fired if one.release not in bad]
        answer["median_after_s"] = statistics.median(_after(one) or 0.0 for one in caught) if caught else None
    return answer


def _text(terminal: Terminal, answer: Mapping[str, Any]) -> list[str]:
    settings = answer["settings"]
    known = ", ".join(f"{plain(one['name'])} every {_spelt(one['every_s'])}" for one in answer["signals"])
    lines = [
        f"{plain(answer['target'])}: {shown(answer['from'], terminal.zone)} - {shown(answer['to'], terminal.zone)}, {known}"
    ]
    titles = ["RELEASE", "BEGAN", "WATCHED", "EVENTS", "BAD", *(Path(one["file"]).name.upper() for one in settings)]
    rows = [
        _row(terminal, [one["rollouts"][place] for one in settings]) for place in range(len(settings[0]["rollouts"]))
    ]
    lines += ["", *terminal.table(titles, rows), ""]
    for one in settings:
        lines += [f"{plain(one['file'])}: {_verdict(one['summary'])}"]
        lines += indented(_reasons(one["rollouts"]))
        if one["not_recorded"]:
            lines += indented([f"not recorded, so not judged: {plain(', '.join(one['not_recorded']))}"])
    return lines


def _row(terminal: Terminal, same: Sequence[Mapping[str, Any]]) -> list[str]:
    first = same[0]
    began, ended = (datetime.fromisoformat(first[key]).timestamp() for key in ("began", "ended"))
    share = f"{100 * first['bad_events'] / first['events']:.3g} %" if first["events"] else "-"
    mark = {True: " (bad)", False: "", None: ""}[first["bad"]]
    return [
        f"{plain(first['release'])}{mark}",
        shown(first["began"], terminal.zone),
        spell(ended - began),
        f"{first['events']}",
        share,
        *(_cell(one) for one in same),
    ]


def _cell(one: Mapping[str, Any]) -> str:
    if one["after_s"] is not None:
        return f"after {spell(one['after_s'])}"
    return f"no ({100 * one['progress']:.0f} %)"


def _verdict(summary: Mapping[str, Any]) -> str:
    count = len(summary["fired"])
    words = f"{count} of {summary['rollouts']} rollouts would have been blamed"
    if "bad" not in summary:
        return words
    good = summary["rollouts"] - summary["bad"]
    caught = summary["bad"] - len(summary["missed"])
    after = f" after {spell(summary['median_after_s'])} (median)" if summary["median_after_s"] is not None else ""
    missed = f"; missed: {plain(', '.join(summary['missed']))}" if summary["missed"] else ""
    wrong = f": {plain(', '.join(summary['false']))}" if summary["false"] else ""
    return f"{caught} of {summary['bad']} bad releases caught{after}{missed}; {len(summary['false'])} of {good} good ones blamed{wrong}"


def _reasons(rollouts: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{plain(one['release'])}: {plain(one['sentence'])}" for one in rollouts if one["after_s"] is not None]


def _spelt(seconds: float | None) -> str:
    return "?" if seconds is None else spell(seconds)

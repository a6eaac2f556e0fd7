"""``tune``: knobs for one target, from its own history: what each would have cost, and how soon it would have noticed.

Role: reads; asks sources that remember; writes nothing. Neighbours: `judgement.tuning` tries the choices, `cli.replaying` reads what was
recorded. Guarantees: the row of the configuration in force is among them; a proposal is printed as lines to paste, never applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchdog.cli.exits import Exit, Failed
from watchdog.cli.options import asks_daemon, configured, shows
from watchdog.cli.output import indented, show
from watchdog.cli.recorded import loaded_from, moment_of, of_the_past, samples_of, target_of
from watchdog.cli.terminal import Terminal, current
from watchdog.cli.text import plain
from watchdog.cli.times import shown, spell

if TYPE_CHECKING:
    from watchdog.judgement.tuning import Stretch, Tried
    from watchdog.model import Sample
    from watchdog.settings.access import ConfiguredSignal, ConfiguredTarget

TOLERATED_S = (15.0, 30.0, 60.0, 120.0)
UNACCEPTABLE = (0.02, 0.05, 0.1)
BAKES_S = (600.0, 900.0, 1800.0, 3600.0, 7200.0)
STRETCHES, FAULTY = 200, 20
"""Pretended rollouts of each choice, and how many of them get faults."""


@click.command()
@click.argument("target")
@of_the_past
@click.option(
    "--spare",
    multiple=True,
    metavar="FROM/TO",
    help="A time in which something was really wrong: it says nothing about healthy releases; may be repeated.",
)
@click.option(
    "--releases-a-month",
    "monthly",
    default=20.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="To say false rollbacks a month.",
)
@configured
@shows()
@asks_daemon
def tune(
    *,
    target: str,
    file: Path | None,
    begin: str | None,
    end: str | None,
    spare: tuple[str, ...],
    monthly: float,
    path: Path,
    form: str,
) -> int:
    """Propose knobs for TARGET from its history: false rollbacks and seconds to notice of each choice.

    Nothing is written. Give it a week in which no release was bad, or name the bad times with --spare.
    """
    terminal = current()
    loaded = loaded_from(path, terminal.environ)
    known = target_of(loaded, target, path)
    first, last = moment_of(begin, "--from"), moment_of(end, "--to")
    recorded = samples_of(known, loaded, file, (first, last))
    samples = [one for one in recorded if (first or 0.0) <= one.end <= (last or float("inf"))]
    judged = _recorded_part(known, samples)
    tried, stretches = _tried(judged, samples, [_span(text) for text in spare])
    answer = _answer(judged, samples, tried, stretches, monthly)
    show(terminal, answer, form, lambda: _text(terminal, answer))
    return Exit.OK


def _span(text: str) -> tuple[Any, Any]:
    from watchdog.model import instant  # noqa: PLC0415 - with the judgement

    begin, slash, end = text.partition("/")
    if not slash:
        raise click.BadParameter(f"{text!r} is no FROM/TO", param_hint="--spare")
    return instant(moment_of(begin, "--spare") or 0.0), instant(moment_of(end, "--spare") or 0.0)


def _recorded_part(target: ConfiguredTarget, samples: Sequence[Sample]) -> ConfiguredTarget:
    from watchdog.settings.access import Weighed  # noqa: PLC0415 - half a second

    there = {sample.signal for sample in samples}
    signals = tuple(entry for entry in target.signals if entry.name in there)
    if not any(isinstance(entry.rule, Weighed) for entry in signals):
        message = (
            f"of {target.name} no signal is recorded that is weighed as evidence: rules that count have no knobs here"
        )
        raise Failed(message, Exit.REFUSED, f"watchdog replay {target.name} --against FILE")
    return replace(target, signals=signals)


def _tried(
    target: ConfiguredTarget, samples: Sequence[Sample], spared: Sequence[tuple[Any, Any]]
) -> tuple[list[Tried], Sequence[Stretch]]:
    from watchdog.cli.judging import rules_of  # noqa: PLC0415 - with the judgement
    from watchdog.judgement.replaying import Recording, Rhythm  # noqa: PLC0415 - as above
    from watchdog.judgement.tuning import stretches_of, try_out  # noqa: PLC0415 - as above

    stretches = stretches_of(Recording(samples), target.policy.bake_s, STRETCHES, spared)
    if not stretches:
        message = f"the history is too short: it takes an hour and {spell(target.policy.bake_s)} of bake_time at least"
        raise Failed(message, Exit.REFUSED)
    choices = list(_choices(target))
    found: list[Tried] = []
    for tolerate_s, unacceptable in choices:
        current().progress(f"{target.name}: {len(found)} of {len(choices)} choices, {len(stretches)} stretches each")
        rhythm = Rhythm(
            target=target.name,
            tolerate_s=tolerate_s,
            watch_s=target.policy.bake_s,
            step_s=min(entry.every_s for entry in target.signals),
        )
        rules = rules_of(_with(target, tolerate_s, unacceptable))
        found.append(try_out(rules, stretches, FAULTY, rhythm, unacceptable))
    current().progress("")
    return found, stretches


def _choices(target: ConfiguredTarget) -> Iterator[tuple[float, float]]:
    """All pairs of a few values and those in force, as far as they make sense together."""
    rates = target.weights.rates
    tolerated = sorted({*TOLERATED_S, target.policy.tolerate_interruption_s})
    shares = sorted({*UNACCEPTABLE, rates.unacceptable_error_rate})
    for seconds in tolerated:
        for share in shares:
            if share > rates.tolerate_error_rate:
                yield seconds, share


def _with(target: ConfiguredTarget, tolerate_s: float, unacceptable: float) -> ConfiguredTarget:
    """The target with other knobs; a signal that has rates of its own keeps them."""
    from watchdog.settings.access import Weighed  # noqa: PLC0415 - half a second

    before = target.weights.rates
    rates = replace(before, unacceptable_error_rate=unacceptable)

    def changed(entry: ConfiguredSignal) -> ConfiguredSignal:
        return replace(entry, rule=rates) if isinstance(entry.rule, Weighed) and entry.rule == before else entry

    return replace(
        target,
        policy=replace(target.policy, tolerate_interruption_s=tolerate_s),
        weights=replace(target.weights, rates=rates),
        signals=tuple(changed(entry) for entry in target.signals),
    )


# -- the answer ------------------------------------------------------------------------------------------------------


def _answer(
    target: ConfiguredTarget,
    samples: Sequence[Sample],
    tried: Sequence[Tried],
    stretches: Sequence[Stretch],
    monthly: float,
) -> dict[str, Any]:
    from watchdog.judgement.tuning import best  # noqa: PLC0415 - with the judgement
    from watchdog.model import iso  # noqa: PLC0415 - as above

    now = target.policy.tolerate_interruption_s, target.weights.rates.unacceptable_error_rate
    chosen = best(tried, now)
    rows = [
        {
            "tolerate_interruption_s": one.tolerate_s,
            "unacceptable_error_rate": one.unacceptable,
            "in_force": (one.tolerate_s, one.unacceptable) == now,
            "proposed": one is chosen,
            "stretches": one.stretches,
            "fired": one.fired,
            "false_a_month": monthly * one.fired / one.stretches,
            "false_a_month_at_most": monthly * one.at_most,
            "seconds_to_notice": dict(one.notices),
        }
        for one in tried
    ]
    return {
        "target": target.name,
        "from": iso(samples[0].start),
        "to": iso(samples[-1].end),
        "releases_a_month": monthly,
        "choices": rows,
        "bake_time_s": _bake(chosen, _events_a_second(target, stretches), target.policy.bake_events),
        "bake_time_in_force_s": target.policy.bake_s,
    }


def _events_a_second(target: ConfiguredTarget, stretches: Sequence[Stretch]) -> float:
    """User events, by the signal that counts the most of them; 0 where none does."""
    from watchdog.model import Counts  # noqa: PLC0415 - with the judgement

    users = {entry.name for entry in target.signals if entry.counts_users}
    totals = dict.fromkeys(users, 0)
    for stretch in stretches:
        for sample in stretch.samples:
            if sample.signal in users and isinstance(sample.reading, Counts):
                totals[sample.signal] += sample.reading.events
    watched = sum(stretch.until - stretch.began for stretch in stretches)
    return max(totals.values(), default=0) / watched


def _bake(chosen: Tried, events_a_second: float, bake_events: int) -> float | None:
    """The shortest in which the slowest fault is noticed twice over and enough users have come; None = none of a few is."""
    slowest = max((86_400.0 if seconds is None else seconds for seconds in chosen.notices.values()), default=86_400.0)
    enough = bake_events / events_a_second if events_a_second else 0.0
    return next((seconds for seconds in BAKES_S if seconds >= 2 * slowest and seconds >= enough), None)


def _text(terminal: Terminal, answer: Mapping[str, Any]) -> list[str]:
    faults = list(answer["choices"][0]["seconds_to_notice"])
    titles = [
        "TOLERATE",
        "UNACCEPTABLE",
        "FALSE A MONTH",
        "AT MOST",
        *(f"NOTICES {fault.upper()}" for fault in faults),
        "",
    ]
    rows = [
        [
            spell(row["tolerate_interruption_s"]),
            f"{100 * row['unacceptable_error_rate']:g} %",
            f"{row['false_a_month']:.2g}",
            f"{row['false_a_month_at_most']:.2g}",
            *(
                "not" if row["seconds_to_notice"][fault] is None else spell(row["seconds_to_notice"][fault])
                for fault in faults
            ),
            " ".join(word for word, said in (("in force", row["in_force"]), ("proposed", row["proposed"])) if said),
        ]
        for row in answer["choices"]
    ]
    span = f"{shown(answer['from'], terminal.zone)} - {shown(answer['to'], terminal.zone)}"
    first = answer["choices"][0]
    return [
        f"{plain(answer['target'])}: {span}, {first['stretches']} pretended releases of each choice",
        "",
        *terminal.table(titles, rows),
        "",
        (
            f"False rollbacks for {answer['releases_a_month']:g} releases a month, as if each fell into a stretch of this history; "
            "`at most` with 95 %."
        ),
        "",
        *_proposal(answer),
    ]


def _proposal(answer: Mapping[str, Any]) -> list[str]:
    chosen = next(row for row in answer["choices"] if row["proposed"])
    bake = answer["bake_time_s"]
    lines = [
        f"tolerate_interruption: {spell(chosen['tolerate_interruption_s'])}",
        f"unacceptable_error_rate: {100 * chosen['unacceptable_error_rate']:g}%",
        f"bake_time: {spell(bake if bake is not None else answer['bake_time_in_force_s'])}",
    ]
    fired = chosen["fired"]
    why = "the quickest of those that fired on none" if not fired else f"the fewest false ones: {fired}"
    weak = (
        ""
        if bake is not None
        else " Not every fault is noticed in time: a longer bake_time, or more polls, would be needed."
    )
    return [f"Proposed for targets.{plain(answer['target'])} ({why}); nothing was changed:{weak}", *indented(lines)]

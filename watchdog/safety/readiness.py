"""First part of the gate: may anything be done now, by us, in this mode.

Role: the checks breach_stands, store, target_known, mode, first_start, pause, shutting_down and leadership. Neighbours:
`safety.gate` runs them in order. Guarantees: what could not be found out never passes here.
"""

from __future__ import annotations

from watchdog.model import Check, Health, Instant, Mode, Outcome, TargetVerdict
from watchdog.safety.answers import also, asks, blocked, clock_time, passed, spell, unknown
from watchdog.safety.facts import GateFacts
from watchdog.safety.pausing import annotated_earlier, ended_at, other_way_to_end

BREACH_POLLS = 2
"""The breach stands when one of this many last polls found it failing (decisions.md section 1)."""

ENDLESS_S = 1e8
"""A lease for longer than this ends with the process, not with time."""

_STRICTNESS = (Mode.OBSERVE, Mode.ASK, Mode.ENFORCE)


def breach_stands(facts: GateFacts, _now: Instant) -> Check:
    """The target is failing still: not recovered, not blind, seen so within the last two polls."""
    name = "breach_stands"
    if facts.manual:
        return passed(name, "asked for by hand: the person answers for the breach")
    verdict = facts.verdict
    if verdict is None:
        return unknown(name, Outcome.HOLD, "there is no verdict yet; fresh samples are being collected")
    if verdict.health is Health.BLIND:
        return unknown(
            name, Outcome.BLIND, also("no source can be trusted now, so nothing counts", verdict.sentence), hazard="S"
        )
    if verdict.recovered:
        return blocked(name, Outcome.RECOVERED_UNAIDED, also("recovered by itself", verdict.sentence))
    return _seen_lately(facts, verdict)


def _seen_lately(facts: GateFacts, verdict: TargetVerdict) -> Check:
    name, seen, limit = "breach_stands", facts.failing_seen_s, BREACH_POLLS * facts.poll_s
    if seen is not None and 0 <= seen <= limit:
        return passed(name, also(f"still failing, last seen {spell(seen)} ago", verdict.sentence))
    age = "no poll of this window found it failing" if seen is None else f"last found failing {spell(seen)} ago"
    words = f"{age}, and only the last {spell(limit)} count"
    if verdict.health is Health.FAILING:
        return unknown(name, Outcome.HOLD, f"{words}; waiting for a fresh poll", hazard="Z")
    return blocked(name, Outcome.HOLD, f"{words}; not recovered by its own rule either, so watching on", hazard="X")


def store(facts: GateFacts, _now: Instant) -> Check:
    """The intent can be stored before the write (P8, P21)."""
    if facts.store_ok:
        return passed("store", "the intent can be stored")
    return blocked(
        "store",
        Outcome.HOLD,
        "the state store cannot be written, and no act happens without a stored intent; see `watchdog doctor`",
    )


def target_known(facts: GateFacts, _now: Instant) -> Check:
    """The target is configured and has something that can go back."""
    name, target = "target_known", facts.policy.target
    if facts.policy.watch_only:
        return blocked(name, Outcome.HOLD, f"{target} is only watched: no platform is configured for it")
    if facts.target_known:
        return passed(name, f"{target} is configured")
    if facts.step > 0:
        return passed(name, f"{target} was removed from the configuration; the response that began is finished")
    return blocked(name, Outcome.HOLD, f"{target} was removed from the configuration: nothing new starts")


def mode(facts: GateFacts, _now: Instant) -> Check:
    """The strictest of the policy's mode and what the workload's own annotations ask for."""
    effective, whence = effective_mode(facts)
    if effective is Mode.OBSERVE:
        return blocked(
            "mode", Outcome.HOLD, f"mode is observe{whence}: this only records what would be done", overridable=True
        )
    if effective is Mode.ENFORCE:
        return passed("mode", "mode is enforce")
    if facts.manual:
        return passed("mode", f"mode is ask{whence}, and a person asked for it by hand")
    wait = spell(facts.policy.ask_timeout_s)
    return asks("mode", f"mode is ask{whence}: waiting up to {wait} for `watchdog approve {facts.incident}`")


def effective_mode(facts: GateFacts) -> tuple[Mode, str]:
    """The mode that counts and where it comes from. A hint that is no mode is read as `ask`."""
    hint = None if facts.state is None else facts.state.hints.get("mode")
    if hint is None:
        return facts.policy.mode, ""
    try:
        hinted = Mode(str(hint).strip().lower())
        whence = " (by an annotation on the workload)"
    except ValueError:
        hinted, whence = Mode.ASK, f" (the workload's annotation says {hint!r}, which is no mode)"
    if _STRICTNESS.index(hinted) < _STRICTNESS.index(facts.policy.mode):
        return hinted, whence
    return facts.policy.mode, ""


def first_start(facts: GateFacts, _now: Instant) -> Check:
    """After a first start on an empty store a person arms the watchdog first (P22)."""
    name = "first_start"
    if facts.armed:
        return passed(name, "armed")
    found = "the store was found empty at start" if facts.store_found_empty else "never armed since its first start"
    if facts.policy.first_start != "act":
        return blocked(
            name,
            Outcome.HOLD,
            f"{found} (pauses and condemned releases may be lost): type `watchdog arm` when all is as it should be",
            overridable=True,
        )
    seen, first = facts.blamed.started, facts.record.first_seen
    if seen is not None and first is not None and seen >= first:
        return passed(name, f"{found}; `first_start: act`, and the start of {facts.blamed.label} was seen")
    return blocked(
        name,
        Outcome.HOLD,
        f"{found}, and the start of {facts.blamed.label} was not seen, which `first_start: act` demands: type `watchdog arm`",
        overridable=True,
    )


def pause(facts: GateFacts, now: Instant) -> Check:
    """No pause covers the target; pauses that cannot be read cover everything (P2, P3)."""
    name, read = "pause", facts.pauses
    if not read.readable:
        words = also("the pauses cannot be read, which counts as paused", read.sentence)
        return unknown(name, Outcome.HOLD, words)
    going_on = facts.manual or facts.wrote  # a person's word, or a plan that was begun, needs no new judgement
    if not read.active and read.just_ended is not None and not going_on:
        ended = read.just_ended
        words = f"the pause ({ended.scope}) by {ended.who} has ended at {clock_time(ended_at(ended))}"
        return unknown(name, Outcome.HOLD, f"{words}; what it covered is judged anew first")
    earlier = annotated_earlier(facts.state, now)
    if not read.active and earlier and not going_on:
        return asks(name, f"{earlier}: set it anew, or take it away")
    if not read.active:
        return passed(name, read.sentence or "not paused")
    first = max(read.active, key=lambda entry: entry.until)
    more = f" (and {len(read.active) - 1} more)" if len(read.active) > 1 else ""
    words = f"paused ({first.scope}) by {first.who} until {clock_time(first.until)}: {first.why}{more}"
    end = other_way_to_end(first) or f"end it with `watchdog resume {first.id}`"
    return blocked(name, Outcome.HOLD, f"{words}; {end}", overridable=True)


def shutting_down(facts: GateFacts, _now: Instant) -> Check:
    """Never a new act after SIGTERM (P23)."""
    if facts.shutting_down:
        return blocked("shutting_down", Outcome.HOLD, "shutting down: no new act; the next start decides anew")
    return passed("shutting_down", "not shutting down")


def leadership(facts: GateFacts, _now: Instant) -> Check:
    """We hold the lease for longer than the write may take (P10, P11)."""
    name, lease = "leadership", facts.leadership
    if lease.held is None:
        return unknown(name, Outcome.HOLD, also("whether we hold the lease is not known", lease.sentence))
    if not lease.held:
        return blocked(name, Outcome.HOLD, also("another watchdog holds the lease", lease.sentence))
    if lease.remaining_s > facts.need_s:
        return passed(
            name, f"we hold the lease for {_seconds(lease.remaining_s)}, the write needs {spell(facts.need_s)}"
        )
    words = f"the lease lasts {_seconds(lease.remaining_s)} more, the write may take {spell(facts.need_s)}"
    return blocked(name, Outcome.HOLD, f"{words}; waiting for its renewal")


def _seconds(remaining: float) -> str:
    return "as long as we live" if remaining > ENDLESS_S else spell(remaining)

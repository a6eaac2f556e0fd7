"""Pauses as pure rules: what a scope covers, which pause is active, how one is made and ended.

Role: the engine reads the register from the store before each write and asks here; API and CLI make and end pauses here.
Neighbours: `model.pause` holds the records. Guarantees: a register that is missing, unreadable or holds a scope nobody
understands means paused (P3); every pause ends by itself, one that somebody makes after at most `MAXIMUM_S`; nothing here ends
one early but `end`, and `sweep` for a window that the configuration no longer has. What a pause covered is not acted on after
its end before it was judged anew (P5).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from watchdog.model import Instant, Pause, PauseRegister, TargetPolicy, WorkloadState, instant, parse_instant, record
from watchdog.safety.answers import clock_time, spell
from watchdog.safety.facts import PausesRead

MAXIMUM_S = 7 * 86_400.0
"""Longest pause. A silent overrun is worse than being asked again after a week."""

REMIND_S = 600.0
"""How long before its end people are reminded."""

KEEP_ENDED_S = 30 * 86_400.0
KEEP_ENDED = 200
"""How long, and how many, ended pauses stay in the register for `watchdog pauses` to show: it is one bounded document."""

ANNOTATION = "annotation-"
"""Begin of the id of a pause that a workload asks for itself."""

OBJECT = "object-"
"""Begin of the id of a pause that somebody keeps as an object outside the store."""

ITS_END, CONFIGURATION, DELETED = "its end", "the configuration", "whoever deleted the object"
"""Who ended a pause that nobody has ended: it ran out, the window was taken out of the file, or the object is gone."""

LONGEST_TEXT = 500
"""Characters of who and why: the register is one bounded document."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
PLATFORMS = ("kubernetes", "helm", "container_app", "command")
EXPECTED = "expected all, group/NAME, target/NAME, selector/KEY=VALUE or platform/KIND"


class PauseRefused(ValueError):
    """A pause cannot be made or ended as asked; the message says why and what would do."""


@record
class Scope:
    """What a pause covers: `kind` is ``all``, ``group``, ``target``, ``selector`` or ``platform``; `name` is empty for ``all``.

    A selector's name is ``KEY=VALUE``, or several with commas between them, all of which must be true.
    """

    kind: str
    name: str = ""

    def __str__(self) -> str:
        """As people type it."""
        return f"{self.kind}/{self.name}" if self.name else self.kind


def parse_scope(text: str) -> Scope:
    """Read ``all``, ``group/x``, ``target/x``, ``selector/k=v`` or ``platform/x``. Raises PauseRefused."""
    kind, slash, name = text.strip().partition("/")
    if kind == "all" and not slash:
        return Scope(kind="all")
    if kind in ("group", "target") and _NAME.fullmatch(name):
        return Scope(kind=kind, name=name)
    if kind == "selector" and all(_pair(part) for part in name.split(",")):
        return Scope(kind=kind, name=name)
    if kind == "platform" and name in PLATFORMS:
        return Scope(kind=kind, name=name)
    kinds = f"; a platform is one of {', '.join(PLATFORMS)}" if kind == "platform" and slash else ""
    raise PauseRefused(f"scope {text!r}: {EXPECTED}{kinds}")


def _pair(text: str) -> bool:
    key, equals, value = text.partition("=")
    return bool(equals and _NAME.fullmatch(key) and _NAME.fullmatch(value))


def covers(pause: Pause, about: TargetPolicy) -> bool:
    """Whether the pause speaks about that target. Not understood = it does."""
    try:
        scope = parse_scope(pause.scope)
    except PauseRefused:
        return True
    if scope.kind == "selector":
        return about_all(scope.name, about.labels)
    return scope.kind == "all" or scope.name == getattr(about, scope.kind)


def about_all(selector: str, labels: Collection[str]) -> bool:
    """Whether every ``KEY=VALUE`` of the selector is among the labels."""
    return set(selector.split(",")) <= set(labels)


def is_active(pause: Pause, now: Instant) -> bool:
    """Begun, not ended by anybody and not run out.

    An acknowledged pause (`applied_at`) has begun, whatever the clock says: one that stepped back opens no hole. A
    window of the configuration was acknowledged to nobody and begins at its `since`.
    """
    begun = pause.applied_at is not None or pause.since <= now
    return begun and pause.ended_at is None and now < pause.until


def active(
    register: PauseRegister | None,
    now: Instant,
    about: TargetPolicy,
    *,
    fresh_from: Instant | None = None,
    trouble: str = "",
) -> PausesRead:
    """The pauses that cover the target now, and one that has ended since the target's samples count (`fresh_from`).

    `register` None = missing or unreadable, `trouble` says which: the engine writes an empty register at its first start,
    so that a missing one is never "no pauses".
    """
    if register is None:
        return PausesRead(readable=False, sentence=trouble or "the register of pauses is missing from the store")
    found = tuple(pause for pause in register.pauses if is_active(pause, now) and covers(pause, about))
    ended = None if fresh_from is None else ended_last(register.pauses, now, about)
    return PausesRead(
        readable=True,
        active=found,
        sentence="; ".join(describe(pause, now) for pause in found) or "not paused",
        just_ended=ended if ended is not None and fresh_from is not None and ended_at(ended) > fresh_from else None,
    )


def ended_at(pause: Pause) -> Instant:
    """When somebody has ended it, else when it ends by itself."""
    return pause.until if pause.ended_at is None else pause.ended_at


def ended_last(pauses: Iterable[Pause], now: Instant, about: TargetPolicy) -> Pause | None:
    """Of the pauses that covered the target and are over, the one that ended last."""
    over = [pause for pause in pauses if ended_at(pause) <= now and covers(pause, about)]
    return max(over, key=ended_at, default=None)


def is_window(pause: Pause) -> bool:
    """Whether the configuration brought it: it was acknowledged to nobody."""
    return pause.applied_at is None


def annotated(state: WorkloadState | None, target: str) -> tuple[Pause, ...]:
    """The pause that the workload itself asks for by its annotations; it ends by itself, as every pause."""
    asked = _asked(state)
    if asked is None or asked.get("stale"):
        return ()
    who = f"{asked.get('who') or 'somebody'}, by an annotation on the workload"
    until = parse_instant(str(asked["until"]))
    name = f"{ANNOTATION}{asked.get('generation', '')}"
    scope = f"target/{target}"
    return (Pause(id=name, scope=scope, who=who, why=str(asked.get("why", "")), since=Instant(0.0), until=until),)


def annotated_earlier(state: WorkloadState | None, now: Instant) -> str:
    """Words for a pause that an annotation asks for and whose generation is over, before its end; empty for none."""
    asked = _asked(state)
    if asked is None or not asked.get("stale") or now >= parse_instant(str(asked["until"])):
        return ""
    until = clock_time(parse_instant(str(asked["until"])))
    return (
        f"an annotation on the workload asks for a pause until {until}, for generation {asked.get('generation')}, and the "
        "workload was changed since"
    )


def _asked(state: WorkloadState | None) -> Mapping[str, Any] | None:
    asked = None if state is None else state.hints.get("pause")
    return asked if isinstance(asked, Mapping) else None


def is_annotated(pause: Pause) -> bool:
    """Whether an annotation on the workload asks for it: it ends with that."""
    return pause.id.startswith(ANNOTATION)


def is_object(pause: Pause) -> bool:
    """Whether somebody keeps it as an object outside the store: it ends when that is deleted, or by itself."""
    return pause.id.startswith(OBJECT)


def other_way_to_end(pause: Pause) -> str:
    """How one ends that `watchdog resume` does not end; empty where it does."""
    if is_annotated(pause):
        return "take the annotation away"
    return "delete its object: `kubectl get pauses` shows it" if is_object(pause) else ""


def with_objects(
    register: PauseRegister, objects: Iterable[Pause], now: Instant, listed_at: Instant | None = None
) -> PauseRegister:
    """The register with the objects that were read just now.

    Object and register are one pause: the object says until when and why, the register since when it binds and what it
    has counted. One that is seen for the first time begins now, whatever time it names as its own; one that the register holds
    and that is gone has ended now; one that had ended and was given a later end begins anew. One that was taken in after
    they were listed (`listed_at`, else now) is not gone: that list could not have it.
    """
    asked = {pause.id: pause for pause in objects}
    listed_at = now if listed_at is None else listed_at
    kept = tuple(_held(pause, asked.pop(pause.id, None), now, listed_at) for pause in register.pauses)
    new = tuple(replace(pause, since=now, applied_at=now) for pause in asked.values() if now < pause.until)
    return register if not new and kept == register.pauses else replace(register, pauses=(*kept, *new))


def _held(pause: Pause, asked: Pause | None, now: Instant, listed_at: Instant) -> Pause:
    """A pause of the register as its object has it now, if it has one."""
    if not is_object(pause):
        return pause
    if asked is None:
        gone = pause.ended_at is None and now < pause.until and pause.since < listed_at
        return replace(pause, ended_at=now, ended_by=DELETED) if gone else pause
    if pause.ended_at is not None and now < asked.until:
        return replace(asked, since=now, applied_at=now)
    return replace(pause, until=asked.until, why=asked.why, who=asked.who) if pause.ended_at is None else pause


def with_windows(register: PauseRegister, windows: Iterable[Pause]) -> PauseRegister:
    """The register with the configuration's windows. One that it holds already is as it holds it: counted, or ended.

    One that had ended because it was taken out of the configuration, and stands there again, goes on.
    """
    configured = {window.id: window for window in windows}
    held = {pause.id for pause in register.pauses}
    back = {p.id for p in register.pauses if p.id in configured and p.ended_by == CONFIGURATION}
    new = tuple(window for name, window in configured.items() if name not in held)
    if not new and not back:
        return register
    kept = (replace(p, ended_at=None, ended_by="") if p.id in back else p for p in register.pauses)
    return replace(register, pauses=(*kept, *new))


def describe(pause: Pause, now: Instant) -> str:
    """One sentence: scope, who, why, until when and how long that is."""
    words = f"{pause.scope} paused by {pause.who}: {pause.why}"
    if pause.ended_at is not None:
        return f"{words}; ended at {clock_time(pause.ended_at)} by {pause.ended_by}"
    if now >= pause.until:
        return f"{words}; ran out at {clock_time(pause.until)}"
    if not is_active(pause, now):
        return f"{pause.scope} will be paused by {pause.who}: {pause.why}; {_span(pause)} (begins in {spell(pause.since - now)})"
    return f"{words}; until {clock_time(pause.until)} ({spell(pause.until - now)} left)"


def add(
    register: PauseRegister, *, pause_id: str, scope: str, who: str, why: str, until: Instant, now: Instant
) -> PauseRegister:
    """The register with one more pause, applied now. Raises PauseRefused for what P3 demands and does not find."""
    for word, text in (("who", who), ("why", why)):
        if not text.strip():
            raise PauseRefused(f"a pause needs {'the name of who asks' if word == 'who' else 'a reason'}")
        if len(text) > LONGEST_TEXT:
            raise PauseRefused(f"{word}: {len(text)} characters, at most {LONGEST_TEXT}")
    if not pause_id or any(pause.id == pause_id for pause in register.pauses):
        raise PauseRefused(f"a pause named {pause_id!r} cannot be made: the name is empty or taken")
    if not until > now:
        raise PauseRefused("a pause has to end in the future")
    if until - now > MAXIMUM_S:
        raise PauseRefused(f"a pause lasts at most {spell(MAXIMUM_S)}, this one {spell(until - now)}")
    made = Pause(
        id=pause_id,
        scope=str(parse_scope(scope)),
        who=who.strip(),
        why=why.strip(),
        since=now,
        until=instant(until),
        applied_at=now,
    )
    return replace(register, pauses=(*register.pauses, made))


def end(register: PauseRegister, pause_id: str, *, who: str, now: Instant) -> PauseRegister:
    """The register with that pause ended. Ending it again changes nothing. Raises PauseRefused for an unknown id."""
    if not who.strip():
        raise PauseRefused("ending a pause needs the name of who asks")
    found = next((pause for pause in register.pauses if pause.id == pause_id), None)
    if found is None and pause_id.startswith(ANNOTATION):
        raise PauseRefused(f"{pause_id} ends when the annotation is taken away from the workload")
    if found is None:
        raise PauseRefused(f"there is no pause {pause_id!r}; see `watchdog pauses`")
    if not is_active(found, now):
        return register
    return _changed(register, replace(found, ended_at=now, ended_by=who.strip()))


def sweep(
    register: PauseRegister,
    now: Instant,
    windows: Iterable[Pause] = (),
    objects: Iterable[Pause] | None = None,
    listed_at: Instant | None = None,
) -> tuple[PauseRegister, tuple[Pause, ...]]:
    """Note what begins, mark what is over, drop what ended long ago; also gives the ones just marked, for their notices.

    `windows` are the configuration's: those that run are taken into the register, and what it holds of one that is no
    longer among them has ended with the configuration. `objects` are those that were listed at `listed_at`, None = not asked for.
    """
    windows = tuple(windows)
    configured = {window.id for window in windows}
    noted = register if objects is None else with_objects(register, objects, now, listed_at)
    open_before = {pause.id for pause in register.pauses if pause.ended_at is None}
    noted = with_windows(noted, (window for window in windows if is_active(window, now)))
    over: list[Pause] = [pause for pause in noted.pauses if pause.ended_by == DELETED and pause.id in open_before]
    marked: list[Pause] = []
    for pause in noted.pauses:
        found = _over(pause, now, configured)
        over += [found] if found is not None else []
        marked.append(found or pause)
    kept = _kept(marked, now)
    return (register if kept == register.pauses else replace(register, pauses=kept)), tuple(over)


def _over(pause: Pause, now: Instant, configured: Collection[str]) -> Pause | None:
    """The pause as ended, if it is over and not yet marked so."""
    if pause.ended_at is not None:
        return None
    if now >= pause.until:
        return replace(pause, ended_at=pause.until, ended_by=ITS_END)
    if is_window(pause) and pause.id not in configured:
        return replace(pause, ended_at=now, ended_by=CONFIGURATION)
    return None


def _kept(pauses: Iterable[Pause], now: Instant) -> tuple[Pause, ...]:
    """Those that run, and of the ended ones the newest."""
    pauses = tuple(pauses)
    ended = [pause for pause in pauses if pause.ended_at is not None and now - pause.ended_at < KEEP_ENDED_S]
    kept = {pause.id for pause in sorted(ended, key=ended_at)[-KEEP_ENDED:]}
    return tuple(pause for pause in pauses if pause.ended_at is None or pause.id in kept)


def reminders(register: PauseRegister, now: Instant, *, within_s: float = REMIND_S) -> tuple[Pause, ...]:
    """Active pauses that end soon, and were long enough for a reminder to be of use (twice the notice)."""
    return tuple(
        pause
        for pause in register.pauses
        if is_active(pause, now) and pause.until - now <= within_s and pause.until - pause.since >= 2 * within_s
    )


def count_suppressed(register: PauseRegister, pauses: tuple[Pause, ...]) -> PauseRegister:
    """Each of these pauses has kept one more act from happening: told at its end."""
    ids = {pause.id for pause in pauses}
    counted = tuple(
        replace(pause, suppressed=pause.suppressed + 1) if pause.id in ids else pause for pause in register.pauses
    )
    return register if counted == register.pauses else replace(register, pauses=counted)


def _span(pause: Pause) -> str:
    return f"from {clock_time(pause.since)} until {clock_time(pause.until)}"


def _changed(register: PauseRegister, changed: Pause) -> PauseRegister:
    return replace(register, pauses=tuple(changed if pause.id == changed.id else pause for pause in register.pauses))

"""Whether the good release can read the database as it is now: by the schema that it has run with, healthy.

Role: `note` keeps what was seen, `ahead` compares; both pure. Neighbours: `engine.databases` looks and keeps,
`safety.reasons` turns the answer into the check `data` (hazard A). Guarantees: only a schema that the good release has run
with for as long as its soak, healthy, speaks for it; a migration that ran minutes before the next release, while the good one
was still there, does not. A half-done migration, and one that nobody knows the good release with, never say yes. Source:
facts/back-ends 12: no schema is ever rolled back. Not guaranteed: that the same schema holds data of the same meaning.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from watchdog.model import Instant, Release, Schema, SchemaRecord, SchemaSeen
from watchdog.safety.answers import spell

KEEP_RELEASES = 12
KEEP_SCHEMAS = 3
"""Releases, and schemas of each, that are kept: the newest."""

MOST_TYPES = 2000
"""Types of events that are kept of a release."""

NAMED = 3
"""Changes that a sentence names; the others are counted."""


def note(record: SchemaRecord | None, release: str, schema: Schema, now: Instant, healthy_s: float) -> SchemaRecord:
    """The record after one look while `release` runs; `healthy_s` of the time before it count for this very schema."""
    seen = record.seen if record else ()
    same = next((one for one in seen if (one.release, one.schema.digest) == (release, schema.digest)), None)
    if same is None:
        fresh = SchemaSeen(release=release, schema=schema, since=now, until=now, events=schema.events)
        return SchemaRecord(seen=_bounded((*seen, fresh)))
    types = tuple(sorted({*same.events, *schema.events})[:MOST_TYPES])
    grown = replace(same, schema=schema, until=now, watched_s=same.watched_s + healthy_s, events=types)
    return SchemaRecord(seen=tuple(grown if one is same else one for one in seen))


def ahead(record: SchemaRecord | None, good: Release, now: Schema, need_s: float) -> tuple[bool | None, str]:
    """Whether the database is ahead of `good`, and the sentence. None = not known; `need_s` = seconds that prove a schema."""
    if now.half_done:
        return True, f"a migration is under way or has stopped half-way: {now.half_done}"
    if now.unreadable:
        return None, f"{', '.join(now.unreadable)} may not be read: grant SELECT to the watchdog's role"
    own = [one for one in (record.seen if record else ()) if one.release == good.fingerprint]
    if not own:
        return None, f"the database was never looked at while {good.label} ran"
    proven = [one for one in own if one.watched_s >= need_s]
    if not proven:
        longest = max(one.watched_s for one in own)
        return None, f"{good.label} was seen healthy with its schema for {spell(longest)} only, of {spell(need_s)}"
    same = next((one for one in proven if one.schema.digest == now.digest), None)
    new = new_events(record, good, now)
    if same is not None and new:
        words = f"there are events of types that were not there while {good.label} ran ({_some(new, len(new))})"
        return None, f"{words}: it may pass them over in silence, and its read models may need a rebuild afterwards"
    if same is not None:
        return False, f"{good.label} ran healthy with this very schema for {spell(same.watched_s)}"
    return True, f"since {good.label}: {changes(max(proven, key=lambda one: one.until).schema, now)}"


def new_events(record: SchemaRecord | None, good: Release, now: Schema) -> list[str]:
    """Types of events, newest or of later releases, that nobody saw up to the last moment in which `good` ran.

    Marten's daemon skips events of types that it does not know (facts/back-ends 12): what goes back looks healthy and loses them.
    A type so rare that no look met it counts as new: that asks a person and is answered once.
    """
    seen = record.seen if record else ()
    last = max((one.until for one in seen if one.release == good.fingerprint), default=None)
    if last is None:
        return []
    known = {name for one in seen if one.since <= last for name in one.events}
    # What a later release wrote may no longer be among the newest, and is there all the same.
    later = {name for one in seen if one.since > last for name in one.events}
    return sorted({*now.events, *later} - known)


def describe(schema: Schema) -> str:
    """One look in a line: ``12 tables, views, types and functions; 3 migrations, the newest is alembic: 1a2b``."""
    newest = f", the newest is {schema.migrations[-1]}" if schema.migrations else ""
    half = f"; half done: {schema.half_done}" if schema.half_done else ""
    shut = f"; may not be read: {', '.join(schema.unreadable)}" if schema.unreadable else ""
    return (
        f"{len(schema.objects)} tables, views, types and functions; {_migrations(schema.applied)}{newest}{half}{shut}"
    )


def _migrations(count: int) -> str:
    return f"{count} {'migration' if count == 1 else 'migrations'}"


def changes(before: Schema, after: Schema) -> str:
    """What changed, in words: ``2 migrations (flyway: 7 add_total, ...); changed: table public.orders``."""
    parts = []
    new = [name for name in after.migrations if name not in before.migrations]
    count = max(len(new), after.applied - before.applied)
    if new:
        parts.append(f"{_migrations(count)} ({_some(new, count)})")
    gone = [name for name in before.migrations if name not in after.migrations and after.applied < before.applied]
    if gone:
        parts.append(f"migrations taken back: {_some(gone, len(gone))}")
    old, now = before.objects, after.objects
    added, lost = now.keys() - old.keys(), old.keys() - now.keys()
    other = {name for name in old.keys() & now.keys() if old[name] != now[name]}
    for word, names in (("new", added), ("gone", lost), ("changed", other)):
        if names:
            parts.append(f"{word}: {_some(sorted(names), len(names))}")
    return "; ".join(parts) or "the schema is another one"


def _some(names: Collection[str], count: int) -> str:
    shown = list(names)[-NAMED:]
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return f"{', '.join(shown)}{more}"


def _bounded(seen: tuple[SchemaSeen, ...]) -> tuple[SchemaSeen, ...]:
    """The newest schemas of the newest releases. What has proven itself longest of a release is never dropped."""
    newest = sorted({one.release: one.until for one in seen}.items(), key=lambda pair: pair[1])[-KEEP_RELEASES:]
    kept = []
    for release, _ in newest:
        own = [one for one in seen if one.release == release]
        best = max(own, key=lambda one: one.watched_s)
        late = sorted((one for one in own if one is not best), key=lambda one: one.until)[-(KEEP_SCHEMAS - 1) :]
        kept += [best, *late]
    return tuple(one for one in seen if one in kept)

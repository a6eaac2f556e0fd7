"""Databases: what code that uses one has to understand, and what each release has run with.

Role: read by `signals.database`, kept by `engine.databases` under ``schema/<unit>/<signal>``, compared by `safety.databases`.
Guarantees: two looks with the same `digest` saw the same tables, columns, constraints, types, triggers, functions and
migrations. Not guaranteed: that the same schema holds data of the same meaning.
"""

from __future__ import annotations

from dataclasses import field

from watchdog.model.record import Instant, JsonObject, record


@record
class Schema:
    """One look at a database."""

    digest: str
    """Of everything that `objects` and `migrations` are taken from, whole."""
    objects: JsonObject = field(default_factory=dict)
    """Digest by name (``table public.orders``), to name what changed: of a large database the first ones, `digest` is of all."""
    migrations: tuple[str, ...] = ()
    """The newest applied ones, oldest first: ``flyway: 7 add_total``."""
    applied: int = 0
    """How many migrations the histories hold in all."""
    half_done: str = ""
    """A migration that runs, or has stopped half-way; empty for none."""
    unreadable: tuple[str, ...] = ()
    """Histories and event stores that are there and may not be read."""
    events: tuple[str, ...] = ()
    """Types of the newest events of an event store, sorted. They are data, so they are not in `digest`."""


@record
class SchemaSeen:
    """A schema that a release has run with. `watched_s` = seconds during which it did so and was healthy."""

    release: str
    schema: Schema
    since: Instant
    until: Instant
    watched_s: float = 0.0
    events: tuple[str, ...] = ()
    """Every type of event that was seen while it ran, sorted."""


@record
class SchemaRecord:
    """What the releases of a unit have run with, oldest first."""

    seen: tuple[SchemaSeen, ...] = ()

"""What the builders get of `postgres` and `database`, and what of them does not fit together.

Role: the part of `settings.access` and of `crosscheck` that knows databases. Pure. Guarantees: the source is one that is configured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from watchdog.model import DataSafety, record
from watchdog.settings.database import DatabaseSection, DatabaseTls, PostgresSection
from watchdog.settings.problems import Trail
from watchdog.settings.root import Settings
from watchdog.settings.signals import SignalSection
from watchdog.settings.targets import TargetSection
from watchdog.settings.wording import Finding

EXAMPLE = "postgres: {books: {host: db, database: books, user: watchdog}}"
SAYS_NOTHING = ("every", "rule", "counts_users", "tolerate_error_rate", "unacceptable_error_rate", "times_worse")
"""Keys of a signal that only mean something where it is judged."""


@record
class ConfiguredDatabase:
    """One database as a signal asks it. `schemas` empty = all."""

    signal: str
    host: str
    port: int
    database: str
    user: str
    tls: str
    timeout_s: float
    ca_file: str = ""
    schemas: tuple[str, ...] = ()
    password: str = field(default="", repr=False)


def source_of(settings: Settings, section: DatabaseSection) -> PostgresSection | None:
    """The database that a signal asks; None when it names none that is there."""
    if section.source is None:
        only = list(settings.postgres.values())
        return only[0] if len(only) == 1 else None
    return settings.postgres.get(section.source)


def database_of(settings: Settings, signal: str, section: DatabaseSection) -> ConfiguredDatabase:
    """The database of one signal. Raises ValueError for a source that is not there."""
    found = source_of(settings, section)
    if found is None:
        raise ValueError("the source is not configured")
    return ConfiguredDatabase(
        signal=signal,
        host=found.host,
        port=found.port,
        database=found.database,
        user=found.user,
        tls=found.tls.value,
        timeout_s=found.timeout,
        ca_file=found.ca_file or "",
        schemas=section.schemas,
        password=found.password.get_secret_value() if found.password else "",
    )


def databases_of(settings: Settings, target: TargetSection) -> tuple[ConfiguredDatabase, ...]:
    """The databases of a target, by its signals."""
    named = ((name, signal.database) for name, signal in target.signals.items())
    return tuple(database_of(settings, name, section) for name, section in named if section is not None)


def sources(settings: Settings) -> Iterator[Finding]:
    """What does not fit together in `postgres`."""
    for name, section in settings.postgres.items():
        if section.ca_file is not None and section.tls is not DatabaseTls.VERIFY:
            trail = ("postgres", name, "ca_file")
            yield Finding(trail=trail, message="is used with `tls: verify` only", hint="tls: verify")


def question(settings: Settings, trail: Trail, section: DatabaseSection) -> Iterator[Finding]:
    """What does not fit together in one signal."""
    if source_of(settings, section) is not None:
        return
    named = ", ".join(settings.postgres)
    if section.source is not None:
        found = f"there are: {named}" if named else EXAMPLE
        yield Finding(
            trail=(*trail, "source"), message=f"there is no database {section.source!r} in `postgres`", hint=found
        )
    elif named:
        yield Finding(trail=trail, message=f"`source` has to say which of {named}")
    else:
        yield Finding(trail=trail, message="there is no `postgres`", hint=EXAMPLE)


def on_target(target: TargetSection, trail: Trail, *, acts: bool) -> Iterator[Finding]:
    """What of a target's databases does not fit to what it is for."""
    own = {name: signal for name, signal in target.signals.items() if signal.database is not None}
    if target.data is DataSafety.CHECK and not own:
        message = "`check` needs a signal of the kind `database` on this target"
        yield Finding(trail=(*trail, "data"), message=message, hint="signals: {schema: {database: books}}")
    if not acts:
        return
    if len(own) == len(target.signals):
        message = "has no signal to be judged by: a database only says whether the code may go back"
        yield Finding(trail=(*trail, "signals"), message=message)
    for name, signal in own.items():
        yield from _unjudged(signal, (*trail, "signals", name))


def _unjudged(signal: SignalSection, trail: Trail) -> Iterator[Finding]:
    for key in SAYS_NOTHING:
        if key in signal.model_fields_set:
            message = "says nothing here: on a target that is rolled back a database is not judged"
            hint = "to hold while it is down: a target without platform that watches it, and depends_on"
            yield Finding(trail=(*trail, key), message=message, hint=hint)

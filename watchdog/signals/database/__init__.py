"""Signals of the kind `database`: whether a database answers, and what code has to understand of it."""

from watchdog.signals.database.reader import PostgresSchemas
from watchdog.signals.database.signal import DatabaseSignal

__all__ = ["DatabaseSignal", "PostgresSchemas"]

"""Where state lives: memory and SQLite, and the lock file that keeps one daemon a store."""

from watchdog.stores.lock import FileLease, lock_path
from watchdog.stores.memory import MemoryStore
from watchdog.stores.sqlite import SqliteStore

__all__ = ["FileLease", "MemoryStore", "SqliteStore", "lock_path"]

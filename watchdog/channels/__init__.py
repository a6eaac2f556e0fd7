"""Services that deliver notices. The outbox that owes them lives in the engine; here is only the last step."""

from watchdog.channels.stdout import StdoutChannel

__all__ = ["StdoutChannel"]

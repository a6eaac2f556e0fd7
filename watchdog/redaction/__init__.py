"""What may leave: secrets are taken out of text and objects before they reach disk, log or message."""

from watchdog.redaction.names import is_secret_name
from watchdog.redaction.redactor import Redactor

__all__ = ["Redactor", "is_secret_name"]

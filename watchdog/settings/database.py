"""Sections `postgres` (databases by name) and `database` of a signal."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, model_validator

from watchdog.settings.secret import SecretText
from watchdog.settings.section import Section
from watchdog.settings.values import AbsolutePath, Duration, Name, Text, Whole


class DatabaseTls(StrEnum):
    """How the connection is protected."""

    OFF = "off"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY = "verify"


class PostgresSection(Section):
    """One PostgreSQL database. The role needs CONNECT, and SELECT on the histories of migrations; nothing is ever written."""

    host: Text = Field(description="Name or address of the server.")
    port: Annotated[int, Whole(least=1, most=65_535)] = Field(default=5432, description="Its port. Default 5432.")
    database: Text = Field(description="Name of the database.")
    user: Text = Field(description="Role to log in as.")
    password: SecretText | None = Field(
        default=None, description="Its password: {file: /path} or {env: NAME}. None = the server asks for none."
    )
    tls: DatabaseTls = Field(
        default=DatabaseTls.PREFER,
        description="off, prefer (TLS where the server has it), require (any certificate) or verify. Default prefer.",
    )
    ca_file: AbsolutePath | None = Field(
        default=None, description="Of verify: PEM file of the authorities to trust. None = the system's."
    )
    timeout: Annotated[float, Duration(least=0.1, most=60)] = Field(
        default=5.0, description="Seconds for one look, connection included. Default 5 s."
    )


class DatabaseSection(Section):
    """A database: whether it answers (watch-only targets), and what code has to understand of it (`data: check`)."""

    source: Name | None = Field(default=None, description="Which of `postgres`. None = the only one.")
    schemas: tuple[Text, ...] = Field(
        default=(), description="Schemas of the database that the target's code uses. None given = all."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """``database: books`` is the source alone."""
        return {"source": value} if isinstance(value, str) else value

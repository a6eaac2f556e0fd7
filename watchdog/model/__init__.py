"""The records that every layer speaks. Standard library only; no clock, no logging, no I/O.

Import the records from here: ``from watchdog.model import Sample, Health``.
"""

from watchdog.model.codec import MalformedDocument, from_document, iso, parse_instant, to_document
from watchdog.model.database import Schema, SchemaRecord, SchemaSeen
from watchdog.model.decision import Check, Decision, Effect, Mode, Outcome, Permit
from watchdog.model.incident import (
    DRILL,
    Approval,
    CloseReason,
    Entry,
    Evidence,
    EvidenceFile,
    Incident,
    Notice,
    Override,
    Stage,
)
from watchdog.model.pause import Pause, PauseRegister
from watchdog.model.plan import Intent, Plan, Step
from watchdog.model.policy import Budget, DataSafety, TargetPolicy
from watchdog.model.record import Instant, JsonObject, instant, record
from watchdog.model.release import Grade, Release
from watchdog.model.sample import Counts, Reading, Sample, Unknown, Value
from watchdog.model.unit import Act, MinuteCount, UnitRecord, UnitRef
from watchdog.model.verdict import Breach, Health, SignalVerdict, TargetVerdict
from watchdog.model.workload import (
    Confirmation,
    Finding,
    Instance,
    Issue,
    Owner,
    Ownership,
    Progress,
    Resolution,
    StepOutcome,
    WorkloadState,
)

__all__ = [
    "DRILL", "Act", "Approval", "Breach", "Budget", "Check", "CloseReason", "Confirmation", "Counts", "DataSafety", "Decision", "Effect", "Entry",
    "Evidence", "EvidenceFile", "Finding", "Grade", "Health", "Incident", "Instance", "Instant", "Intent", "Issue",
    "JsonObject", "MalformedDocument", "MinuteCount", "Mode", "Notice", "Outcome", "Override", "Owner", "Ownership",
    "Pause", "PauseRegister", "Permit", "Plan", "Progress", "Reading", "Release", "Resolution", "Sample", "Schema", "SchemaRecord", "SchemaSeen", "SignalVerdict",
    "Stage", "Step", "StepOutcome", "TargetPolicy", "TargetVerdict", "UnitRecord", "UnitRef", "Unknown", "Value", "WorkloadState",
    "from_document", "instant", "iso", "parse_instant", "record", "to_document",
]  # fmt: skip

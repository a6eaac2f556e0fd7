"""The configuration: one module a section, a loader with places, and typed views for those who build from it.

Import from here: ``from watchdog.settings import load, ConfigurationRefused, configured, effective, schema``.
"""

from watchdog.settings.access import (
    Above,
    CommandPrograms,
    ConfiguredSignal,
    ConfiguredTarget,
    Consecutive,
    KubernetesWorkload,
    PodAddress,
    Request,
    Share,
    Weighed,
    Weights,
    configured,
    fires_after,
    mode_of,
    policy_of,
    windows,
)
from watchdog.settings.effective import effective
from watchdog.settings.loader import Loaded, hash_of, load, load_text
from watchdog.settings.problems import ConfigurationRefused, Problem
from watchdog.settings.root import Settings
from watchdog.settings.schema import schema

__all__ = [
    "Above",
    "CommandPrograms",
    "ConfigurationRefused",
    "ConfiguredSignal",
    "ConfiguredTarget",
    "Consecutive",
    "KubernetesWorkload",
    "Loaded",
    "PodAddress",
    "Problem",
    "Request",
    "Settings",
    "Share",
    "Weighed",
    "Weights",
    "configured",
    "effective",
    "fires_after",
    "hash_of",
    "load",
    "load_text",
    "mode_of",
    "policy_of",
    "schema",
    "windows",
]

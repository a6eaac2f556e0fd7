"""Raw Kubernetes calls: JSON in, JSON out, every status checked by us.

Neighbours: `platforms.kubernetes` and later the Kubernetes store and lease stand on this. Importing this package is
cheap; the Kubernetes library (1.5 s, 960 modules) is imported when the first client is opened, so an installation
without a Kubernetes target never pays for it.
"""

from watchdog.clients.kubernetes.client import (
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE,
    KubernetesClient,
    Text,
    api_path,
)
from watchdog.clients.kubernetes.connection import Connection
from watchdog.clients.kubernetes.errors import (
    ConflictLost,
    Forbidden,
    Invalid,
    KubernetesError,
    NotFound,
    ServerTrouble,
    Throttled,
    Unreachable,
)
from watchdog.clients.kubernetes.watching import Watches

__all__ = [
    "JSON_PATCH",
    "MERGE_PATCH",
    "STRATEGIC_MERGE",
    "ConflictLost",
    "Connection",
    "Forbidden",
    "Invalid",
    "KubernetesClient",
    "KubernetesError",
    "NotFound",
    "ServerTrouble",
    "Text",
    "Throttled",
    "Unreachable",
    "Watches",
    "api_path",
]

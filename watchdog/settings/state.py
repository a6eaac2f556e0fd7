"""Section `state`: where the watchdog keeps what it must not forget (pauses, incidents, intents, grades of releases)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from watchdog.settings.section import Later, Section, later
from watchdog.settings.values import AbsolutePath, Duration, Flag, KubernetesName, Text

DEFAULT_SQLITE = "/var/lib/watchdog/state.db"


class KubernetesStateSection(Section):
    """State in Secrets of a namespace, and a Lease that lets one of several daemons act."""

    namespace: KubernetesName = Field(description="Namespace of the Secrets and the Lease: the watchdog's own.")
    name: KubernetesName = Field(
        default="watchdog",
        description="Name of the Lease and of the store: daemons of one name are one. Default watchdog.",
    )
    lease: Annotated[float, Duration(least=10, most=600)] = Field(
        default=15.0,
        description="Seconds after which another daemon takes over from one that is gone. Default 15 s. Longer than the longest "
        "write: a helm or command rollback needs minutes.",
    )
    objects: Annotated[bool, Flag()] = Field(
        default=False,
        description="true = pauses and incidents also as objects of that namespace (`kubectl get incidents`, `kubectl apply -f pause.yaml`). "
        "Needs deploy/kubernetes/objects; while pauses cannot be listed nothing is done. Default false.",
    )
    context: Text | None = Field(default=None, description="Context of the kubeconfig. None = the current one.")
    kubeconfig: AbsolutePath | None = Field(
        default=None, description="A kubeconfig. None = KUBECONFIG, ~/.kube/config, or the pod's own service account."
    )


class StateSection(Section):
    """One of `sqlite`, `kubernetes` and `memory`."""

    sqlite: AbsolutePath | None = Field(
        default=None,
        description="Absolute path of the SQLite file, on a local disk (not SMB or NFS: their locks fail). "
        f"None and no other store given = {DEFAULT_SQLITE}, because state that survives a restart is what keeps a "
        "pause a pause.",
    )
    memory: Annotated[bool, Flag()] = Field(
        default=False,
        description="true = keep state in memory only; everything is forgotten at exit, pauses too. For trials. "
        "Default false.",
    )
    kubernetes: KubernetesStateSection | None = Field(
        default=None, description="State in the cluster, for one or more daemons. None = another store."
    )
    blob: Later = later("state in an Azure blob")

    @property
    def sqlite_path(self) -> str:
        """The file in force; empty when state is elsewhere."""
        return "" if self.memory or self.kubernetes else self.sqlite or DEFAULT_SQLITE

"""Kubernetes: Deployments, StatefulSets and DaemonSets, read and rolled back by raw JSON.

Neighbours: `clients.kubernetes` below, `ports.Platform`, `ports.PlatformWriter` and `ports.EvidenceSource` as the faces.
`docs/kubernetes-platform.md` tells an operator what this does and refuses.
"""

from watchdog.platforms.kubernetes.kinds import KubernetesTarget
from watchdog.platforms.kubernetes.permissions import Permission
from watchdog.platforms.kubernetes.platform import KubernetesPlatform
from watchdog.platforms.kubernetes.writer import KubernetesWriter

__all__ = ["KubernetesPlatform", "KubernetesTarget", "KubernetesWriter", "Permission"]

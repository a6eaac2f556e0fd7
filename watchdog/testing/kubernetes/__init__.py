"""A fake Kubernetes API server for fast tests: a real aiohttp server with raw JSON, versions, patches and a controller.

Neighbours: speaks to any client; nothing here imports the watchdog's own. Guarantees: what a rollback depends on behaves as
in a cluster - resourceVersion and 409, `$patch: replace`, dry run, observedGeneration, ReplicaSets and
ControllerRevisions that are re-used with a new number, pods per revision, logs that answer 400. Not guaranteed: admission,
defaulting, RBAC beyond `deny`, the watch verb.
"""

from watchdog.testing.kubernetes.controllers import Behaviour
from watchdog.testing.kubernetes.server import FakeKubernetes, Fault, Seen

__all__ = ["Behaviour", "FakeKubernetes", "Fault", "Seen"]

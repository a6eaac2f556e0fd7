"""Reading: the records of one Helm release, newest first, and the workloads of what runs.

Role: the only place that asks the API server for Helm. Neighbours: `records` decodes; `platform` and `writer` conclude.
Guarantees: a record is fetched and decoded once (they never change but for their status, which the resource version tells);
listing asks for metadata alone, so values do not travel with every look; "could not be found out" raises `Unavailable`, also
where there is no such release.
"""

from __future__ import annotations

from watchdog.clients.kubernetes import KubernetesClient, api_path
from watchdog.clients.kubernetes.client import METADATA_LIST
from watchdog.model import JsonObject, UnitRef, record
from watchdog.platforms.helm.records import Record, Undecodable, record_of
from watchdog.platforms.kubernetes.reading import READ_S, WorkloadMissing, together
from watchdog.ports import Unavailable

NEWEST = 12
"""Records that are read; Helm keeps ten unless told otherwise."""


@record
class HelmTarget:
    """Which release a target names, and how helm is run. Empty `kubeconfig`, `context` = the usual."""

    target: str
    namespace: str
    release: str
    program: str = "helm"
    kubeconfig: str = ""
    context: str = ""
    timeout_s: float = 120.0

    @property
    def label(self) -> str:
        """How sentences name it."""
        return f"Helm release {self.namespace}/{self.release}"


class Records:
    """Reads the records of one release."""

    def __init__(self, client: KubernetesClient, config: HelmTarget) -> None:
        """Nothing is asked yet."""
        self.client, self.config = client, config
        self._known: dict[str, tuple[str, Record]] = {}

    async def newest_first(self) -> tuple[Record, ...]:
        """All records that are kept, at most `NEWEST`. Raises WorkloadMissing, Unavailable."""
        config = self.config
        path = api_path("v1", "secrets", config.namespace)
        selector = f"owner=helm,name={config.release}"
        listed = await self.client.list(path, label_selector=selector, accept=METADATA_LIST, timeout_s=READ_S)
        newest = sorted(listed, key=_version, reverse=True)[:NEWEST]
        if not newest:
            raise WorkloadMissing(f"{config.label} does not exist, or keeps no records in Secrets")
        found = await together(*(self._record(entry) for entry in newest))
        self._known = {name: kept for name, kept in self._known.items() if name in {_name(entry) for entry in newest}}
        return tuple(sorted(found, key=lambda one: one.version, reverse=True))

    def unit(self, newest: Record) -> UnitRef:
        """The unit of rollback. A release that was uninstalled and installed again is another one."""
        config = self.config
        uid = f"{config.namespace}/{config.release}/{newest.first_deployed:.3f}"
        return UnitRef(target=config.target, platform="helm", uid=uid, name=f"{config.namespace}/{config.release}")

    async def _record(self, entry: JsonObject) -> Record:
        name, version = _name(entry), str(entry["metadata"].get("resourceVersion", ""))
        known = self._known.get(name)
        if known is not None and known[0] == version:
            return known[1]
        secret = await self.client.get(api_path("v1", "secrets", self.config.namespace, name), timeout_s=READ_S)
        try:
            decoded = record_of(secret, self.config.namespace)
        except Undecodable as error:
            raise Unavailable(f"{self.config.label}: {error}") from None
        self._known[name] = (str(secret["metadata"].get("resourceVersion", "")), decoded)
        return decoded


def _name(entry: JsonObject) -> str:
    return str(entry["metadata"]["name"])


def _version(entry: JsonObject) -> int:
    tail = _name(entry).rpartition(".v")[2]
    return int(tail) if tail.isdecimal() else 0

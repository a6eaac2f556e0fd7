"""How to reach a cluster: kubeconfig or the pod's service account, and credentials that stay fresh.

Neighbours: `client` opens one API client from here. Guarantees: the library is imported here and only when a client is
opened; nothing is written back to a kubeconfig; credentials of an exec plugin are renewed when they expire, those of
any kind once more when the server says 401. Not guaranteed: the plugin's standard input is the daemon's own (the
library's choice), so a plugin that asks questions only ends at its deadline.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from watchdog.clients.kubernetes.errors import MESSAGE_CAP, Unreachable
from watchdog.clients.kubernetes.library import library
from watchdog.model import record

USER_AGENT = "rollback-watchdog"
CREDENTIAL_DEADLINE_S = 15.0
"""How long an exec plugin may take: token services answer within seconds."""
_EXPIRY_CHECK_S = 30.0
"""How often the expiry of an exec plugin's credential is looked at (the look is free, a renewal is a process)."""


@record
class Connection:
    """Where the cluster is. All empty: the pod's service account when there is one, else the user's kubeconfig."""

    kubeconfig: str = ""
    """Path; several with the system's path separator. Empty = KUBECONFIG, then ``~/.kube/config``."""
    context: str = ""
    """Empty = the current context of the file."""
    in_cluster: bool = False
    """Insist on the pod's service account."""
    lenient_certificates: bool = False
    """Accept CAs without the extensions that Python 3.13 demands; the chain is still verified."""


Renew = Callable[[], Awaitable[None]]


async def open_api(connection: Connection) -> tuple[Any, Renew]:
    """An API client of the library, and what renews its credential at once. Raises Unreachable with the reason."""
    used = library()
    # At DEBUG this logger prints whole answers, which may be Secrets.
    logging.getLogger("kubernetes_asyncio.client.rest").setLevel(logging.INFO)
    configuration = type.__call__(used.configuration)
    configuration.disable_strict_ssl_verification = connection.lenient_certificates
    renew = await _load(connection, configuration)
    # Watches hold a connection each for minutes: within a bound of the pool they would starve every call. `client` bounds calls.
    configuration.connection_pool_maxsize = 0
    try:
        api = used.api_client(configuration=configuration)
    except OSError as error:  # ssl.SSLError too: a CA or key that cannot be used
        raise Unreachable(f"the TLS material of the cluster cannot be used: {_short(error)}") from error
    api.user_agent = USER_AGENT
    # aiohttp would silently send a DELETE again when a kept connection drops; whether to is for us to say.
    api.rest_client.pool_manager._retry_connection = False  # noqa: SLF001 - there is no other switch; a test guards it
    return api, renew


async def _load(connection: Connection, configuration: Any) -> Renew:
    if connection.in_cluster or (not _kubeconfig(connection) and "KUBERNETES_SERVICE_HOST" in os.environ):
        return _load_in_cluster(configuration)
    return await _load_kubeconfig(connection, configuration)


def _kubeconfig(connection: Connection) -> str:
    return connection.kubeconfig or os.environ.get("KUBECONFIG", "")


def _existing_kubeconfig(connection: Connection) -> str:
    path = _kubeconfig(connection) or str(Path("~/.kube/config").expanduser())
    if not any(Path(part).expanduser().is_file() for part in path.split(os.pathsep) if part):
        raise Unreachable(f"no kubeconfig at {path}")
    return path


def _load_in_cluster(configuration: Any) -> Renew:
    config = library().config
    load: Any = config.load_incluster_config
    try:
        load(client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        raise Unreachable(f"no service account of a pod can be used: {_short(error)}") from error
    _strip_token(configuration)

    async def renew() -> None:
        load(client_configuration=configuration)
        _strip_token(configuration)

    return renew


def _strip_token(configuration: Any) -> None:
    """The library sends the file as it is; a newline at its end would make an impossible header."""
    reread = configuration.refresh_api_key_hook

    def hook(of: Any) -> None:
        reread(of)
        of.api_key["BearerToken"] = of.api_key["BearerToken"].strip()

    configuration.refresh_api_key_hook = hook


async def _load_kubeconfig(connection: Connection, configuration: Any) -> Renew:
    import yaml  # noqa: PLC0415 - belongs to the lazily imported part

    config = library().config
    path = _existing_kubeconfig(connection)
    try:
        async with asyncio.timeout(CREDENTIAL_DEADLINE_S):
            loader = await config.load_kube_config(
                config_file=path,
                context=connection.context or None,
                client_configuration=configuration,
                persist_config=False,
            )
    except TimeoutError as error:
        raise Unreachable(f"the credential plugin of {path} did not end within {CREDENTIAL_DEADLINE_S:g} s") from error
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreachable(f"the kubeconfig {path} cannot be used: {_short(error)}") from error
    return _keep_fresh(loader, configuration)


def _keep_fresh(loader: Any, configuration: Any) -> Renew:
    """Renew an exec plugin's credential when it expires; the returned call renews whatever the kind, at once."""
    config = library().config
    lock = asyncio.Lock()
    looked = asyncio.get_running_loop().time()

    async def load() -> None:
        try:
            async with lock, asyncio.timeout(CREDENTIAL_DEADLINE_S):
                await loader.load_and_set(configuration)
        except TimeoutError as error:
            raise Unreachable("the credential plugin did not end in time") from error
        except (config.ConfigException, OSError, ValueError, KeyError, TypeError) as error:
            raise Unreachable(f"the credential could not be renewed: {_short(error)}") from error

    async def look(_configuration: Any) -> None:
        nonlocal looked
        now = asyncio.get_running_loop().time()
        if hasattr(loader, "exec_plugin_expiry") and now - looked >= _EXPIRY_CHECK_S:
            looked = now
            await load()

    async def renew() -> None:
        if hasattr(loader, "exec_plugin_expiry"):
            # The server says no before the plugin's own date: the date is worth nothing.
            del loader.exec_plugin_expiry
        await load()

    configuration.refresh_api_key_hook = look
    return renew


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:MESSAGE_CAP]

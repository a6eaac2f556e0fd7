"""The part of kubernetes_asyncio that we use, without the part that we do not.

Role: the one place that imports the library. Any ordinary import of it runs two packages whose only work is to load some
900 generated classes: a second, and a third of the daemon's memory, for typed models that drop unknown fields and that
we therefore never use. Here both packages are entered without being run, and only the client, its configuration and the
loaders of credentials are imported. Guarantees: where the library is built otherwise than expected, the whole of it is
imported instead; where it was imported before, that is used. Not guaranteed: that other code of the same process finds
typed models after `library` was called first.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

from watchdog.model import record

ROOT = "kubernetes_asyncio"
CLIENT = f"{ROOT}.client"
MODELS = f"{CLIENT}.models"
CONFIG = f"{ROOT}.config"


@record
class Library:
    """What we use: the class of the API client, that of its configuration, and the module that loads credentials."""

    api_client: Any
    configuration: Any
    config: Any


def library() -> Library:
    """The library, imported at the first call. Raises ImportError when it is not installed."""
    if ROOT not in sys.modules:
        try:
            return _lean()
        except (ImportError, AttributeError):
            _forget()
    client, config = importlib.import_module(CLIENT), importlib.import_module(CONFIG)
    return Library(api_client=client.ApiClient, configuration=client.Configuration, config=config)


def _lean() -> Library:
    root, client = _entered(ROOT), _entered(CLIENT)
    models = ModuleType(MODELS, "Left out on purpose: see watchdog.clients.kubernetes.library.")
    sys.modules[MODELS] = models
    vars(root)["client"], vars(client)["models"] = client, models
    configuration = importlib.import_module(f"{CLIENT}.configuration").Configuration
    api_client = importlib.import_module(f"{CLIENT}.api_client").ApiClient
    vars(client).update(Configuration=configuration, ApiClient=api_client)  # where the loaders look for them
    return Library(api_client=api_client, configuration=configuration, config=importlib.import_module(CONFIG))


def _entered(name: str) -> ModuleType:
    """A package whose modules can be imported, without having been run itself."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"{name} is no package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    return module


def _forget() -> None:
    for name in [name for name in sys.modules if name == ROOT or name.startswith(f"{ROOT}.")]:
        del sys.modules[name]

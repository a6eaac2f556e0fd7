"""Azure Container Apps: revisions, traffic, and the two ways back."""

from watchdog.platforms.container_app.platform import ContainerAppPlatform
from watchdog.platforms.container_app.reading import ContainerAppTarget
from watchdog.platforms.container_app.writer import ContainerAppWriter

__all__ = ["ContainerAppPlatform", "ContainerAppTarget", "ContainerAppWriter"]

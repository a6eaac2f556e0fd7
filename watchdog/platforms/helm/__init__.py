"""Helm releases: read from their own records, put back by the real `helm` program."""

from watchdog.platforms.helm.platform import HelmPlatform
from watchdog.platforms.helm.reading import HelmTarget
from watchdog.platforms.helm.writer import HelmWriter

__all__ = ["HelmPlatform", "HelmTarget", "HelmWriter"]

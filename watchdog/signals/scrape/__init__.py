"""Evidence from each instance's own metrics page, where no Prometheus stands between."""

from watchdog.signals.scrape.page import Selector
from watchdog.signals.scrape.questions import Part, Slow, Within
from watchdog.signals.scrape.signal import Pages, ScrapeSignal

__all__ = ["Pages", "Part", "ScrapeSignal", "Selector", "Slow", "Within"]

"""Evidence from Prometheus and what speaks its language (Thanos, Mimir, Azure Managed Prometheus)."""

from watchdog.signals.prometheus.questions import Expression, Limit, Quantile, Ratio
from watchdog.signals.prometheus.signal import PrometheusSignal
from watchdog.signals.prometheus.source import Access, PrometheusSource

__all__ = ["Access", "Expression", "Limit", "PrometheusSignal", "PrometheusSource", "Quantile", "Ratio"]

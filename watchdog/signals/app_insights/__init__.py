"""Evidence from Application Insights: requests of users as the service itself has reported them."""

from watchdog.signals.app_insights.signal import AppInsightsSignal
from watchdog.signals.app_insights.workspace import Question, Workspace

__all__ = ["AppInsightsSignal", "Question", "Workspace"]

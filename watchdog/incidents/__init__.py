"""The incident bundle: where its files lie, what is captured before a write, and how it is told afterwards."""

from watchdog.incidents.capture import Caps, Capture, bundle, capture
from watchdog.incidents.directory import DirectoryFiles
from watchdog.incidents.markdown import report_markdown
from watchdog.incidents.recorder import IncidentRecorder, WrittenReport, report_path, write_report
from watchdog.incidents.report import headline, report_json
from watchdog.incidents.template_diff import Difference, template_diff
from watchdog.incidents.timeline import spans, timeline

__all__ = [
    "Caps",
    "Capture",
    "Difference",
    "DirectoryFiles",
    "IncidentRecorder",
    "WrittenReport",
    "bundle",
    "capture",
    "headline",
    "report_json",
    "report_markdown",
    "report_path",
    "spans",
    "template_diff",
    "timeline",
    "write_report",
]

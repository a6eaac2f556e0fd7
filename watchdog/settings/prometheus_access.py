"""What the builders get of the sections `prometheus`: servers with their credentials, and questions with everything resolved.

Role: the part of `settings.access` that knows Prometheus. Pure. Guarantees: presets have become selectors, and the source
is a name that is configured (``crosscheck`` refuses others).
"""

from __future__ import annotations

from dataclasses import field

from watchdog.model import record
from watchdog.settings.presets import counters_of
from watchdog.settings.prometheus import PrometheusSection, PrometheusSourceSection
from watchdog.settings.root import Settings

USUAL_EVERY = 15.0
EXPRESSION_EVERY = 60.0
"""An expression counts over the time between two polls, which must hold several scrapes."""
INTERVAL = "$interval"


@record
class PrometheusServer:
    """One server. Password and headers may be secret: not in repr."""

    name: str
    url: str
    scrape_s: float | None
    lag_s: float
    timeout_s: float
    token_file: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    verify: bool = True


@record
class PrometheusQuestion:
    """One question. `part` and `every` = counters or expressions (`good` = the part is the good one); or a histogram; or a value."""

    server: PrometheusServer
    part: str = ""
    every: str = ""
    good: bool = False
    histogram: str = ""
    within_s: float = 0.0
    quantile: float | None = None
    min_events: int = 20
    value: str = ""
    above: float | None = None
    below: float | None = None
    pod_label: str = "pod"
    version_label: str = ""

    @property
    def is_expression(self) -> bool:
        """Counted over $interval, not read scrape by scrape."""
        return INTERVAL in self.every

    @property
    def counts_requests(self) -> bool:
        """Its events are requests, bad ones the failed."""
        return bool(self.every)


def source_of(settings: Settings, section: PrometheusSection) -> tuple[str, PrometheusSourceSection] | None:
    """Name and section of the server a signal asks; None when it names none that is there."""
    if section.source is None:
        only = list(settings.prometheus.items())
        return only[0] if len(only) == 1 else None
    found = settings.prometheus.get(section.source)
    return None if found is None else (section.source, found)


def every_of_question(settings: Settings, section: PrometheusSection) -> float:
    """Seconds between two polls where nobody says them: the scrape interval."""
    if INTERVAL in (section.every_ or ""):
        return EXPRESSION_EVERY
    found = source_of(settings, section)
    return (found[1].scrape_interval if found else None) or USUAL_EVERY


def question_of(settings: Settings, section: PrometheusSection) -> PrometheusQuestion:
    """The question of one signal. Raises ValueError for a source that is not there."""
    found = source_of(settings, section)
    if found is None:
        raise ValueError("the source is not configured")
    part, every = section.good or section.bad or "", section.every_ or ""
    if section.preset is not None:
        part, every = counters_of(section)
    return PrometheusQuestion(
        server=server_of(*found),
        part=part,
        every=every,
        good=section.good is not None,
        histogram=section.histogram or "",
        within_s=section.within or 0.0,
        quantile=section.quantile,
        min_events=section.min_events,
        value=section.value or "",
        above=section.above,
        below=section.below,
        pod_label=section.pod_label,
        version_label=section.version_label or "",
    )


def server_of(name: str, section: PrometheusSourceSection) -> PrometheusServer:
    """One server."""
    return PrometheusServer(
        name=name,
        url=section.url,
        scrape_s=section.scrape_interval,
        lag_s=section.lag,
        timeout_s=section.timeout,
        token_file=section.token_file or "",
        user=section.user or "",
        password=section.password.get_secret_value() if section.password else "",
        headers=tuple((key, value.get_secret_value()) for key, value in section.headers.items()),
        ca_file=section.ca_file or "",
        cert_file=section.cert_file or "",
        key_file=section.key_file or "",
        verify=section.verify,
    )

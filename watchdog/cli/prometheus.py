"""From configured questions to signals that ask Prometheus.

Role: the composition root's part for Prometheus; imported only when a signal needs it. Guarantees: one source, with its
threads and connections, for all signals that ask the same server in the same way.
"""

from __future__ import annotations

from typing import Any

from watchdog.ports import Clock
from watchdog.settings.access import ConfiguredSignal
from watchdog.settings.prometheus_access import PrometheusQuestion, PrometheusServer
from watchdog.signals.prometheus import Access, Expression, Limit, PrometheusSignal, PrometheusSource, Quantile, Ratio
from watchdog.signals.prometheus.questions import Question, slower_than
from watchdog.signals.prometheus.series import Labels


def signal_of(
    entry: ConfiguredSignal, asked: PrometheusQuestion, sources: dict[PrometheusServer, Any], clock: Clock
) -> PrometheusSignal:
    """The signal of one entry; its source is made, or taken from `sources`."""
    source = sources.setdefault(asked.server, _source(asked.server, clock))
    return PrometheusSignal(
        entry.name,
        question_of(asked),
        source,
        clock,
        every_s=entry.every_s,
        labels=Labels(pod=asked.pod_label, version=asked.version_label),
        counts_users=entry.counts_users,
    )


def question_of(asked: PrometheusQuestion) -> Question:
    """The question in the signal's own words. Raises ValueError for one that cannot be asked."""
    if asked.value:
        return Limit(asked.value, above=asked.above, below=asked.below)
    if asked.histogram and asked.quantile is not None:
        return Quantile(asked.histogram, asked.quantile, asked.within_s, asked.min_events)
    if asked.histogram:
        return slower_than(asked.histogram, asked.within_s)
    if asked.is_expression:
        return Expression(asked.part, asked.every)
    return Ratio(asked.part, asked.every, good=asked.good)


def _source(server: PrometheusServer, clock: Clock) -> PrometheusSource:
    return PrometheusSource(
        server.name,
        Access(
            url=server.url,
            timeout_s=server.timeout_s,
            token_file=server.token_file,
            user=server.user,
            password=server.password,
            headers=server.headers,
            ca_file=server.ca_file,
            cert_file=server.cert_file,
            key_file=server.key_file,
            verify=server.verify,
            scrape_s=server.scrape_s,
            lag_s=server.lag_s,
        ),
        clock,
    )

"""What the builders get of a section `scrape`, and what of it does not fit together.

Role: the part of `settings.access` and of `crosscheck` that knows metrics pages. Pure. Guarantees: presets have become selectors,
and every selector can be evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from watchdog.model import record
from watchdog.settings.presets import own_counters
from watchdog.settings.problems import Trail
from watchdog.settings.scrape import OwnPreset, ScrapeSection
from watchdog.settings.selectors import Selector, selector_of
from watchdog.settings.wording import Finding

SHAPES = "bad and all, a preset, a histogram, or a value"
_OWN = {
    "all": ("bad", "good"),
    "preset": ("status_label",),
    "histogram": ("within",),
    "value": ("above", "below"),
}


@record
class Page:
    """Where each instance's page is. `port` 0 = the one that the platform names. Header values may be secrets: not in repr."""

    port: int
    path: str
    scheme: str
    timeout_s: float
    ca_file: str = ""
    verify: bool = True
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@record
class PageQuestion:
    """One question: `part` of `every` (`good` = the part is the good one); or a histogram; or a value."""

    page: Page
    part: Selector | None = None
    every: Selector | None = None
    good: bool = False
    histogram: Selector | None = None
    within_s: float = 0.0
    value: Selector | None = None
    above: float | None = None
    below: float | None = None

    @property
    def counts_requests(self) -> bool:
        """Its events are requests, bad ones the failed."""
        return self.every is not None


def page_question_of(section: ScrapeSection, timeout_s: float) -> PageQuestion:
    """The question of one signal. Raises ValueError for a selector that cannot be read."""
    part, every = section.good or section.bad, section.every_
    if section.preset is not None:
        part, every = own_counters(section.preset.value, section.status_label or "")
    return PageQuestion(
        page=Page(
            port=section.tcp or 0,
            path=section.path,
            scheme=section.scheme.value,
            timeout_s=timeout_s,
            ca_file=section.ca_file or "",
            verify=section.verify,
            headers=tuple((name, value.get_secret_value()) for name, value in section.headers.items()),
        ),
        part=_read(part),
        every=_read(every),
        good=section.good is not None,
        histogram=_read(section.histogram),
        within_s=section.within or 0.0,
        value=_read(section.value),
        above=section.above,
        below=section.below,
    )


def _read(text: str | None) -> Selector | None:
    return None if text is None else selector_of(text)


def question(trail: Trail, section: ScrapeSection, every: float) -> Iterator[Finding]:
    """What of one question cannot be meant; `trail` leads to its section."""
    said = [shape for shape in _OWN if _said(section, shape)]
    if len(said) != 1:
        found = f"found {' and '.join(said)}" if said else "found none"
        involves = tuple((*trail, key) for key in ("preset", "bad", "good", "all", "histogram", "value"))
        yield Finding(trail=trail, message=f"asks for exactly one of: {SHAPES}; {found}", involves=involves)
        return
    for other, keys in _OWN.items():
        for key in keys:
            if other != said[0] and key in section.model_fields_set:
                message = f"says nothing beside `{said[0]}`: it belongs to `{other}`"
                yield Finding(trail=(*trail, key), message=message)
    yield from _shape(trail, section, said[0])
    yield from _selectors(trail, section)
    if section.timeout is not None and section.timeout >= every:
        yield Finding(trail=(*trail, "timeout"), message="is not shorter than `every`: pages would wait for each other")


def _said(section: ScrapeSection, shape: str) -> bool:
    return getattr(section, "every_" if shape == "all" else shape) is not None


def _shape(trail: Trail, section: ScrapeSection, shape: str) -> Iterator[Finding]:
    if shape == "all" and (section.bad is None) == (section.good is None):
        yield Finding(trail=trail, message="`all` needs exactly one of `bad` and `good`")
    if shape == "preset" and section.status_label is not None and section.preset is not OwnPreset.REQUESTS_TOTAL:
        yield Finding(trail=(*trail, "status_label"), message="belongs to the preset requests_total")
    if shape == "histogram" and section.within is None:
        yield Finding(trail=(*trail, "histogram"), message="needs `within`: what is slower is bad")
    if shape == "value" and (section.above is None) == (section.below is None):
        yield Finding(trail=(*trail, "value"), message="needs exactly one of `above` and `below`")


def _selectors(trail: Trail, section: ScrapeSection) -> Iterator[Finding]:
    for key, text in (
        ("bad", section.bad),
        ("good", section.good),
        ("all", section.every_),
        ("histogram", section.histogram),
        ("value", section.value),
    ):
        if text is None:
            continue
        try:
            found = selector_of(text)
        except ValueError as error:
            yield Finding(trail=(*trail, key), message=str(error))
            continue
        if key == "histogram" and found.metric.endswith(("_bucket", "_count", "_sum")):
            stem = found.metric.rpartition("_")[0]
            yield Finding(trail=(*trail, key), message="is named without its suffix", hint=f"did you mean {stem}?")

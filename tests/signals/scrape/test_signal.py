"""What is concluded from metrics pages, and from what nothing is.

Guards that were removed once to see a test fail: the doubt after counters went back, the look that must have been short ago for a new
instance to count from zero, the age of a restarted process, the cut page, the end of a poll that waits for one page.
"""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

from tests.signals.scrape.world import ALL, EVERY_S, World, world
from watchdog.model import Counts, Unknown
from watchdog.signals.scrape import Part, Selector, Slow, Within
from watchdog.signals.scrape.growth import GAP_S, TRUST_LOOKS


@pytest_asyncio.fixture
async def shop():
    async with world() as made:
        await made.start("api-a")
        made.pods[0].serve(good=1000, bad=7)
        yield made


def counted(samples):
    """By instance: (good, bad). Everything must have counted."""
    assert all(isinstance(sample.reading, Counts) for sample in samples), samples
    return {sample.instance: (sample.reading.good, sample.reading.bad) for sample in samples}


def reason(samples):
    (one,) = samples
    assert isinstance(one.reading, Unknown), samples
    return one.reading.reason


@pytest.mark.asyncio
async def test_what_happened_before_the_first_look_counts_for_nobody(shop: World):
    signal = shop.signal()
    assert await shop.poll(signal) == []
    shop.pods[0].serve(good=8, bad=2)
    (sample,) = await shop.poll(signal)
    assert (sample.reading.good, sample.reading.bad) == (8, 2)
    assert sample.end - sample.start == pytest.approx(EVERY_S, abs=0.2)
    assert sample.release == "good"
    assert sample.detail == "2 bad of 10 events on api-a in 5 s"
    assert counted(await shop.poll(signal)) == {"api-a": (0, 0)}


@pytest.mark.asyncio
async def test_old_and_new_release_are_counted_side_by_side(shop: World):
    new = await shop.start("api-b", "bad")
    signal = shop.signal()
    await shop.poll(signal)
    shop.pods[0].serve(good=10)
    new.serve(good=5, bad=5)
    samples = await shop.poll(signal)
    assert {(one.instance, one.release) for one in samples} == {("api-a", "good"), ("api-b", "bad")}
    assert counted(samples) == {"api-a": (10, 0), "api-b": (5, 5)}


@pytest.mark.asyncio
async def test_a_pod_that_came_between_two_looks_counts_from_its_first_request(shop: World):
    signal = shop.signal()
    await shop.poll(signal)
    new = await shop.start("api-b", "bad")
    new.serve(bad=3)
    samples = await shop.poll(signal)
    assert counted(samples)["api-b"] == (0, 3)


@pytest.mark.asyncio
async def test_after_a_long_time_without_looks_a_new_pod_may_be_old_and_begins_at_its_next_look(shop: World):
    signal = shop.signal()
    await shop.poll(signal)
    new = await shop.start("api-b", "bad")
    new.serve(bad=300)
    shop.pods.remove(shop.pods[0])
    assert await shop.poll(signal, after=GAP_S + 1) == []
    new.serve(good=4)
    assert counted(await shop.poll(signal)) == {"api-b": (4, 0)}


@pytest.mark.asyncio
async def test_a_new_pod_whose_page_could_not_be_read_for_long_begins_at_its_first_page(shop: World):
    signal = shop.signal()
    await shop.poll(signal)
    new = await shop.start("api-b", "bad")
    new.status = 503
    await shop.poll(signal)
    new.serve(bad=300)
    new.status = 200
    shop.pods[0].status = 503
    assert "api-a" in reason(await shop.poll(signal, after=GAP_S))
    new.serve(good=4)
    assert counted(await shop.poll(signal)) == {"api-b": (4, 0)}


@pytest.mark.asyncio
async def test_a_pod_that_could_not_be_read_for_a_long_time_begins_anew(shop: World):
    signal = shop.signal()
    await shop.poll(signal)
    shop.pods[0].serve(bad=500)
    assert "not read for" in reason(await shop.poll(signal, after=GAP_S + 1))
    shop.pods[0].serve(good=1)
    assert counted(await shop.poll(signal)) == {"api-a": (1, 0)}


@pytest.mark.asyncio
async def test_a_series_that_is_born_between_two_looks_counts_from_zero(shop: World):
    signal = shop.signal()
    shop.pods[0].counts.pop("500")
    await shop.poll(signal)
    shop.pods[0].serve(bad=4)
    assert counted(await shop.poll(signal)) == {"api-a": (0, 4)}


@pytest.mark.asyncio
async def test_a_pod_without_traffic_shows_no_metric_yet_and_its_first_burst_counts(shop: World):
    signal = shop.signal()
    shop.pods[0].counts.clear()
    assert "matches nothing" in reason(await shop.poll(signal))
    shop.pods[0].serve(bad=6)
    assert counted(await shop.poll(signal)) == {"api-a": (0, 6)}


@pytest.mark.asyncio
async def test_after_a_restart_that_the_workload_tells_of_counters_begin_at_zero(shop: World):
    signal = shop.signal()
    await shop.poll(signal)
    shop.pods[0].restart()
    shop.pods[0].serve(good=1, bad=2)
    assert counted(await shop.poll(signal)) == {"api-a": (1, 2)}


@pytest.mark.asyncio
async def test_a_restart_beside_the_process_does_not_count_everything_again(shop: World):
    signal = shop.signal()
    await shop.poll(signal)
    shop.pods[0].restarts += 1  # of its sidecar
    shop.pods[0].serve(good=1)
    assert counted(await shop.poll(signal)) == {"api-a": (1, 0)}


@pytest.mark.asyncio
async def test_a_restart_is_known_by_the_start_that_the_page_names_also_when_counters_have_passed(shop: World):
    signal, pod = shop.signal(), shop.pods[0]
    pod.counts.clear()
    pod.serve(good=2)
    pod.born = shop.clock.now() - 3600
    await shop.poll(signal)
    pod.counts.clear()
    pod.serve(good=50)
    pod.born = shop.clock.now() + 1
    assert counted(await shop.poll(signal)) == {"api-a": (50, 0)}


@pytest.mark.asyncio
async def test_several_processes_behind_one_address_are_told_by_their_starts_and_count_nothing(shop: World):
    signal, pod = shop.signal(), shop.pods[0]
    pod.born = shop.clock.now() - 3600
    await shop.poll(signal)
    pod.born, pod.counts["500"] = shop.clock.now() - 3000, 900  # a worker that has been there for long
    assert "several processes" in reason(await shop.poll(signal))
    pod.born, pod.counts["500"] = shop.clock.now() - 3600, 7
    assert "several processes" in reason(await shop.poll(signal))


@pytest.mark.asyncio
async def test_counters_that_go_back_without_a_restart_are_not_believed_for_a_while(shop: World):
    signal, pod = shop.signal(), shop.pods[0]
    await shop.poll(signal)
    pod.counts["200"] = 10  # another worker answers
    assert "went back without a restart" in reason(await shop.poll(signal))
    pod.counts["200"] = 1010  # the first again
    for _ in range(TRUST_LOOKS):
        assert "went back before" in reason(await shop.poll(signal))
        pod.serve(good=3)
    assert counted(await shop.poll(signal)) == {"api-a": (3, 0)}


@pytest.mark.asyncio
async def test_a_restart_that_the_workload_tells_of_later_ends_the_doubt(shop: World):
    signal, pod = shop.signal(), shop.pods[0]
    await shop.poll(signal)
    pod.counts.clear()
    pod.serve(good=1)
    assert "without a restart" in reason(await shop.poll(signal))
    pod.restarts += 1
    pod.serve(good=2)
    assert counted(await shop.poll(signal)) == {"api-a": (2, 0)}


@pytest.mark.asyncio
async def test_a_series_that_is_absent_for_a_while_counts_from_where_it_was(shop: World):
    signal, pod = shop.signal(), shop.pods[0]
    await shop.poll(signal)
    kept = pod.counts.pop("500")
    pod.serve(good=1)
    assert counted(await shop.poll(signal)) == {"api-a": (1, 0)}
    assert counted(await shop.poll(signal)) == {"api-a": (0, 0)}
    pod.counts["500"] = kept + 2
    assert counted(await shop.poll(signal)) == {"api-a": (0, 2)}


@pytest.mark.asyncio
async def test_a_pod_whose_release_is_known_later_is_not_counted_twice(shop: World):
    signal = shop.signal()
    await shop.poll(signal)
    new = await shop.start("api-b", None)  # type: ignore[arg-type]  # its ReplicaSet was not read yet
    new.serve(bad=3)
    assert counted(await shop.poll(signal))["api-b"] == (0, 3)
    new.release = "bad"
    new.serve(bad=1)
    samples = await shop.poll(signal)
    assert counted(samples)["api-b"] == (0, 1)
    assert {one.release for one in samples if one.instance == "api-b"} == {"bad"}


@pytest.mark.asyncio
async def test_another_process_under_the_same_name_is_another_instance(shop: World):
    signal = shop.signal()
    await shop.poll(signal)
    old = shop.pods.pop()
    new = await shop.start("api-a", "bad")
    new.serve(bad=2)
    assert old.port != new.port
    samples = await shop.poll(signal)
    assert counted(samples) == {"api-a": (0, 2)}
    assert samples[0].release == "bad"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": 404}, "/metrics answers 404"),
        ({"status": 503}, "/metrics answers 503"),
        ({"body": "<html><body>log in</body></html>"}, "HTML"),
        ({"body": "{}"}, "matches nothing"),
        ({"body": "http_requests_total x\n"}, "cannot be read"),
        ({"body": 'http_requests_total{code="500} 3\n'}, "cannot be read"),
        ({"body": "http_requests_total NaN\n"}, "is nan"),
        ({"body": "http_requests_total -3\n"}, "is -3"),
        ({"body": "http_requests_total +Inf\n"}, "is inf"),
        ({"body": "http_requests_total 1\nhttp_requests_total 2\n"}, "twice"),
        ({"body": "http_requests_total 1 1000\n"}, "s ago"),
        ({"body": "x" * (5 * 1024 * 1024)}, "larger than 4 MiB"),
        ({"body": "".join(f'http_requests_total{{n="{n}"}} 1\n' for n in range(2001))}, "more than 2000 series"),
        ({"headers": {"Content-Encoding": "gzip"}, "body": "\x1f\x8bno gzip"}, "matches nothing"),
    ],
)
async def test_a_page_that_cannot_be_understood_is_unknown_with_its_reason_and_never_bad(shop: World, change, words):
    signal = shop.signal()
    await shop.poll(signal)
    for name, value in change.items():
        setattr(shop.pods[0], name, value)
    assert words in reason(await shop.poll(signal))


@pytest.mark.asyncio
async def test_an_instance_that_gives_nothing_is_said_beside_the_others_numbers(shop: World):
    other = await shop.start("api-b")
    other.serve(good=1)
    signal = shop.signal()
    await shop.poll(signal)
    other.status = 500
    shop.pods[0].serve(good=3)
    (sample,) = await shop.poll(signal)
    assert sample.detail.endswith("(1 of 2 instances give no numbers, api-b: /metrics answers 500)")


@pytest.mark.asyncio
async def test_one_page_that_hangs_keeps_no_other_from_being_counted(shop: World):
    other = await shop.start("api-b")
    other.serve(good=1)
    signal = shop.signal(timeout_s=0.3)
    await shop.poll(signal)
    other.silent.clear()
    shop.pods[0].serve(good=3)
    try:
        (sample,) = await asyncio.wait_for(shop.poll(signal), 2.0)
    finally:
        other.silent.set()
    assert sample.instance == "api-a"
    assert "api-b: no answer within 300 ms" in sample.detail


@pytest.mark.asyncio
async def test_more_hanging_pages_than_are_read_at_once_end_the_poll_in_time_all_the_same(shop: World, monkeypatch):
    monkeypatch.setattr("watchdog.signals.scrape.signal.AT_ONCE", 1)
    others = [await shop.start(f"api-{n}") for n in range(4)]
    signal = shop.signal(timeout_s=0.4)
    await shop.poll(signal)
    for other in others:
        other.silent.clear()
    shop.pods[0].serve(good=3)
    try:
        samples = await asyncio.wait_for(shop.poll(signal), signal.deadline_s)
    finally:
        for other in others:
            other.silent.set()
    assert counted(samples) == {"api-a": (3, 0)}
    assert "4 of 5 instances give no numbers" in samples[0].detail


@pytest.mark.asyncio
async def test_a_pod_that_is_leaving_or_has_no_address_is_not_asked(shop: World):
    signal = shop.signal()
    shop.pods[0].port = 0
    assert "no instance has an address" in reason(await shop.poll(signal))


@pytest.mark.asyncio
async def test_headers_are_sent_and_text_is_asked_for(shop: World):
    signal = shop.signal(headers=(("Authorization", "Bearer book"),))
    await shop.poll(signal)
    (seen,) = shop.pods[0].seen
    assert seen["Authorization"] == "Bearer book"
    assert seen["Accept"].startswith("text/plain;version=0.0.4")


@pytest.mark.asyncio
async def test_a_person_who_looks_takes_nothing_away_from_the_judgement(shop: World):
    signal = shop.signal()
    await shop.poll(signal)
    shop.pods[0].serve(good=8)
    assert counted(await shop.poll(signal.apart(), after=1.0)) == {"api-a": (8, 0)}
    assert counted(await shop.poll(signal)) == {"api-a": (8, 0)}
    assert signal.asked == ("http_requests_total", 'http_requests_total{code=~"5.."}')


# -- other questions -------------------------------------------------------------------------------------------------


def buckets(quick: int, every: int) -> str:
    return (
        f'latency_seconds_bucket{{le="0.5"}} {quick}\nlatency_seconds_bucket{{le="+Inf"}} {every}\n'
        f"latency_seconds_sum 3.5\nlatency_seconds_count {every}\n"
    )


@pytest.mark.asyncio
async def test_requests_slower_than_a_bound_of_the_histogram_are_counted(shop: World):
    signal, pod = (
        shop.signal(Slow(histogram=Selector(metric="latency_seconds", text="latency_seconds"), within_s=0.5)),
        shop.pods[0],
    )
    pod.more = buckets(10, 10)
    await shop.poll(signal)
    pod.more = buckets(15, 18)
    samples = await shop.poll(signal)
    assert counted(samples) == {"api-a": (5, 3)}
    assert "3 slow of 8 events" in samples[0].detail


@pytest.mark.asyncio
async def test_a_limit_that_is_no_bound_is_unknown_and_names_the_bounds(shop: World):
    signal, pod = (
        shop.signal(Slow(histogram=Selector(metric="latency_seconds", text="latency_seconds"), within_s=0.8)),
        shop.pods[0],
    )
    pod.more = buckets(10, 10)
    await shop.poll(signal)
    pod.more = buckets(10, 90)
    assert "0.8 s is none of the bounds of latency_seconds (0.5)" in reason(await shop.poll(signal))


@pytest.mark.asyncio
async def test_good_events_may_be_counted_instead(shop: World):
    good = Selector(metric="http_requests_total", matchers=(("code", "!~", "5.."),), text="good")
    signal = shop.signal(Part(part=good, every=ALL, good=True))
    await shop.poll(signal)
    shop.pods[0].serve(good=6, bad=2)
    assert counted(await shop.poll(signal)) == {"api-a": (6, 2)}


@pytest.mark.asyncio
async def test_a_part_that_counts_more_than_the_whole_is_a_mistake_and_no_fault(shop: World):
    other = Selector(metric="errors_total", text="errors_total")
    signal = shop.signal(Part(part=other, every=ALL))
    shop.pods[0].more = "errors_total 1"
    await shop.poll(signal)
    shop.pods[0].more = "errors_total 40"
    assert "do not match" in reason(await shop.poll(signal))


@pytest.mark.asyncio
async def test_a_value_beyond_its_limit_is_one_bad_event_of_its_instance(shop: World):
    signal = shop.signal(Within(value=Selector(metric="pool_waiting", text="pool_waiting"), above=10))
    shop.pods[0].more = "pool_waiting 11"
    (sample,) = await shop.poll(signal)
    assert (sample.reading.good, sample.reading.bad) == (0, 1)
    assert sample.detail == "11, above 10 on api-a"
    shop.pods[0].more = "pool_waiting 10"
    assert counted(await shop.poll(signal)) == {"api-a": (1, 0)}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("page", "words"),
    [('pool_waiting{a="1"} 1\npool_waiting{a="2"} 1', "2 series"), ("pool_waiting NaN", "no number"), ("", "nothing")],
)
async def test_a_value_that_is_none_or_several_is_unknown(shop: World, page, words):
    signal = shop.signal(Within(value=Selector(metric="pool_waiting", text="pool_waiting"), above=10))
    shop.pods[0].more = page
    assert words in reason(await shop.poll(signal))

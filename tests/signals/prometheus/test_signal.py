"""What a Prometheus signal concludes from every odd answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.signals.prometheus.world import NEW, OLD, RATIO, Labels, counts, reason, world
from watchdog.model import Instance
from watchdog.ports import PollContext
from watchdog.signals.prometheus import Expression, Limit, Quantile, Ratio
from watchdog.signals.prometheus.questions import slower_than
from watchdog.testing.prometheus import Process

pytestmark = pytest.mark.asyncio


async def test_old_and_new_release_are_counted_side_by_side_by_their_pods():
    async with world() as shop:
        signal = shop.signal()
        await shop.poll(signal)
        shop.serve(events=20, bad=5, of=NEW)
        assert counts(await shop.poll(signal)) == {(OLD, "good"): (20, 0), (NEW, "bad"): (20, 5)}


async def test_each_event_is_given_out_once_however_often_it_is_polled():
    async with world() as shop:
        signal = shop.signal()
        await shop.poll(signal)
        total = 0
        for _ in range(14):
            shop.serve(events=7, bad=1, after=9.0)
            for _ in range(2):
                total += sum(one.reading.events for one in await shop.poll(signal))
                shop.clock.step(3.0)
        shop.serve(events=0)
        total += sum(one.reading.events for one in await shop.poll(signal))
        assert total == 14 * 2 * 7


async def test_no_bad_series_with_traffic_is_no_error():
    async with world() as shop:
        assert counts(await shop.poll(shop.signal())) == {(OLD, "good"): (10, 0), (NEW, "bad"): (10, 0)}


async def test_no_traffic_is_no_events_and_not_unknown():
    async with world() as shop:
        signal = shop.signal()
        await shop.poll(signal)
        shop.serve(events=0)
        assert counts(await shop.poll(signal)) == {(OLD, "good"): (0, 0), (NEW, "bad"): (0, 0)}


async def test_a_metric_that_is_not_there_is_unknown():
    async with world() as shop:
        assert "no series matches" in reason(await shop.poll(shop.signal(Ratio("nothing", "nothing_at_all"))))


async def test_data_that_is_not_scraped_any_more_is_unknown_and_names_its_age():
    async with world() as shop:
        signal = shop.signal()
        await shop.poll(signal)
        shop.clock.step(70.0)
        assert "s old: it is not scraped any more" in reason(await shop.poll(signal))


async def test_a_short_gap_of_scrapes_is_silence_and_nothing_is_lost_after_it():
    async with world() as shop:
        signal = shop.signal()
        await shop.poll(signal)
        shop.pods[OLD].add("requests_total", 9, code="200")
        shop.clock.step(30.0)
        assert await shop.poll(signal) == []
        shop.serve(events=1)
        assert counts(await shop.poll(signal))[(OLD, "good")] == (10, 0)


async def test_the_first_errors_of_a_new_pod_are_counted():
    async with world() as shop:
        signal = shop.signal()
        await shop.poll(signal)
        name = "shop-9c4b-ccccc"
        shop.pods[name] = Process({"pod": name, "job": "shop", "instance": f"{name}:8000"})
        young = Instance(name=name, release="bad", ready=True, started=shop.clock.now() + 1.0)
        shop.context = PollContext(state=replace(shop.state, instances=(*shop.state.instances, young)))
        shop.serve(events=4, bad=4, of=name)
        assert counts(await shop.poll(signal))[(name, "bad")] == (4, 4)


async def test_a_pod_that_has_left_counts_for_the_release_of_its_siblings_or_not_at_all():
    async with world() as shop:
        signal = shop.signal()
        await shop.poll(signal)
        gone = replace(shop.state.instances[0], name="shop-7f6d-zzzzz")
        shop.context = PollContext(state=replace(shop.state, instances=(gone, shop.state.instances[1])))
        shop.serve(events=6)
        assert counts(await shop.poll(signal)) == {(OLD, "good"): (6, 0), (NEW, "bad"): (6, 0)}
        stranger = Process({"pod": "cart-1-x", "job": "shop", "instance": "other"})
        shop.pods = {"cart-1-x": stranger}
        for _ in range(4):
            shop.serve(events=6)
            found = await shop.poll(signal)
        assert "belong to no pod of the target" in reason(found)


async def test_without_pods_the_service_is_counted_as_one():
    async with world() as shop:
        signal = shop.signal()
        shop.context = PollContext()
        await shop.poll(signal)
        shop.serve(events=10, bad=1)
        (sample,) = await shop.poll(signal)
        assert (sample.instance, sample.release, sample.reading.events, sample.reading.bad) == (None, None, 20, 2)


async def test_a_version_label_tells_releases_apart_where_no_pod_does():
    async with world() as shop:
        state = replace(shop.state, release=replace(shop.state.release, images={"shop": "registry/shop:1.4.2"}))
        shop.context = PollContext(state=state)
        for name, version in ((OLD, "1.4.1"), (NEW, "1.4.2")):
            shop.pods[name] = Process({"version": version, "job": "shop", "instance": name})
        signal = shop.signal(labels=Labels(version="version"))
        for _ in range(3):
            shop.serve(events=10, bad=2, of=NEW)
            found = counts(await shop.poll(signal))
        current = shop.state.release.fingerprint
        assert found[(None, current)] == (10, 2)
        assert found[(None, "version 1.4.1")] == (10, 0)


async def test_a_counter_of_good_events_gives_the_bad_ones_as_the_rest():
    async with world() as shop:
        signal = shop.signal(Ratio('requests_total{code="200"}', "requests_total", good=True))
        await shop.poll(signal)
        shop.serve(events=10, bad=3)
        assert counts(await shop.poll(signal)) == {(OLD, "good"): (10, 3), (NEW, "bad"): (10, 3)}


async def test_slow_requests_are_counted_from_the_buckets_of_a_histogram():
    async with world() as shop:
        signal = shop.signal(slower_than("seconds", 0.8))
        for slow in (0, 0, 3):
            for process in shop.pods.values():
                process.add("seconds_bucket", 10 - slow, le="0.8")
                process.add("seconds_bucket", 10, le="+Inf")
                process.add("seconds_count", 10)
            shop.serve()
            found = await shop.poll(signal)
        assert counts(found) == {(OLD, "good"): (10, 3), (NEW, "bad"): (10, 3)}
        assert "3 slow of 10 events" in found[0].detail


async def test_a_limit_that_is_no_bound_of_the_histogram_is_unknown_and_says_so():
    async with world() as shop:
        for _ in range(3):
            for process in shop.pods.values():
                process.add("seconds_count", 10)
            shop.serve()
        assert "one of the histogram's bounds" in reason(await shop.poll(shop.signal(slower_than("seconds", 0.8))))


async def test_queries_that_do_not_match_each_other_are_unknown():
    async with world() as shop:
        signal = shop.signal(Ratio("requests_total", 'requests_total{code="500"}'))
        shop.serve(bad=2)
        shop.serve(bad=2)
        assert "do not match" in reason(await shop.poll(signal))


async def test_warnings_of_the_source_mean_partial_data_and_are_unknown():
    async with world() as shop:
        shop.server.warnings = ["store gateway: no answer"]
        assert "partial: store gateway: no answer" in reason(await shop.poll(shop.signal()))


async def test_a_clock_far_behind_is_noticed_and_said():
    async with world() as shop:
        signal = shop.signal(Limit("depth", above=100))
        shop.pods[OLD].add("depth", 5)
        shop.serve()
        assert counts(await shop.poll(signal)) == {(None, None): (1, 0)}
        shop.clock.step(120.0)
        assert "120 s old" in reason(await shop.poll(signal)) or "nothing" in reason(await shop.poll(signal))


# -- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "value", "bad"),
    [
        (Limit("q", above=100), 120, 1),
        (Limit("q", above=100), 100, 0),
        (Limit("q", below=1), 0, 1),
        (Limit("q", below=1), 1, 0),
    ],
)
async def test_a_value_is_one_event_against_its_limit(limit, value, bad):
    async with world() as shop:
        shop.pods[OLD].add("q", value)
        shop.serve()
        (sample,) = await shop.poll(shop.signal(limit))
        assert (sample.reading.events, sample.reading.bad) == (1, bad)
        assert f"{value}" in sample.detail


async def test_two_series_where_one_is_meant_are_unknown_and_name_the_labels():
    async with world() as shop:
        for process in shop.pods.values():
            process.add("depth", 1)
        shop.serve()
        said = reason(await shop.poll(shop.signal(Limit("depth", above=100))))
        assert "2 series where one is meant" in said and "pod" in said


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf"])
async def test_what_is_no_number_is_unknown(text):
    async with world() as shop:
        shop.server.answers["sum(x)"] = {"resultType": "vector", "result": [{"metric": {}, "value": [0, text]}]}
        assert "is no number" in reason(await shop.poll(shop.signal(Limit("sum(x)", above=100))))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"resultType": "vector", "result": []}, "matches nothing"),
        ({"resultType": "string", "result": [0, "hi"]}, "shape that is not understood"),
        ({"resultType": "vector", "result": [{"value": [0, "1"]}]}, "shape that is not understood"),
        ({"resultType": "vector", "result": [{"metric": {}, "value": [0, "one"]}]}, "shape that is not understood"),
        ({"resultType": "vector", "result": None}, "shape that is not understood"),
        (None, "no data"),
        ([], "no data"),
    ],
)
async def test_an_answer_of_another_shape_is_unknown(data, words):
    async with world() as shop:
        shop.server.answers["sum(x)"] = data
        assert words in reason(await shop.poll(shop.signal(Limit("sum(x)", above=100))))


async def test_a_scalar_is_a_value():
    async with world() as shop:
        shop.server.answers["scalar(x)"] = {"resultType": "scalar", "result": [0, "7"]}
        assert counts(await shop.poll(shop.signal(Limit("scalar(x)", above=5)))) == {(None, None): (1, 1)}


def vector(value):
    return {"resultType": "vector", "result": [{"metric": {}, "value": [0, str(value)]}]}


async def test_an_expression_counts_the_events_of_its_interval_and_each_interval_once():
    async with world() as shop:
        signal = shop.signal(Expression("sum(increase(b[$interval]))", "sum(increase(a[$interval]))"))
        shop.server.answers = {"sum(increase(b[15s]))": vector(2.02), "sum(increase(a[15s]))": vector(40.4)}
        (sample,) = await shop.poll(signal)
        assert (sample.reading.events, sample.reading.bad, sample.end - sample.start) == (40, 2, 15.0)
        shop.clock.step(6.0)
        assert await shop.poll(signal) == []
        shop.clock.step(10.0)
        assert counts(await shop.poll(signal)) == {(None, None): (40, 2)}


async def test_an_expression_without_bad_series_has_none_and_without_any_is_unknown():
    async with world() as shop:
        question = Expression("sum(increase(b[$interval]))", "sum(increase(a[$interval]))")
        nothing = {"resultType": "vector", "result": []}
        shop.server.answers = {"sum(increase(b[15s]))": nothing, "sum(increase(a[15s]))": vector(40)}
        assert counts(await shop.poll(shop.signal(question))) == {(None, None): (40, 0)}
        shop.server.answers = {"sum(increase(b[15s]))": nothing, "sum(increase(a[15s]))": nothing}
        shop.clock.step(15.0)
        assert "matches nothing" in reason(await shop.poll(shop.signal(question)))


async def test_a_quantile_needs_events_and_is_judged_against_its_limit():
    async with world() as shop:
        question = Quantile('s{job="shop"}', 0.95, 0.8, min_events=20)
        count = 'sum(increase(s_count{job="shop"}[60s]))'
        value = 'histogram_quantile(0.95, sum by (le) (increase(s_bucket{job="shop"}[60s])))'
        shop.server.answers = {count: vector(12), value: vector(1.2)}
        assert "12 events are fewer than the 20" in reason(await shop.poll(shop.signal(question)))
        shop.server.answers = {count: vector(120), value: vector(1.2)}
        shop.clock.step(2.0)
        (sample,) = await shop.poll(shop.signal(question))
        assert sample.reading.bad == 1 and "0.95 quantile 1.2 s, above 0.8" in sample.detail


async def test_a_quantile_of_a_native_histogram_is_asked_where_there_is_no_classic_one():
    async with world() as shop:
        nothing = {"resultType": "vector", "result": []}
        native = "sum(increase(s[60s]))"
        shop.server.answers = {
            "sum(increase(s_count[60s]))": nothing,
            "histogram_quantile(0.95, sum by (le) (increase(s_bucket[60s])))": nothing,
            f"histogram_count({native})": vector(100),
            f"histogram_quantile(0.95, {native})": vector(0.3),
        }
        assert counts(await shop.poll(shop.signal(Quantile("s", 0.95, 0.8)))) == {(None, None): (1, 0)}


async def test_the_ratio_is_asked_for_one_moment():
    async with world() as shop:
        await shop.poll(shop.signal())
        assert shop.server.asked == [f"{RATIO.every}[90s]", f"{RATIO.part}[90s]"] or set(shop.server.asked) == {
            f"{RATIO.every}[90s]",
            f"{RATIO.part}[90s]",
        }


async def test_a_persons_look_takes_nothing_from_the_judgement():
    async with world() as shop:
        signal = shop.signal()
        await shop.poll(signal)
        shop.serve(events=20, bad=5, of=NEW)
        looked = await shop.poll(signal.apart())
        assert counts(looked) == counts(await shop.poll(signal))
        assert signal.apart().asked == () and signal.asked

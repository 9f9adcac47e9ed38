"""The parts of the load test that need no relay: what it counts, draws, checks and compares."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from relay.bench import compare
from relay.bench.arrivals import poisson, ride_day, together
from relay.bench.checking import Stream, Violations
from relay.bench.crew import Crew
from relay.bench.figures import number, shown
from relay.bench.histogram import Histogram
from relay.bench.measure import Course
from relay.bench.metronome import TICK_S, Metronome
from relay.bench.plots import Series, Tick, chart, nice_ticks
from relay.bench.ramp import broken, told
from relay.bench.result import LoadItself, Result, Round, Step, Target, ratios, summarise
from relay.bench.run import concluded
from relay.bench.table import verdict_of
from relay.bench.target import RAISED, Where
from relay.bench.texts import Text, disguised, gives_away, new_number, texts
from relay.bench.trips import places
from relay.bench.watch import are_there, usage_in_metrics
from relay.bench.wire import Done, Finished, FromLoad


def position(number: int) -> str:
    return f"1795312003117-{number:04}"


# --- times ----------------------------------------------------------------------------------------


def test_a_quantile_is_at_most_two_in_a_hundred_too_long() -> None:
    source = random.Random(1)
    times = [10 ** source.uniform(-5.5, 1.5) for _ in range(5000)]
    halves = Histogram(), Histogram()
    for index, time_s in enumerate(times):
        halves[index % 2].add(time_s)
    histogram = Histogram.of([half.counts() for half in halves])
    assert len(histogram) == len(times)
    for share in (0.01, 0.5, 0.9, 0.99, 0.999, 1.0):
        exact = sorted(times)[max(0, round(share * len(times)) - 1)]
        found = histogram.quantile_s(share)
        assert found is not None
        assert exact <= found * 1.0001 and found <= exact * 1.02, share


@pytest.mark.parametrize("time_s", [0.0, 1e-12, 1e9])
def test_times_beyond_the_ends_are_counted_at_the_ends(time_s: float) -> None:
    histogram = Histogram()
    histogram.add(time_s)
    found = histogram.quantile_s(0.5)
    assert found is not None
    assert found < 2e-6 if time_s < 1 else found == 256.0


def test_nothing_has_no_quantile() -> None:
    assert Histogram().quantile_s(0.5) is None


# --- arrivals -------------------------------------------------------------------------------------


def test_arrivals_come_at_the_rate_and_not_in_step() -> None:
    moments = list(itertools.takewhile(lambda moment: moment < 20, poisson(500, random.Random(2))))
    assert 9_500 < len(moments) < 10_500
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert min(gaps) >= 0
    # Of independent arrivals, 37 % of gaps are longer than the mean one.
    assert 0.33 < sum(gap > 1 / 500 for gap in gaps) / len(gaps) < 0.41


def test_arrivals_of_one_step_come_together_at_its_end() -> None:
    drawn = list(itertools.islice(poisson(5_000, random.Random(5)), 2_000))
    joined = list(together(drawn, 0.001))
    assert all(0 <= at - before < 0.001 for before, at in zip(drawn, joined, strict=True))
    assert len(set(joined)) < 500


async def test_a_metronome_is_never_early_and_hardly_late() -> None:
    late_s = []
    with Metronome() as metronome:
        for _ in range(200):
            due_s = time.monotonic() + TICK_S
            await metronome.until(due_s)
            late_s.append(time.monotonic() - due_s)
        await metronome.until(time.monotonic() - 1)  # what is due already
    assert min(late_s) >= 0
    # The best of many: how busy the machine is says nothing about the timer. One of an event loop
    # keeps whole milliseconds.
    assert sorted(late_s)[5] < 0.0005
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_ride_day_has_two_peaks_and_quiet_nights() -> None:
    moments = ride_day(24_000, 24.0, random.Random(3))
    assert moments == sorted(moments) and moments[0] >= 0 and moments[-1] <= 24
    hours = [sum(hour <= moment < hour + 1 for moment in moments) for hour in range(24)]
    morning, noon, evening, night = hours[7], hours[13], hours[18], hours[3]
    assert morning > 1.5 * noon and evening > 1.5 * noon and night < noon / 4


# --- texts ----------------------------------------------------------------------------------------


def test_no_two_messages_of_a_run_are_the_same() -> None:
    parts = [list(itertools.islice(texts(7, part, 3), 20_000)) for part in range(3)]
    made = [text for part in parts for text in part]
    # What asks for digits is drawn at random in each process, so a few dozen may meet.
    assert len({text.text for text in made}) > 0.995 * len(made)
    for part in parts:
        assert len({text.text for text in part}) == len(part)
    assert 0.68 < sum(not any(map(str.isdigit, text.text)) for text in made) / len(made) < 0.73
    assert 0.01 < sum(bool(text.number) for text in made) / len(made) < 0.03


def test_a_number_is_found_in_each_disguise_and_not_where_it_was_taken_out() -> None:
    source = random.Random(4)
    for _ in range(200):
        hidden = new_number(source)
        text = disguised(source, hidden)
        assert gives_away(text.text, hidden), text.text
        assert not gives_away("wa aja •••", hidden)
        other = hidden[:4] + "".join(str(9 - int(digit)) for digit in hidden[4:])
        assert not gives_away(text.text, other)


# --- the checker ----------------------------------------------------------------------------------


@pytest.fixture
def violations() -> Violations:
    return Violations()


@pytest.fixture
def stream(violations: Violations) -> Stream:
    return Stream("trip-1 driver to customer", violations)


def post(stream: Stream, text: str = "halo", number: str = "") -> str:
    return stream.post(Text(text, number), 0.0)


def test_what_goes_well_leaves_nothing_behind(stream: Stream, violations: Violations) -> None:
    first, second, third = post(stream), post(stream), post(stream, "wa 0812 1234", "08121234")
    stream.accepted(first, position(1), None)
    stream.delivered(first, position(1), "halo")
    stream.delivered(second, position(2), "halo")
    stream.accepted(second, position(2), None)
    stream.accepted(third, position(3), "wa •••")
    stream.delivered(third, position(3), "wa •••")
    assert not stream.owed
    stream.close()
    assert not violations.counts


def test_lost(stream: Stream, violations: Violations) -> None:
    name = post(stream)
    stream.accepted(name, position(1), None)
    stream.close()
    assert violations.counts == {"lost": 1}
    assert "message 1" in violations.examples[0]


def test_told_as_undelivered_is_not_lost(stream: Stream, violations: Violations) -> None:
    name = post(stream)
    stream.accepted(name, position(1), None)
    stream.undelivered([name])
    stream.close()
    assert not violations.counts


def test_what_nobody_confirmed_may_have_come_all_the_same(
    stream: Stream, violations: Violations
) -> None:
    name = post(stream)
    stream.undelivered([name])
    stream.delivered(name, position(1), "halo")
    assert not violations.counts


def test_without_an_answer_nothing_was_promised(stream: Stream, violations: Violations) -> None:
    post(stream)
    stream.close()
    assert not violations.counts


@pytest.mark.parametrize("is_accepted", [True, False])
def test_doubled_delivery(stream: Stream, violations: Violations, is_accepted: bool) -> None:
    name = post(stream)
    if is_accepted:
        stream.accepted(name, position(1), None)
    stream.delivered(name, position(1), "halo")
    stream.delivered(name, position(2), "halo")
    assert violations.counts == {"doubled": 1}


def test_doubled_in_the_log(stream: Stream, violations: Violations) -> None:
    name = post(stream)
    stream.accepted(name, position(2), None)
    stream.delivered(name, position(1), "halo")
    assert violations.counts == {"doubled": 1}


def test_accepted_at_two_places(stream: Stream, violations: Violations) -> None:
    name = post(stream)
    stream.accepted(name, position(1), None)
    stream.accepted(name, position(2), None)
    assert violations.counts == {"doubled": 1}


def test_an_app_drops_what_it_has_of_a_post_that_was_repeated(
    stream: Stream, violations: Violations
) -> None:
    name = post(stream)
    stream.repeat(name)
    stream.delivered(name, position(1), "halo")
    stream.accepted(name, position(2), None)
    stream.delivered(name, position(2), "halo")
    assert not violations.counts
    # But another text under the same id is not what it has.
    other = post(stream)
    stream.repeat(other)
    stream.accepted(other, position(3), None)
    stream.delivered(other, position(3), "hallo")
    assert violations.counts == {"altered": 1}


def test_reordered_in_the_log(stream: Stream, violations: Violations) -> None:
    first, second = post(stream), post(stream)
    stream.delivered(first, position(2), "halo")
    stream.delivered(second, position(1), "halo")
    assert violations.counts == {"reordered": 1}


def test_reordered_by_the_sender_s_order(stream: Stream, violations: Violations) -> None:
    first, second = post(stream), post(stream)
    stream.delivered(second, position(1), "halo")
    stream.delivered(first, position(2), "halo")
    assert violations.counts == {"reordered": 1}


def test_what_was_posted_again_may_come_later(stream: Stream, violations: Violations) -> None:
    first, second = post(stream), post(stream)
    stream.repeat(first)
    stream.delivered(second, position(1), "halo")
    stream.delivered(first, position(2), "halo")
    assert not violations.counts


def test_what_was_refused_for_a_while_may_come_later_but_only_once(
    stream: Stream, violations: Violations
) -> None:
    first, second = post(stream), post(stream)
    stream.delivered(second, position(1), "halo")
    stream.retry(first)
    stream.delivered(first, position(2), "halo")
    assert not violations.counts
    # The relay said that the first try was not stored.
    stream.delivered(first, position(3), "halo")
    assert violations.counts == {"doubled": 1}


def test_late(stream: Stream, violations: Violations) -> None:
    before = post(stream)
    stream.has_ended = True
    after = post(stream)
    stream.accepted(before, position(1), None)
    assert not violations.counts
    stream.accepted(after, position(2), None)
    assert violations.counts == {"late": 1}


def test_leaked(stream: Stream, violations: Violations) -> None:
    name = post(stream, "wa 0812 3456 7890", "081234567890")
    stream.accepted(name, position(1), None)
    stream.delivered(name, position(1), "wa 0812 3456 7890")
    assert violations.counts == {"leaked": 1}
    assert "0812" not in violations.examples[0]


def test_altered(stream: Stream, violations: Violations) -> None:
    name = post(stream)
    stream.accepted(name, position(1), None)
    stream.delivered(name, position(1), "hallo")
    assert violations.counts == {"altered": 1}


def test_what_nobody_wrote(stream: Stream, violations: Violations) -> None:
    stream.delivered("7", position(1), "halo")
    assert violations.counts == {"altered": 1}


def test_refused_and_delivered_all_the_same(stream: Stream, violations: Violations) -> None:
    name = post(stream)
    stream.delivered(name, position(1), "halo")
    stream.refused(name)
    assert violations.counts == {"altered": 1}


def test_a_replay_has_to_bring_what_was_missed(stream: Stream, violations: Violations) -> None:
    names = [post(stream) for _ in range(3)]
    sent = [(name, stream.under_way[name]) for name in names]
    for index, name in enumerate(names):
        stream.accepted(name, position(index), None)
        stream.delivered(name, position(index), "halo")
    again = stream.replayed(sent[1:], 0.0)
    again.delivered(names[1], position(1), "halo")
    again.close()
    assert violations.counts == {"lost": 1}
    again = stream.replayed(sent[1:], 0.0)
    again.delivered(names[0], position(0), "halo")
    assert violations.counts == {"lost": 1, "doubled": 1}


# --- load processes -------------------------------------------------------------------------------


async def test_a_load_process_that_is_done_just_then_is_heard() -> None:
    crew = Crew("closed", Where([], "", ""), {}, parts=1, run="7e57")
    loop = asyncio.get_running_loop()

    def hear(said: FromLoad) -> None:
        crew._heard(0, said)
        crew._changed.set()

    loop.call_soon(hear, Finished())
    assert await crew.finished(1.0)
    loop.call_soon(hear, Done({}, [], 0.0, {}))
    async with asyncio.timeout(1.0):
        await crew.stop(lambda *_: None)


# --- limits ---------------------------------------------------------------------------------------


def test_the_limits_to_raise_are_those_that_are_raised_for_a_relay_of_its_own() -> None:
    text = (Path(__file__).parents[2] / "deploy/LOADTEST.md").read_text()
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert tomllib.loads(block) | {"log_level": "warning"} == RAISED


# --- nodes ------------------------------------------------------------------------------------------


def test_trips_are_spread_over_nodes_and_their_parties_together_or_apart() -> None:
    nodes = ["a", "b"]
    assert [places(nodes, number, apart=False) for number in (1, 2)] == [("b", "b"), ("a", "a")]
    assert [places(nodes, number, apart=True) for number in (1, 2)] == [("b", "a"), ("a", "b")]
    assert places(["a"], 7, apart=False) == ("a", "a")


# --- the verdict ----------------------------------------------------------------------------------


def verdict(one: Round, scenario: str = "open", **options: int) -> tuple[bool, str]:
    result = concluded({"relay": [one]}, scenario, options, Course(1, 0, 1))
    return result.ok, "\n".join(line.plain for line in verdict_of(result))


def test_a_run_in_which_no_message_came_through_is_not_called_correct() -> None:
    ok, said = verdict(a_round())
    assert not ok and "FAILED: no message came through" in said and "correct" not in said
    ok, said = verdict(a_round(), "churn", messages=2)
    assert not ok
    ok, said = verdict(a_round(), "churn", messages=0)
    assert ok and "none was checked" in said and "correct" not in said
    one = a_round()
    one.checked = 1234
    ok, said = verdict(one)
    assert ok and "correct: nothing lost" in said and "of 1,234 messages" in said


@pytest.mark.parametrize("error", ["refused too_many", "refused in_flight", "closed 4004"])
def test_limits_that_were_measured_instead_of_the_relay_are_named(error: str) -> None:
    one = a_round()
    one.checked, one.errors = 10, {error: 3}
    ok, said = verdict(one)
    assert ok and f"3 {error}" in said and "its limits turned some of the load away" in said
    one.errors = {"unsure": 3}
    assert "limits" not in verdict(one)[1]


def test_what_a_process_used_that_was_started_again_is_not_told() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert are_there([os.getpid(), process.pid])
        process.terminate()
        process.wait()
        assert not are_there([os.getpid(), process.pid])
    one = a_round()
    one.checked, one.silent = 10, ["store"]
    assert "what the store used is not told" in verdict(one)[1]


# --- results --------------------------------------------------------------------------------------


def a_round(**figures: float) -> Round:
    return Round(figures, [], [], LoadItself([0.2], 1.0), {}, [], {})


def a_result(*rounds: Round, **options: int) -> Result:
    targets = {"relay": Target(list(rounds), summarise(list(rounds)))}
    return Result(scenario="closed", options=options, at="", machine={}, targets=targets)


def test_comparing_tells_a_change_from_the_spread_of_rounds() -> None:
    before = a_result(
        a_round(delivered_per_s=1000, delivery_p99_ms=10, relay_rss_mib=80),
        a_round(delivered_per_s=1100, delivery_p99_ms=12, relay_rss_mib=82),
        trips=50,
    )
    after = a_result(
        a_round(delivered_per_s=2000, delivery_p99_ms=20, relay_rss_mib=81),
        a_round(delivered_per_s=2200, delivery_p99_ms=30, relay_rss_mib=83),
        trips=60,
    )
    found = {change.figure: change for change in compare.changes(before, after)}
    speed = found["delivered_per_s"]
    assert speed.ratio.median == 2.0
    assert speed.ratio.least == pytest.approx(2000 / 1100)
    assert speed.ratio.most == pytest.approx(2.2)
    assert speed.is_better is True
    assert found["delivery_p99_ms"].is_better is False
    assert found["relay_rss_mib"].is_better is None
    assert list(compare.differences(before, after)) == ["trips differs: 50 and 60"]
    assert compare.table_of(list(found.values())).row_count == 3


def test_of_one_round_no_change_is_told_from_chance() -> None:
    before, after = a_result(a_round(delivered_per_s=1000)), a_result(a_round(delivered_per_s=9000))
    (change,) = compare.changes(before, after)
    assert (change.ratio.median, change.is_better) == (9.0, None)
    assert [line for line in compare.differences(before, after) if "--rounds 5" in line]


def test_ratios_are_of_rounds_side_by_side() -> None:
    ours = [a_round(delivered_per_s=speed) for speed in (100, 300)]
    theirs = [a_round(delivered_per_s=speed) for speed in (50, 100)]
    (ratio,) = ratios(
        {"relay": Target(ours), "peer": Target(theirs)}, ("delivered_per_s", "delivery_p99_ms")
    )
    assert (ratio.peer, ratio.figure) == ("peer", "delivered_per_s")
    assert (ratio.spread.least, ratio.spread.median, ratio.spread.most) == (2.0, 2.5, 3.0)


def test_a_ramp_ends_at_the_bound_that_breaks() -> None:
    good = a_round(posted_per_s=1000, delivered_per_s=995, delivery_p99_ms=9)
    assert broken(good, 1000, 10) == ""
    assert broken(good, 1000, 8) == "delivery p99 was 9.0 ms"
    short = a_round(posted_per_s=1000, delivered_per_s=900, delivery_p99_ms=9)
    assert broken(short, 1000, 10) == "only 900 of 1,000 messages/s came through"
    good.errors = {"refused too_many": 3}
    assert broken(good, 1000, 10) == "errors: 3 refused too_many"
    good.violations = {"lost": 1}
    assert broken(good, 1000, 10) == "messages went wrong: lost"


def test_what_went_wrong_at_the_last_rate_of_a_ramp_is_what_the_ramp_says() -> None:
    good, wrong = a_round(delivered_per_s=995), a_round(delivered_per_s=1240)
    good.checked = wrong.checked = 10
    wrong.violations, wrong.examples = {"reordered": 3}, ["reordered: b1-1, message 7"]
    steps = [Step(1000, good.figures, ""), Step(1250, wrong.figures, broken(wrong, 1250, 10))]
    found = told(steps, [good, wrong], {}, Course(1, 0, 1))
    assert not found.ok and found.targets["relay"].summary["knee_per_s"].median == 1000
    said = "\n".join(line.plain for line in verdict_of(found))
    assert "FAILED: relay: 3 reordered" in said and "message 7" in said
    assert "no message came through" not in said


def test_figures_read_as_a_person_says_them() -> None:
    assert shown("delivery_p99_ms") == ("delivery p99", "ms", False)
    assert shown("open_p999_ms").label == "open by HTTP p99.9"
    assert shown("tunnels_per_s") == ("tunnels", "/s", None)
    assert [number(value) for value in (0.123, 4.56, 45.67, 456.7, 45_678, 7.0)] == [
        "0.12", "4.56", "45.7", "457", "45,678", "7",
    ]  # fmt: skip


def test_usage_comes_from_the_metrics_where_they_tell_it() -> None:
    text = "# HELP x\nrelay_cpu_seconds_total 1.5\nrelay_memory_bytes 2048.0\n"
    found = usage_in_metrics(text)
    assert found is not None and (found.cpu_s, found.rss_bytes) == (1.5, 2048)
    assert usage_in_metrics("relay_memory_bytes 2048.0\n") is None


@pytest.mark.parametrize(
    ("most", "last"), [(0.0, 1.0), (0.013, 0.015), (9.0, 10.0), (10.0, 10.0), (101.0, 150.0)]
)
def test_an_axis_ends_at_a_round_number(most: float, last: float) -> None:
    assert nice_ticks(most)[-1] == pytest.approx(last)
    assert len(nice_ticks(most)) <= 6


def test_a_chart_draws_each_line_within_its_frame_and_escapes_names() -> None:
    drawn = chart(
        "Delivery", [Series("a<b", [(0, 1), (5, 3)]), Series("empty", [])],
        x_label="s", y_label="ms",
    )  # fmt: skip
    assert drawn.count('class="line') == 1
    assert "a&lt;b" in drawn and "a<b" not in drawn
    drawn = chart("Delivery", [Series("a", [(0, 1)])], x_label="s", y_label="ms", bound=30.0)
    assert '<span class="key bound">at most 30 ms</span>' in drawn
    assert chart("Delivery", [Series("empty", [])], x_label="s", y_label="ms") == ""


def test_labels_of_an_axis_do_not_touch() -> None:
    rates = [200, 250, 312, 1190]
    drawn = chart(
        "Delivery", [Series("a", [(rate, 1) for rate in rates])], x_label="rate", y_label="ms",
        x_ticks=[Tick(rate, str(rate)) for rate in rates],
    )  # fmt: skip
    assert re.findall(r'class="x"[^>]*>(\w+)<', drawn) == ["200", "312", "1190"]

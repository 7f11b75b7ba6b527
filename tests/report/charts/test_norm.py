"""The figures over the steps: every spike, threshold, clipped and broken step of a long run is in them."""

import json
import math
import random
import re
from dataclasses import replace
from typing import Any

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.schema import Record, Step
from gradreach.report.charts.figures import Figure, truncation_figure, window
from gradreach.report.charts.norm import loss_figure, norm_figure
from tests.records.parts import NAN, time_look
from tests.records.runs import ALL
from tests.report.reports import report_of


def norm_of(record: Record) -> tuple[Figure, dict[str, Any]]:
    drawn = norm_figure(Facts(record))
    assert drawn is not None
    return drawn, json.loads(drawn.data)


def run_of(norms: list[float], **changes: Any) -> Record:
    steps = tuple(Step(i, 0.01 * i, 0, loss=1.0, norm=norm, **changes) for i, norm in enumerate(norms))
    return replace(ALL["healthy"], steps=steps, looks=())


def line(told: dict[str, Any], name: str) -> dict[float, float]:
    return {
        at: y
        for table in told["tables"]
        for each in table["lines"]
        if each["name"] == name
        for at, y in zip(table["x"], each["y"], strict=True)
    }


@pytest.mark.slow(7, "draws a hundred thousand steps")
def test_every_spike_and_dip_of_a_long_run_stays_in_little_data() -> None:
    noise = random.Random(0)
    norms = [math.exp(noise.gauss(0, 0.3)) for _ in range(100_000)]
    spikes = {7: 501.0, 31_234: 702.0, 31_300: 803.0, 99_999: 904.0}
    for at, value in spikes.items():
        norms[at] = value
    norms[50_000] = 1e-5
    drawn, told = norm_of(run_of(norms))
    points = line(told, "norm")
    assert {at: points[at] for at in spikes} == spikes
    assert points[50_000] == 1e-5
    assert len(points) <= 4 * 1040
    assert len(drawn.data) < 100_000
    assert "Of each 48 steps the lowest and the highest are drawn." in drawn.caption


@pytest.mark.slow(7, "draws a hundred thousand steps")
def test_the_spikes_of_a_long_run_are_in_the_page() -> None:
    norms = [1.0 + 0.001 * (i % 97) for i in range(100_000)]
    for at, value in ((21_000, 1234.5), (50_001, 2345.6), (87_654, 3456.7)):
        norms[at] = value
    page = report_of(run_of(norms)).to_html()
    charts = map(json.loads, re.findall(r'<script type="application/json">(.*?)</script>', page))
    points = line(next(chart for chart in charts if chart["y"] == "norm"), "norm")
    assert [points.get(at) for at in (21_000, 50_001, 87_654)] == [1234.5, 2345.6, 3456.7]
    assert len(page.encode()) < 1_000_000


def test_a_constant_threshold_is_a_rule_and_a_moving_one_a_line() -> None:
    _, told = norm_of(run_of([1.0, 2.0, 3.0], threshold=2.5, clip="norm"))
    assert [(mark["y"], mark["word"]) for mark in told["marks"]] == [(2.5, "threshold 2.5")]
    record = run_of([1.0, 2.0, 3.0])
    moving = replace(
        record,
        steps=tuple(
            replace(step, threshold=limit, clip="norm")
            for step, limit in zip(record.steps, (2.5, 2.5, 1.5), strict=True)
        ),
    )
    drawn, told = norm_of(moving)
    assert line(told, "threshold") == {0: 2.5, 1: 2.5, 2: 1.5}
    assert told["marks"] == []
    assert ("threshold", "s4") in drawn.legend


def test_clipping_by_value_has_no_threshold_on_the_norm() -> None:
    _, told = norm_of(run_of([1.0, 2.0, 3.0], threshold=0.5, clip="value"))
    assert told["marks"] == told["strips"] == []


def test_clipped_steps_are_marked_in_runs() -> None:
    drawn, told = norm_of(run_of([3.0, 1.0, 4.0, 5.0, 1.0], threshold=2.0, clip="norm"))
    assert told["strips"] == [{"name": "clipped", "style": "clipped", "stretches": [[0, 0], [2, 3]]}]
    assert "clipped, 60 %" in drawn.caption
    assert ("clipped", "clipped") in drawn.legend


def test_what_the_scripts_own_clipping_saw_decides() -> None:
    record = run_of([3.0, 3.0], threshold=2.0, clip="norm")
    first, second = record.steps
    _, told = norm_of(replace(record, steps=(replace(first, pre_clip=1.0), second)))
    assert told["strips"][0]["stretches"] == [[1, 1]]


@pytest.mark.slow(4, "draws a long run")
def test_clipped_runs_too_near_to_tell_apart_are_one() -> None:
    _, told = norm_of(run_of([1.0 + 2 * (i % 2) for i in range(50_000)], threshold=2.0, clip="norm"))
    assert told["strips"][0]["stretches"] == [[1, 49_999]]


def test_spikes_that_the_rule_names_are_triangles_the_highest_where_there_are_many() -> None:
    """Of eighty spikes, each three times as high as the one before, the sixty highest."""
    record = run_of([1.0 if step % 25 else 100.0 * 3.0 ** (step // 25) for step in range(1, 2001)])
    steps = [replace(step, loss=1000.0 if step.norm != 1.0 else 1.0) for step in record.steps]
    drawn, told = norm_of(replace(record, steps=tuple(steps)))
    assert [mark["x"] for mark in told["marks"]] == [25 * number - 1 for number in range(21, 81)]
    assert told["marks"][-1]["name"].startswith("spike at step 1,999: ")
    assert ("spike", "spike") in drawn.legend


def test_every_step_that_is_not_finite_lies_in_a_band() -> None:
    broken = set(range(0, 1000, 5))
    _, told = norm_of(run_of([NAN if i in broken else 1.0 for i in range(1000)]))
    bands = [(mark["x"], mark["until"]) for mark in told["marks"]]
    assert 1 <= len(bands) <= 61
    assert all(any(first <= step <= last for first, last in bands) for step in broken)


def test_norm_and_loss_share_their_steps() -> None:
    loss = loss_figure(Facts(ALL["gan"]))
    assert loss is not None
    assert json.loads(loss.data)["group"] == norm_of(ALL["gan"])[1]["group"] != ""


def test_the_recommended_window_is_the_smallest_within_five_percent() -> None:
    seen = time_look(factor=0.7)
    k2 = window(seen)
    assert k2 is not None
    assert seen.truncation_bias[k2] <= 0.05 < seen.truncation_bias[k2 - 1]
    drawn = truncation_figure(seen)
    assert drawn is not None
    (mark,) = json.loads(drawn.data)["marks"]
    assert (mark["x"], mark["word"]) == (k2, f"k2 = {k2}")
    assert f"k2 = {k2} is the smallest that keeps it to 5 %." in drawn.caption


def test_where_no_shorter_window_will_do_none_is_recommended() -> None:
    drawn = truncation_figure(time_look(truncation_bias=(1.0, 0.9, 0.4), T=60))
    assert drawn is not None
    assert json.loads(drawn.data)["marks"] == []
    assert "No k2 under 60 keeps it to 5 %." in drawn.caption


def test_a_lag_share_under_0_is_explained() -> None:
    for share, is_told in (((0.7, 0.2, 0.1), False), ((1.2, -0.3, 0.1), True)):
        drawn = truncation_figure(time_look(lag_share=share, truncation_bias=(1.0, 0.4, 0.1, 0.0), T=4))
        assert drawn is not None
        assert ("points against the whole" in drawn.caption) == is_told

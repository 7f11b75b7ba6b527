"""Where a run stands: the last step, the shortest reach, the alarms, however the steps are cut into flushes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradreach.record.look import Look
from gradreach.record.norm_history import WINDOW
from gradreach.record.progress import Progress
from gradreach.record.schema import NonFinite, Step
from gradreach.report.live.progress_line import line
from tests.records.parts import INF, NAN, at, time_look


def steps(*norms: float | None, site: int = 0, start: int = 0, scale: float = 1.0) -> list[Step]:
    return [Step(start + i, 0.1 * (start + i), site, loss=1.0, norm=n, scale=scale) for i, n in enumerate(norms)]


def look(step: int, **horizons: int) -> Look:
    (made,) = at(*(time_look(name, T=100, horizon=horizon) for name, horizon in horizons.items()), start=step, count=1)
    return made


@given(
    st.lists(
        st.tuples(st.sampled_from([0.5, 1.0, 2.0, 500.0, NAN, INF, None]), st.sampled_from([0, 1])),
        min_size=1,
        max_size=90,
    ),
    st.integers(1, 30),
)
def test_it_does_not_depend_on_the_flushes(norms: list[tuple[float | None, int]], size: int) -> None:
    run = [Step(i, 0.1 * i, site, loss=1.0, norm=norm) for i, (norm, site) in enumerate(norms)]
    bit_by_bit = Progress()
    for start in range(0, len(run), size):
        bit_by_bit = bit_by_bit.advanced(run[start : start + size])
    assert repr(bit_by_bit) == repr(Progress().advanced(run))


def test_nothing_new_changes_nothing() -> None:
    before = Progress().advanced(steps(1.0, 2.0))
    assert before.advanced() is before


def test_a_spike_stands_out_of_its_own_place_and_of_all_before() -> None:
    usual = Progress().advanced([*steps(*[1.0] * WINDOW), *steps(*[100.0] * WINDOW, site=1, start=WINDOW)])
    at = 2 * WINDOW
    assert usual.spikes == 0
    assert usual.advanced(steps(100.0, start=at, site=1)).spikes == 0
    spiked = usual.advanced(steps(11.0, start=at))
    assert (spiked.spikes, spiked.spiked) == (1, at)
    assert spiked.advanced(steps(20.0, start=at + 1)).spikes == 1
    assert Progress().advanced(steps(*[1.0] * (WINDOW - 1), 50.0)).spikes == 0


@pytest.mark.parametrize(
    ("step", "broken"),
    [
        (Step(3, 0.0, 0, loss=NAN), True),
        (Step(3, 0.0, 0, loss=1.0, norm=INF), True),
        (Step(3, 0.0, 0, loss=1.0, pre_clip=NAN), True),
        (Step(3, 0.0, 0, loss=1.0, norm=INF, scale=65536.0), False),
        (Step(3, 0.0, 0, loss=NAN, norm=INF, scale=65536.0), True),
        (Step(3, 0.0, 0), False),
    ],
)
def test_what_counts_as_broken(step: Step, broken: bool) -> None:
    after = Progress().advanced([step])
    assert after.nonfinite == int(broken)
    assert after.broke == (3 if broken else None)


def test_a_replay_names_the_first_step_and_an_overflow_of_the_scaler_is_none() -> None:
    after = Progress().advanced(steps(NAN, NAN, start=7))
    assert (after.broke, after.value, after.nonfinite) == (7, "NaN", 2)
    told = after.advanced(nonfinite=[NonFinite(6, 0, "forward", "inf")])
    assert (told.broke, told.value, told.nonfinite) == (6, "infinity", 2)
    assert Progress().advanced(nonfinite=[NonFinite(6, 0, "backward", "inf", scaled_away=True)]) == Progress()


def test_the_shortest_reach_of_the_last_look_that_saw_one() -> None:
    after = Progress().advanced(looks=[look(1, far=90, near=12), look(2), look(3, far=80, near=30)])
    assert (after.layer, after.horizon, after.T) == ("near layer 0", 30, 100)
    assert after.advanced(looks=[look(4)]) == after


def test_the_line() -> None:
    run = Progress().advanced(steps(*[0.84] * 1241), [look(1, rnn=12)])
    assert line(replace(run, loss=2.31)) == "step 1,240  loss 2.31  norm 0.84  horizon 12 of 99 (rnn layer 0)"
    broke = run.advanced(steps(NAN, start=1241))
    assert line(broke).endswith("(rnn layer 0)  1 alarm: NaN at step 1241")
    assert line(broke.advanced(steps(NAN, start=1242))).endswith("2 alarms: NaN since step 1241")
    assert line(run.advanced(steps(80.0, start=1241))).endswith("1 alarm: spike at step 1241")
    assert line(Progress()) == "no backward pass yet"


@given(st.text(max_size=80), st.integers(1, 100), st.floats(), st.booleans())
def test_the_line_fits_and_steers_no_terminal(name: str, width: int, loss: float, broke: bool) -> None:
    progress = Progress(10**8, 1.0, loss, loss, 10**6, 10**5, name, nonfinite=int(broke), broke=10**8, value="infinity")
    text = line(progress, width)
    assert len(text) <= width
    assert text.replace("\u00a0", " ").isprintable()


def test_in_few_columns_the_alarm_stays() -> None:
    progress = Progress(41, 1.0, 2.5, 0.5, 100, 12, "rnn layer 0", nonfinite=1, broke=40, value="NaN")
    assert line(progress, 70) == "step 41  loss 2.5  norm 0.5  horizon 12 of 99  1 alarm: NaN at step 40"
    assert line(progress, 60) == "step 41  loss 2.5  norm 0.5  1 alarm: NaN at step 40"
    assert line(progress, 40) == "step 41  1 alarm: NaN at step 40"

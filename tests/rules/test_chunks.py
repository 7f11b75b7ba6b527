"""States and data that do not go on together from chunk to chunk: GR105; and layers over a single step: GR107."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.look import Look
from gradreach.record.schema import Record
from gradreach.record.seen.recurrence import ChunkSeam
from tests.records.parts import at, falling, flat, record, steps, time_look, zero_gradient
from tests.rules.judging import codes, not_judged, passed, the

ON = ChunkSeam("model.rnn", "LSTM", 16, 8, 8, 0.07, "anew")
OFF = replace(ON, rows_on=1)


def seen(*seams: ChunkSeam) -> tuple[Look, ...]:
    return tuple(replace(look, chunk_seam=seam) for look, seam in zip(at(count=len(seams)), seams, strict=True))


def test_a_state_from_zeros_in_a_stream_is_information() -> None:
    found = the(record(steps(loss=falling), seen(ON, ON, ON)), "GR105")
    assert found.severity == "info"
    assert "from a state of zeros, though the data go on: 24 of 24 rows" in found.because
    assert "more than 16 steps before" in found.because


def test_it_is_a_warning_for_single_steps_and_where_nothing_is_learned() -> None:
    alone = the(record(steps(loss=falling), seen(*[replace(ON, steps=1)] * 3)), "GR105")
    assert (alone.severity, alone.evidence["T"]) == ("warning", 1)
    assert "begins each step" in alone.because
    assert the(record(steps(400, loss=flat), seen(ON, ON, ON)), "GR105").severity == "warning"


def test_a_state_that_goes_on_where_the_rows_do_not_is_a_warning() -> None:
    found = the(record(steps(loss=falling), seen(*[replace(OFF, state="carried")] * 4)), "GR105")
    assert found.severity == "warning"
    assert [remedy.id for remedy in found.remedies] == ["rows-in-order", "start-anew"]
    assert "of 32 rows only 4 begin" in found.because
    none = the(record(steps(), seen(*[replace(OFF, rows_on=0, state="carried")] * 3)), "GR105")
    assert "of 24 rows none begin" in none.because


@pytest.mark.parametrize(
    "seams",
    [
        [replace(ON, state="carried")] * 4,
        [OFF] * 4,
        [ON, replace(ON, state="carried"), ON, ON],
        [replace(OFF, state="carried")] * 3 + [replace(ON, state="carried")],
        [ON, ON, OFF, OFF],
        [replace(ON, rows=1, rows_on=1, chance=0.5)] * 6,
    ],
    ids=["carried", "shuffled from zeros", "by turns", "an epoch's end", "half go on", "by chance"],
)
def test_what_goes_together_or_cannot_be_told_is_quiet(seams: list[ChunkSeam]) -> None:
    made = record(steps(), seen(*seams))
    assert "GR105" not in codes(made)
    assert "GR105" in passed(made)


def test_an_epochs_end_does_not_hide_a_stream() -> None:
    assert the(record(steps(), seen(ON, ON, OFF, ON)), "GR105").evidence["rows_on"] == 25


def test_two_seams_are_too_few() -> None:
    assert "GR105" in not_judged(record(steps(), seen(ON, ON)))


def single(loss: object = falling, T: int = 1) -> Record:
    zero = zero_gradient("model.rnn.weight_hh_l0", why="input")
    return record(steps(400, loss=loss), at(time_look(T=T), zero_gradient=(zero,)))  # type: ignore[arg-type]


def test_a_layer_over_a_single_step_has_no_way_back() -> None:
    found = the(single(), "GR107")
    assert (found.severity, found.where["module"]) == ("info", "model.rnn")
    assert not {"GR307", "GR101"} & set(codes(single()))
    assert the(single(flat), "GR107").severity == "warning"


def test_a_stream_of_single_steps_is_told_once() -> None:
    alone = replace(ON, module="model.rnn", steps=1)
    looks = tuple(replace(look, chunk_seam=alone) for look in single().looks)
    assert {"GR105"} == {"GR105", "GR107"} & set(codes(record(steps(400, loss=falling), looks)))

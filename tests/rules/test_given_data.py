"""The rules on what a script gives to its model: its size, its axes, its rows, its padding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.schema import Record
from gradreach.record.seen.data import GivenData, Padding, ReadAlong, RowReading, SoftmaxAxis
from gradreach.record.seen.loss import LossLook, Spread
from gradreach.report.verdict import verdict
from tests.records.parts import activation, at, between, chain, falling, flat, record, steps, time_look, zero_gradient
from tests.records.speaking import ERROR, SPEAKING, blown
from tests.rules.judging import codes, findings, the

RAW = GivenData("model.0", "Linear", 150.0, 151.0, 150.0, 12)
FITTING = replace(RAW, rms=1.0, largest=1.1, middle=1.0)
ONE_LARGE = replace(RAW, rms=8.0, largest=28.0, middle=0.2)
FLAT_TANH = activation("Tanh", saturated=0.99)
READING = RowReading("model.gru", "GRU", False, 48, 20, 48, "steps", 1, False, True)
PADDING = Padding("model.rnn", 60, True, 1.0, 0.8, 48.0)


def wandering(i: int) -> float:
    return 2.0 if i % 2 else 1.0


def small(**more: Any) -> GivenData:
    figures = {"rms": 2e-3, "largest": 3e-3, "middle": 2e-3, "apart_in": 0.5, "apart_out": 0.006}
    return replace(RAW, **{**figures, **more})


def test_data_that_are_lost_beside_a_bias_are_named_before_the_units_behind() -> None:
    made = record(steps(loss=flat), at(*between(activation("ReLU", dead=0.97)), given=(small(),)))
    found = the(made, "GR701")
    assert (found.severity, found.where["module"]) == ("error", "model.0")
    assert found.because == (
        "`model.0` takes in data so small that they are lost beside its bias, and the loss does not fall. They are of "
        "size 0.002 (root mean square), where weights start for inputs of size 1, and only 0.6 % of what it puts out "
        "differs from row to row."
    )
    assert found.remedies[0].id == "scale-input"
    assert "GR204" not in codes(made)


def test_lost_data_count_where_the_loss_came_hardly_under_a_constant_guess() -> None:
    looks = at(*chain(3), given=(small(),), losses=(replace(ERROR, guess=0.22, value=0.2),), count=8)
    found = the(record(steps(400), looks), "GR701")
    assert found.severity == "warning"
    assert "and the loss is little lower than what a constant guess gets." in found.because


def test_no_lower_rate_is_advised_where_data_are_lost() -> None:
    looks = at(*chain(3, update_ratio=0.2), given=(small(),))
    large = [each for each in findings(record(steps(loss=flat), looks)) if each.code == "GR305"]
    assert all(remedy.id != "lower-rate" for each in large for remedy in each.remedies)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (small(rms=0.5, largest=0.6), "large enough"),
        (small(apart_out=0.3), "something is left of them"),
        (small(apart_in=0.01), "the rows are alike"),
        (small(apart_in=None, apart_out=None), "too few rows to tell"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_small_data_are_healthy_where(given: GivenData, why: str) -> None:
    assert "GR701" not in codes(record(steps(loss=flat), at(*chain(3), given=(given,)))), why


def test_small_data_that_are_learned_from_or_that_a_norm_restores_are_healthy() -> None:
    assert "GR701" not in codes(record(steps(loss=falling), at(*chain(3), given=(small(),))))
    norm = replace(chain(1)[0], module="model.1", kind="BatchNorm1d", order=1)
    assert "GR701" not in codes(record(steps(loss=flat), at(*chain(3), norm, given=(small(),))))
    found_once = (*at(*chain(3), given=(small(),)), *at(*chain(3), given=(small(apart_out=0.4),), start=90, count=1))
    assert "GR701" not in codes(record(steps(loss=flat), found_once))


def test_raw_input_that_does_no_harm_is_healthy() -> None:
    assert codes(record(steps(), at(*chain(3), given=(RAW,)))) == []


def test_raw_input_stands_before_what_comes_of_it() -> None:
    made = record(steps(), at(*between(FLAT_TANH), given=(RAW,)))
    assert [(each.severity, each.code) for each in findings(made)] == [("warning", "GR701"), ("warning", "GR203")]
    cut = zero_gradient(why="saturated", operation="tanh", module="model.1", behind="model.0")
    made = record(steps(loss=flat), at(*between(FLAT_TANH), given=(RAW,), zero_gradient=(cut,)))
    found = findings(made)[0]
    assert (found.severity, found.code, found.where["module"]) == ("error", "GR701", "model.0")
    assert "unscaled inputs → saturated units → a gradient of exactly 0 → no learning" in found.because
    assert found.evidence["effects"] == "GR203, GR307"


def test_input_of_size_one_is_no_cause() -> None:
    assert "GR701" not in codes(record(steps(loss=flat), at(*between(FLAT_TANH), given=(FITTING,))))


def test_one_feature_far_larger_than_the_others_is_out_of_scale() -> None:
    made = record(steps(), at(*between(FLAT_TANH), given=(ONE_LARGE,)))
    assert "one of 12 features 140 times the median one" in the(made, "GR701").because
    small = replace(ONE_LARGE, rms=0.8, largest=2.8, middle=0.02)
    assert "GR701" not in codes(record(steps(), at(*between(FLAT_TANH), given=(small,))))


def test_a_loss_that_does_not_fall_alone_claims_no_effect() -> None:
    found = the(record(steps(loss=flat), at(*chain(3), given=(RAW,))), "GR701")
    assert found.severity == "warning"
    assert "→" not in found.because


def test_raw_input_counts_where_the_loss_came_hardly_under_a_constant_guess() -> None:
    def raw(guess: float) -> Record:
        return record(
            steps(400), at(*chain(3), given=(RAW,), losses=(replace(ERROR, guess=guess, value=0.2),), count=8)
        )

    assert codes(raw(2.0)) == []
    found = the(raw(0.22), "GR701")
    assert found.severity == "warning"
    assert "not scaled: the loss is little lower than what a constant guess gets." in found.because
    part = replace(ERROR, guess=0.22, value=0.2)
    healthy = record(steps(400), at(*chain(3), losses=(part,), count=8, every=50))
    assert "little lower than the 0.22 that a constant guess gets" in verdict(Facts(healthy), ()).sentence
    late = [replace(look, losses=(replace(part, value=2.0, guess=2.0),)) for look in healthy.looks]
    assert "constant guess" not in verdict(Facts(replace(healthy, looks=tuple(late))), ()).sentence, (
        "it fell at the end"
    )


TOWERS = replace(RAW, rms=6e9, largest=6e9, middle=6e9, largest_row=3e10, middle_row=1.0)
EVEN = replace(FITTING, largest_row=2.0, middle_row=1.0)


def test_rows_that_tower_above_the_others() -> None:
    looks = (*at(*chain(3), given=(TOWERS,)), *at(*chain(3), given=(EVEN,), start=90, count=2))
    found = the(record(steps(loss=falling), looks), "GR701")
    assert (found.severity, found.where["module"], found.remedies[0].id) == ("warning", "model.0", "floor-scale")
    assert found.because == (
        "`model.0` takes in some rows that tower above the others, in 4 of 6 looks: in the last of these one is of "
        "size 3e10 (root mean square), and the median one of size 1. Such rows make up all of the layer's gradient, or "
        "none of it where units saturate on them. As a rule they come of a division by a scale that is 0 or next to 0 "
        "(of an empty history, or of a constant feature), or of a number that stands for a missing value."
    )
    assert "x.abs() < 2e+05" in found.remedies[0].do


def test_rows_that_tower_are_an_error_where_nothing_is_learned_and_told_once() -> None:
    made = record(steps(loss=flat), at(*chain(3), given=(TOWERS,)))
    (found,) = [each for each in findings(made) if each.code == "GR701"]
    assert (found.severity, found.evidence["largest_row"]) == ("error", 3e10)
    assert "The loss does not fall." in found.because
    guessed = at(*chain(3), given=(TOWERS,), losses=(replace(ERROR, guess=0.22, value=0.2),), count=8)
    assert the(record(steps(400), guessed), "GR701").severity == "error"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (replace(TOWERS, largest_row=None, middle_row=None), "an older recording"),
        (replace(TOWERS, largest_row=9e4, middle_row=0.1), "a heavy tail"),
        (replace(TOWERS, middle_row=4e5), "large throughout"),
        (replace(TOWERS, middle_row=None), "no row holds anything"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_large_rows_are_healthy_where(given: GivenData, why: str) -> None:
    assert "GR701" not in codes(record(steps(loss=falling), at(*chain(3), given=(given,)))), why


def test_rows_that_tower_now_and_then_or_before_a_norm_of_rows_are_healthy() -> None:
    now_and_then = (*at(*chain(3), given=(EVEN,)), *at(*chain(3), given=(TOWERS,), start=90))
    assert "GR701" not in codes(record(steps(loss=falling), now_and_then))
    grown = (*at(*chain(3), given=(EVEN,), count=3), *at(*chain(3), given=(TOWERS,), start=90, count=9))
    assert "GR701" not in codes(record(steps(loss=falling), grown)), "the model made them so"
    assert "GR701" not in codes(record(steps(loss=falling), at(*chain(3), given=(TOWERS,), count=2)))

    def before(kind: str) -> Record:
        norm = replace(chain(1)[0], module="model.1", kind=kind, order=1)
        return record(steps(loss=falling), at(*chain(3), norm, given=(TOWERS,)))

    assert "GR701" not in codes(before("LayerNorm"))
    assert "GR701" in codes(before("BatchNorm1d"))


def test_norms_that_explode_on_raw_input_come_of_it() -> None:
    first = replace(chain(3)[0], update_ratio=1300.0)
    made = record(blown(1000.0, 1e4), at(first, *chain(3)[1:], given=(RAW,)))
    assert findings(made)[0].code == "GR701"
    assert "a first update 1300 times the weights → norms that explode" in findings(made)[0].because


def aiming(*outputs: float, deviation: float = 200.0, loss=flat) -> Record:  # type: ignore[no-untyped-def]
    """Targets of mean 3000, and the means of the outputs look by look."""
    target = Spread(2600.0, 3400.0, 3000.0, deviation)
    each = [LossLook("squared error", (16, 1), (16, 1), (16, 1), outputs=Spread(0.0, 1.0, y, 0.5)) for y in outputs]
    looks = at(count=len(outputs))
    seen = [replace(look, losses=(replace(one, targets=target),)) for look, one in zip(looks, each, strict=True)]
    return record(steps(loss=loss), seen)


def test_targets_that_the_output_is_still_on_its_way_to() -> None:
    found = the(aiming(0.1, 5.0, 9.0, 12.0), "GR701")
    assert (found.severity, found.remedies[0].id) == ("error", "scale-target")
    assert "come from 0.1 to 12, on the way to 3000" in found.because


def test_targets_that_are_reached_or_lie_wide_are_healthy() -> None:
    assert "GR701" not in codes(aiming(0.1, 1500.0, 2500.0, 2990.0))
    assert "GR701" not in codes(aiming(0.1, 5.0, 9.0, 12.0, loss=falling))
    assert "GR701" not in codes(aiming(0.1, 5.0, 9.0, 12.0, deviation=4000.0))
    assert "GR701" not in codes(aiming(0.1, 5.0))


def test_rows_read_along_the_steps_of_a_layer() -> None:
    assert the(record(steps(), at(readings=(READING,))), "GR702").severity == "warning"
    found = the(record(steps(loss=flat), at(readings=(READING,))), "GR702")
    assert found.severity == "error"
    assert found.because.startswith("`model.gru` runs over the batch in place of time")
    assert found.remedies[0].do == "model.gru.batch_first = True"


def test_sequences_read_together_may_be_meant() -> None:
    pooled = replace(READING, read=20)
    assert "GR702" not in codes(record(steps(), at(readings=(pooled,))))
    assert the(record(steps(loss=flat), at(readings=(pooled,))), "GR702").severity == "warning"
    by_step = replace(pooled, one_each=False)
    assert "GR702" not in codes(record(steps(loss=flat), at(readings=(by_step,)))), "a loss averaged over the batch"


@pytest.mark.parametrize(
    ("along", "more"),
    [("entries", {}), ("other", {"read": 7}), ("steps", {"entries": 1}), ("other", {"scrambled": True})],
)
def test_other_readings_are_healthy(along: ReadAlong, more: dict[str, Any]) -> None:
    made = record(steps(loss=flat), at(readings=(replace(READING, along=along, **more),)))
    assert "GR702" not in codes(made)


def test_it_takes_every_look() -> None:
    looks = at(readings=(READING,))
    assert "GR702" in codes(record(steps(), looks))
    assert "GR702" not in codes(record(steps(), (*looks, *at(readings=(replace(READING, along="other"),), start=90))))
    assert "GR702" not in codes(record(steps(), looks[:2]))


def test_a_view_names_the_layer_that_it_comes_before() -> None:
    found = the(SPEAKING["GR702 by a view"], "GR702")
    assert found.remedies[0].do == "x = x.transpose(0, 1)  # before `model.gru`, in place of view or reshape"


OVER_ROWS = SoftmaxAxis("softmax", "model.softmax", "Softmax", (48, 12), 0, over_rows=True)


def test_a_softmax_over_the_rows_of_the_batch() -> None:
    found = the(record(steps(), at(softmaxes=(OVER_ROWS,))), "GR706")
    assert (found.severity, found.remedies[0].do) == ("warning", "model.softmax.dim = -1")
    assert the(record(steps(loss=flat), at(softmaxes=(OVER_ROWS,))), "GR706").severity == "error"
    assert "where the script calls it" in the(SPEAKING["GR706 in the script"], "GR706").remedies[0].do


def test_a_softmax_over_another_axis_is_healthy() -> None:
    other = replace(OVER_ROWS, over_rows=False)
    assert "GR706" not in codes(record(steps(loss=flat), at(softmaxes=(other,))))
    assert "GR706" not in codes(record(steps(), (*at(softmaxes=(OVER_ROWS,)), *at(softmaxes=(other,), start=90))))
    assert "GR706" not in codes(record(steps(), at(softmaxes=(OVER_ROWS,))[:2]))


def labelled(*counts: tuple[int, ...], site: int = 0) -> Record:
    each = (LossLook("cross entropy", (sum(c),), (sum(c), len(c)), (sum(c),), counts=c) for c in counts)
    looks = at(count=len(counts), site=site)
    return record(steps(), [replace(look, losses=(loss,)) for look, loss in zip(looks, each, strict=True)])


def test_batches_of_one_class_are_sorted_data() -> None:
    one, other = (16, 0), (0, 16)
    found = the(labelled(one, one, other, other, one, other), "GR704")
    assert (found.severity, found.evidence["classes"]) == ("warning", 2)
    assert "GR704" in codes(labelled(one, one, one, other, other, (7, 9))), "where one class ends the other begins"


@pytest.mark.parametrize(
    "counts",
    [
        [(16, 0)] * 6,
        [(9, 7)] * 6,
        [(1, 0), (0, 1)] * 3,
        [(16, 0), (0, 16)] * 2,
        [(16, 0)] * 40 + [(15, 1)],
        [(16, 0), (16, 0), (0, 16), (3, 13), (9, 7), (8, 8)],
    ],
    ids=["always the same", "mixed", "single labels", "few looks", "a rare class", "some of them"],
)
def test_other_labels_are_healthy(counts: list[tuple[int, ...]]) -> None:
    assert "GR704" not in codes(labelled(*counts))


def test_the_same_row_all_over_matters_where_the_loss_does_not_fall() -> None:
    assert the(record(steps(loss=flat), at(same_rows=32, count=6)), "GR704").severity == "error"
    assert "GR704" not in codes(record(steps(), at(same_rows=32, count=6)))
    assert "GR704" not in codes(record(steps(loss=flat), (*at(same_rows=32, count=6), *at(start=90, count=1))))


@pytest.mark.parametrize(
    ("factor", "loss", "severity"),
    [(0.999, falling, "info"), (0.999, flat, "warning"), (0.5, falling, "warning"), (0.5, flat, "error")],
)
def test_padding_matters_as_far_as_the_gradient_and_the_loss_go(factor, loss, severity: str) -> None:  # type: ignore[no-untyped-def]
    made = record(steps(loss=loss), at(time_look(factor=factor), padding=(PADDING,)))
    assert the(made, "GR705").severity == severity


def test_padding_that_is_not_read_over_is_healthy() -> None:
    looks = at(time_look(factor=0.5), padding=(replace(PADDING, at_end=False),))
    assert "GR705" not in codes(record(steps(loss=flat), looks))
    everywhere = time_look(factor=0.5, local_error=(1e-2,) * 60)
    assert "GR705" not in codes(record(steps(loss=flat), at(everywhere, padding=(PADDING,))))
    little = at(time_look(factor=0.5), padding=(replace(PADDING, share=0.05),))
    assert "GR705" not in codes(record(steps(loss=flat), little))

"""GR713: positions counted along the batch."""

from __future__ import annotations

from dataclasses import replace

from tests.records.parts import at, falling, flat, record, steps
from tests.records.speaking import COUNTED_ROWS, SPEAKING
from tests.rules.judging import codes, the

LOOKS = at(counted_rows=(COUNTED_ROWS,))
OF_NUMBERS = at(counted_rows=(replace(COUNTED_ROWS, of_ids=False),))


def test_the_table_and_both_axes_are_told() -> None:
    found = the(SPEAKING["GR713"], "GR713")
    assert (found.severity, found.where["module"]) == ("error", "model.code")
    assert "the first 24 of the 500 rows of `model.code.table` are added to sequences" in found.because
    assert "along axis 0, and each is the same at all 16 places along axis 1. Axis 0 has the rows" in found.because
    assert found.because.endswith("on 4 looks. The loss does not fall.")
    assert "x = x + self.table[: x.size(1)].reshape(1, -1, self.table.size(-1))" in found.remedies[0].do


def test_a_look_up_beside_the_features_with_time_first() -> None:
    found = the(SPEAKING["GR713 of a look-up beside the features"], "GR713")
    assert (
        "of `model.pos.weight` are laid beside sequences of features one after the other along axis 1" in found.because
    )
    assert "positions = torch.arange(x.size(0), device=x.device)[:, None]  # (time, 1)" in found.remedies[0].do


def test_a_cut_beside_the_features_is_expanded() -> None:
    found = the(record(steps(loss=flat), at(counted_rows=(replace(COUNTED_ROWS, is_added=False),))), "GR713")
    assert "code = self.table[: x.size(1)].reshape(1, -1, self.table.size(-1)).expand(*x.shape[:2], -1)" in (
        found.remedies[0].do
    )


def test_a_loss_that_falls_all_the_same_is_a_warning() -> None:
    assert the(record(steps(loss=falling), LOOKS), "GR713").severity == "warning"


def test_features_that_may_be_sets_take_harm() -> None:
    assert "GR713" not in codes(record(steps(loss=falling), OF_NUMBERS))
    assert the(record(steps(loss=flat), OF_NUMBERS), "GR713").severity == "error"


def test_it_takes_several_looks() -> None:
    assert "GR713" not in codes(record(steps(loss=flat), LOOKS[:2]))
    assert "GR713" not in codes(record(steps(loss=flat), (*LOOKS[:2], *at(start=60, count=5))))


def test_a_module_that_is_called_twice_in_a_step_is_told_once() -> None:
    twice = at(counted_rows=(COUNTED_ROWS, replace(COUNTED_ROWS, places=9)))
    assert "on 4 looks." in the(record(steps(loss=flat), twice), "GR713").because
    assert "GR713" not in codes(record(steps(loss=flat), twice[:2]))

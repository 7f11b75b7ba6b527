"""GR710: a mask without effect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.seen.data import AddedMask, IdleMask
from gradreach.record.seen.loss import CopiedTargets
from tests.records.parts import at, record, steps
from tests.rules.judging import codes, not_judged, the

FUTURE = IdleMask("model.0.attn", "Attention", 16, 16, 1.1, 0.52, 0.9, is_future=True, at_each_place=True)
PADDING = IdleMask("model.pool", "Pool", 1, 16, 0.9, 0.24, 0.97)


def test_a_mask_of_the_future() -> None:
    other = replace(FUTURE, module="model.1.attn", share=0.4)
    found = the(record(steps(), at(idle_masks=(other, FUTURE), count=6)), "GR710")
    assert (found.severity, found.where["module"], found.evidence["attentions"]) == ("error", "model.0.attn", 2)
    assert found.because == (
        "The mask in `model.0.attn` lets the future through: the value that it fills in for what comes after each "
        "place is not far below the other scores, and after the softmax 52 % of the weight lies there. So it was on 6 "
        "looks; and so is that in `model.1.attn`. Each place is asked for a target of its own and reads what follows "
        "it: where that is what it is to tell, the answer stands in its input, and a low loss says nothing."
    )
    assert found.remedies[0].do.startswith('scores = scores.masked_fill(mask, float("-inf"))  # in `model.0.attn`')


def test_a_future_that_no_target_asks_for_is_a_warning() -> None:
    found = the(record(steps(), at(idle_masks=(replace(FUTURE, at_each_place=False),))), "GR710")
    assert found.severity == "warning"
    assert found.because.endswith("which it will not have where the sequence is still being made.")


def test_a_mask_of_padding() -> None:
    found = the(record(steps(), at(idle_masks=(PADDING,))), "GR710")
    assert (found.severity, found.evidence["share"]) == ("warning", 0.24)
    assert found.because.startswith("The mask in `model.pool` shuts nothing out: the value that it fills in for the")
    assert found.because.endswith("What stands at these places, as a rule padding, is read like data.")


def test_an_attention_of_no_module_is_told_without_its_name() -> None:
    found = the(record(steps(), at(idle_masks=(replace(PADDING, module="", kind=""),))), "GR710")
    assert found.because.startswith("The mask in an attention shuts nothing out")
    assert "module" not in found.where
    assert found.remedies[0].do.startswith('scores = scores.masked_fill(mask, float("-inf"))  # before the softmax')


def test_it_takes_the_place_of_what_follows_from_a_future_that_is_seen() -> None:
    ahead = CopiedTargets("model.embed", 16, 512, ahead=1)
    assert "GR605" in codes(record(steps(), at(copied_targets=ahead, count=6)))
    assert "GR605" not in codes(record(steps(), at(copied_targets=ahead, idle_masks=(FUTURE,), count=6)))
    own = replace(ahead, ahead=0)
    assert "GR605" not in codes(record(steps(), at(copied_targets=own, idle_masks=(FUTURE,), count=6)))
    assert "GR605" in codes(record(steps(), at(copied_targets=ahead, idle_masks=(PADDING,), count=6)))


def test_a_mask_of_numbers_that_is_added() -> None:
    added = AddedMask("model.attn", "MultiheadAttention", 16, 1.0, 0.0, is_future=True, at_each_place=True)
    found = the(record(steps(), at(added_masks=(added,), count=6)), "GR710")
    assert (found.severity, found.where["module"]) == ("error", "model.attn")
    assert found.because.startswith(
        "The mask in `model.attn` lets the future through: its numbers are added to the scores, 1 where they are to be "
        "read and 0 where not, which changes the ratio of two weights by 2.72 times at most. So it was on 6 looks. Each"
    )
    assert found.remedies[0].do.startswith("mask = mask != 1  # True where a place is not to be read")
    ahead = CopiedTargets("model.embed", 16, 512, ahead=1)
    assert "GR605" not in codes(record(steps(), at(copied_targets=ahead, added_masks=(added,), count=6)))


def test_one_that_adds_nothing() -> None:
    found = the(record(steps(), at(added_masks=(AddedMask("", "", 16, 0.0, -1e-9),))), "GR710")
    assert found.severity == "warning"
    assert found.because.startswith(
        "The mask in an attention shuts nothing out: its numbers are added to the scores, 0"
    )
    assert "which leaves weights as they are" in found.because
    assert found.remedies[0].do.startswith("mask = mask == 0  # True where a place is to be read")


def test_numbers_whose_ratio_no_float_holds() -> None:
    found = the(record(steps(), at(added_masks=(AddedMask("", "", 16, 1e200, -1.0),))), "GR710")
    assert found.evidence["times"] > 1e300


def test_an_added_mask_takes_three_looks() -> None:
    added = AddedMask("model.attn", "MultiheadAttention", 16, 1.0, 0.0)
    assert "GR710" not in codes(record(steps(), at(added_masks=(added,), count=2)))


SLIGHT = replace(PADDING, ratio=0.3, above=0.2)


@pytest.mark.parametrize(
    "looks",
    [
        at(),
        at(idle_masks=(PADDING,), count=2),
        (*at(idle_masks=(PADDING,), count=3), *at(start=50, count=4)),
        at(idle_masks=(SLIGHT,)),
    ],
    ids=["never", "two looks", "seldom", "little weight, and none above an open place"],
)
def test_it_takes_most_looks_and_three_of_them(looks: tuple[object, ...]) -> None:
    assert "GR710" not in codes(record(steps(), looks))  # type: ignore[arg-type]


def test_it_is_not_judged_without_looks() -> None:
    assert "GR710" in not_judged(record(steps(), ()))

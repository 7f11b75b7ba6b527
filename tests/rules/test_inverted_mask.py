"""GR709: the mask of an attention is the wrong way round."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.seen.data import InvertedMask
from gradreach.record.seen.zero_gradient import ZeroGradient
from tests.records.parts import at, flat, record, steps, zero_gradient
from tests.rules.judging import codes, not_judged, the

SEEN = InvertedMask("model.layers.0.attn", "MultiheadAttention", 32, 16, 0.4)
NEXT = InvertedMask("model.layers.1.attn", "MultiheadAttention", 32, 16, 0.4)


def test_attention_to_the_padding_alone() -> None:
    found = the(record(steps(), at(inverted_masks=(SEEN, NEXT), count=6)), "GR709")
    assert (found.severity, found.where["module"]) == ("warning", "model.layers.0.attn")
    assert found.because == (
        "The mask of `model.layers.0.attn` is the wrong way round: it shuts out every place that holds data and lets "
        "through the padding alone, 40 % of all places. So it was on 6 looks, in rows of 16 places that are filled up "
        "with one value; and so is that of `model.layers.1.attn`."
    )
    assert found.remedies[0].do.startswith("mask = ~mask  # `model.layers.0.attn` ignores a key where")


def test_it_is_an_error_where_the_loss_does_not_fall() -> None:
    assert the(record(steps(400, loss=flat), at(inverted_masks=(SEEN,))), "GR709").severity == "error"


def test_where_it_may_be_meant_it_is_information() -> None:
    meant = replace(SEEN, may_be_meant=True)
    found = the(record(steps(), at(inverted_masks=(meant,))), "GR709")
    assert (found.severity, "may be the wrong way round" in found.because) == ("info", True)
    assert found.because.endswith("Another attention shuts out just the padding, so it may be meant.")
    assert the(record(steps(), at(inverted_masks=(meant, NEXT))), "GR709").severity == "warning"
    assert the(record(steps(400, loss=flat), at(inverted_masks=(meant,))), "GR709").severity == "error"


def test_an_attention_of_no_module_is_told_without_its_name() -> None:
    found = the(record(steps(), at(inverted_masks=(InvertedMask("", "", 32, 16, 0.4),))), "GR709")
    assert found.because.startswith("The mask of an attention is the wrong way round")
    assert "module" not in found.where
    assert "masked_fill" in found.remedies[0].do


def test_the_gradients_of_0_behind_it_are_no_finding_of_their_own() -> None:
    group: ZeroGradient = zero_gradient("model.keys.weight", why="unknown", module="model.keys", operation="addmm")
    assert "GR307" in codes(record(steps(), at(zero_gradient=(group,), count=8)))
    assert "GR307" not in codes(record(steps(), at(zero_gradient=(group,), inverted_masks=(SEEN,), count=8)))


@pytest.mark.parametrize(
    "looks",
    [at(), at(inverted_masks=(SEEN,), count=2), (*at(inverted_masks=(SEEN,), count=3), *at(start=50, count=4))],
    ids=["never", "two looks", "seldom"],
)
def test_it_takes_most_looks_and_three_of_them(looks: tuple[object, ...]) -> None:
    assert "GR709" not in codes(record(steps(), looks))  # type: ignore[arg-type]


def test_it_is_not_judged_without_looks() -> None:
    assert "GR709" in not_judged(record(steps(), ()))

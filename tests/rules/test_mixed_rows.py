"""GR711: a view mixes the rows of the batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.records.parts import at, falling, flat, record, steps
from tests.records.speaking import SPEAKING, STATES_VIEWED
from tests.rules.judging import codes, the

LOOKS = at(mixed_by_views=(STATES_VIEWED,))


def test_rows_are_mixed_between_two_modules() -> None:
    found = the(SPEAKING["GR711"], "GR711")
    assert (found.severity, found.where["module"]) == ("error", "model.encoder.lstm")
    assert found.because.startswith(
        "The rows of the batch are mixed between `model.encoder.lstm` and `model.decoder.lstm`: the loss of one row "
        "has a gradient at 2 other rows and none at its own, through a view from (2, 64, 48) to (1, 64, 96) in the "
        "forward of `model.encoder`."
    )


def test_a_loss_that_falls_shows_no_harm() -> None:
    assert "GR711" not in codes(record(steps(loss=falling), LOOKS))
    assert "GR711" not in codes(record(steps(10, loss=flat), LOOKS))


def test_a_loss_that_comes_to_rest_is_a_warning() -> None:
    def rests(i: int) -> float:
        return 2.0 - 0.02 * min(i, 40) + 0.01 * (i * 7 % 5)

    assert the(record(steps(400, loss=rests), LOOKS), "GR711").severity == "warning"


def test_it_takes_several_looks() -> None:
    assert "GR711" not in codes(record(steps(loss=flat), LOOKS[:2]))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"own": 1}, "at up to 2 other rows, and not always at its own, through"),
        ({"own": 4}, "at 2 other rows beside its own, through"),
        ({"behind": ""}, "are mixed behind `model.encoder.lstm`: "),
        ({"before": ""}, "are mixed before `model.decoder.lstm`: "),
        ({"before": "", "behind": ""}, "are mixed on their way to the loss: "),
        ({"module": ""}, "to (1, 64, 96). A view"),
        ({"shape_in": (128, 48), "axis_in": 0}, "lie along axis 0 before it, 2 times one behind the other, and"),
    ],
)
def test_what_was_seen_is_told(more: dict[str, Any], told: str) -> None:
    looks = at(mixed_by_views=(replace(STATES_VIEWED, **more),))
    assert told in the(record(steps(loss=flat), looks), "GR711").because


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"shape_out": (64, 96), "axis_out": 0}, "h.transpose(0, 1).reshape(-1, 96)"),
        ({}, "h.transpose(0, 1).reshape(-1, 1, 96).transpose(0, 1)"),
        (
            {"shape_in": (64, 9, 8), "axis_in": 0, "shape_out": (9, 64, 8)},
            "h.transpose(0, 1)",
        ),
        (
            {"shape_in": (320, 8), "axis_in": 0, "shape_out": (64, 5, 8), "axis_out": 0},
            "h.unflatten(0, (5, -1)).transpose(0, 1)",
        ),
        (
            {"shape_in": (2, 3, 64, 8), "axis_in": 2, "shape_out": (64, 48), "axis_out": 0},
            "h.movedim(2, 0).reshape(-1, 48)",
        ),
    ],
)
def test_the_remedy_moves_the_axis(more: dict[str, Any], code: str) -> None:
    looks = at(mixed_by_views=(replace(STATES_VIEWED, **more),))
    remedy = the(record(steps(loss=flat), looks), "GR711").remedies[0]
    assert remedy.do.splitlines()[-1] == f"h = {code}"

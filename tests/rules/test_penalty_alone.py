"""GR616: a part of the model that only a penalty trains."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.seen.loss import PenaltyAlone
from tests.records.parts import at, depth_look, record, steps
from tests.records.speaking import CODE, ERROR, penalised
from tests.rules.judging import codes, not_judged, the

GAUSSIAN = PenaltyAlone(*CODE, "model.mu", "model.logvar")
BLOCK = PenaltyAlone(("model.side.1",), ("model.side.0.weight", "model.side.1.weight"))


def test_a_code_that_the_decoder_does_not_get() -> None:
    found = the(record(steps(), penalised(GAUSSIAN)), "GR616")
    assert (found.severity, found.where["module"]) == ("warning", "model.logvar")
    assert found.because == (
        "`model.mu` and `model.logvar` lead to the loss by a penalty alone, which holds nothing against data: it is "
        "least where what they put out is the same for every input. No gradient comes to them from the output of "
        "`model.out`, which is held against targets: that does not depend on what they put out, or is cut off on the "
        "way (detach, .data, argmax). The penalty is the divergence of a code of that mean and variance from the "
        "normal distribution: the code is trained to keep nothing of the data, and a drawn one says nothing to what is "
        "to read it."
    )
    assert found.remedies[0].do.splitlines() == [
        "z = mu + torch.randn_like(mu) * (logvar / 2).exp()",
        "# give the decoder z, with its gradient, not what z was made of: recon = decoder(z)",
    ]


def test_of_a_code_whose_mean_is_used_the_variance_is_told() -> None:
    alone = replace(GAUSSIAN, modules=("model.logvar",), parameters=CODE[1][2:])
    found = the(record(steps(), penalised(alone)), "GR616")
    assert found.because.startswith("`model.logvar` leads to the loss by a penalty alone, which holds nothing ")
    assert "the variance goes to 1 in each row" in found.because


def test_a_code_by_one_layer_is_called_by_the_usual_names() -> None:
    alone = PenaltyAlone(("model.0",), ("model.0.weight",), "model.0", "model.0")
    (remedy,) = the(record(steps(), penalised(alone)), "GR616").remedies
    assert remedy.do.startswith("z = mu + torch.randn_like(mu) * (logvar / 2).exp()")


def test_a_block_whose_result_is_not_used() -> None:
    found = the(record(steps(), penalised(BLOCK)), "GR616")
    assert found.because.endswith("The same holds for 1 layer before it, whose output goes nowhere else.")
    assert "divergence" not in found.because
    (remedy,) = found.remedies
    assert remedy.do == "# give what follows the result of `model.side.1`, in place of what `model.side.1` was given"


TRAINED = depth_look("model.mu", "Linear", 0)


@pytest.mark.parametrize(
    "beside",
    [
        at(TRAINED, losses=(ERROR,), count=1, start=90),
        at(TRAINED, losses=(ERROR,), count=1, start=90, site=1),
        at(TRAINED, losses=(ERROR,), penalty_alone=BLOCK, count=1, start=90),
    ],
    ids=["the same line", "another line", "another penalty"],
)
def test_silence_where_anything_else_trains_it_even_once(beside: tuple[object, ...]) -> None:
    assert "GR616" not in codes(record(steps(), (*penalised(GAUSSIAN), *beside)))  # type: ignore[arg-type]


def test_silence_where_nothing_moves_it_and_where_few_looks_were_made() -> None:
    looks = penalised(GAUSSIAN)
    still = tuple(replace(look, depth=tuple(replace(each, update_ratio=0.0) for each in look.depth)) for look in looks)
    assert "GR616" not in codes(record(steps(), still))
    assert "GR616" not in codes(record(steps(), penalised(GAUSSIAN, count=5)))


def test_it_is_not_judged_without_a_comparison() -> None:
    assert "GR616" in not_judged(record(steps(), at(count=6)))

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from gradreach.remedies.clip import Clip
from gradreach.remedies.guard.arguments import (
    check_clip,
    check_optimizer,
    check_scaler,
    check_state,
    list_of_schedulers,
    modules_by_name,
)
from gradreach.remedies.guard.options import GuardPolicy, GuardSnapshots, check_folder, check_keep


def test_models_by_name() -> None:
    one, other = nn.Linear(1, 1), nn.Linear(1, 1)
    assert modules_by_name(None) == {}
    assert modules_by_name(one) == {"model": one}
    assert modules_by_name([one, other]) == {"0": one, "1": other}
    assert modules_by_name({"generator": one, "critic": other}) == {"generator": one, "critic": other}
    for wrong in (3, [one, 3], "model"):
        with pytest.raises(TypeError, match=r"model: expected an nn.Module, several, or None, got (int|str)"):
            modules_by_name(wrong)
    with pytest.raises(ValueError, match="model: expected initialised parameters, got lazy ones"):
        modules_by_name(nn.LazyLinear(3))


def test_what_has_no_single_step_is_refused() -> None:
    model = nn.Linear(1, 1)
    check_optimizer(torch.optim.Adam(model.parameters()), {"model": model})
    with pytest.raises(TypeError, match=r"optimizer: expected a torch.optim.Optimizer, got Linear"):
        check_optimizer(model, {})
    with pytest.raises(TypeError, match="optimizer: LBFGS steps by a closure"):
        check_optimizer(torch.optim.LBFGS(model.parameters()), {})
    plateau = lr_scheduler.ReduceLROnPlateau(torch.optim.SGD(model.parameters(), 0.1))
    with pytest.raises(TypeError, match="scheduler: ReduceLROnPlateau steps by a metric"):
        list_of_schedulers(plateau)
    with pytest.raises(TypeError, match="scheduler: expected step, state_dict and load_state_dict, got int"):
        list_of_schedulers([3])


def test_what_is_kept_must_have_a_state() -> None:
    keep = {"draw": torch.Generator()}
    assert GuardSnapshots(keep=keep).keep == keep
    with pytest.raises(TypeError, match="keep: expected a mapping from names to objects, got list"):
        check_keep([torch.Generator()])
    with pytest.raises(TypeError, match=r"keep\['data'\]: expected state_dict and load_state_dict"):
        GuardSnapshots(keep={"data": 3})


@pytest.mark.parametrize(
    ("options", "name", "wrong", "why"),
    [
        (GuardPolicy, "patience", 0, "patience: expected at least 1, got 0"),
        (GuardPolicy, "attempts", 0, "attempts: expected at least 1, got 0"),
        (GuardSnapshots, "every", 0, "every: expected at least 1, got 0"),
        (GuardPolicy, "limit", 2, r"limit: expected at least patience \(3\), got 2"),
        (GuardPolicy, "lower_lr", 2.0, r"lower_lr: expected a factor in \(0, 1\], got 2.0"),
        (GuardPolicy, "lower_threshold", 0.0, r"lower_threshold: expected a factor in \(0, 1\], got 0.0"),
    ],
)
def test_numbers(options: Any, name: str, wrong: float, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        options(**{name: wrong})


def test_a_truth_value_is_no_number_of_steps() -> None:
    with pytest.raises(TypeError, match="patience: expected a whole number, got True"):
        GuardPolicy(patience=True)
    with pytest.raises(TypeError, match="every: expected a whole number, got True"):
        GuardSnapshots(every=True)


def test_what_is_none_of_the_things_asked_for_is_named() -> None:
    with pytest.raises(ValueError, match="model: expected a module, several, or None, got none"):
        modules_by_name([])
    with pytest.raises(TypeError, match=r"scaler: expected a torch.amp.GradScaler or None, got int"):
        check_scaler(3)
    with pytest.raises(TypeError, match="folder: expected a path or None, got int"):
        check_folder(3)
    with pytest.raises(ValueError, match=r"state: expected what a Guard's state_dict\(\) returned, got one without"):
        check_state({})


def test_a_clip_must_cover_what_the_optimizer_trains() -> None:
    model, more = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    check_clip(Clip(nn.Sequential(model, more)), optimizer)
    with pytest.raises(ValueError, match="clip: covers 2 of 4 of the optimizer's parameters; make it of the optimizer"):
        check_clip(Clip(model[0]), optimizer)
    model[1].requires_grad_(False)
    check_clip(Clip(model[0]), optimizer)

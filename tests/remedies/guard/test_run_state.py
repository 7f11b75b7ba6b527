import copy
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from gradreach.remedies.guard.copies import copied
from gradreach.remedies.guard.mismatch import mismatch
from gradreach.remedies.guard.run_state import RunState, tensors_of


class Odd(nn.Module):
    """Shared weights, buffers that state_dict leaves out, an extra state."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(2, 2), nn.Linear(2, 2)
        self.other.weight = self.one.weight
        self.register_buffer("cache", torch.zeros(2), persistent=False)
        self.calls = 0

    def get_extra_state(self) -> Any:
        return {"calls": self.calls}

    def set_extra_state(self, state: Any) -> None:
        self.calls = state["calls"]


def run_state(model: nn.Module) -> RunState:
    return RunState({"model": model}, torch.optim.SGD(model.parameters(), 0.1, momentum=0.9))


def test_names_are_those_of_state_dict() -> None:
    model = Odd()
    assert set(tensors_of(model)) == {*model.state_dict(), "cache"}


def test_everything_is_put_back_in_place() -> None:
    model = Odd()
    run = run_state(model)
    tree = copied(run.read()).tree
    held = dict(tensors_of(model))
    expected = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        for tensor in (model.one.weight, model.one.bias, model.cache):
            tensor.add_(1.0)
    model.calls = 7
    run.write(tree, generators=True)
    assert all(
        torch.equal(expected[name], tensor) for name, tensor in model.state_dict().items() if "extra" not in name
    )
    assert torch.equal(model.cache, torch.zeros(2))
    assert model.calls == 0
    assert all(tensors_of(model)[name] is tensor for name, tensor in held.items() if isinstance(tensor, Tensor))


def test_a_copy_shares_nothing_and_holds_a_shared_tensor_once() -> None:
    model = Odd()
    tree = copied(run_state(model).read()).tree["models"]["model"]
    assert tree["one.weight"] is tree["other.weight"]
    assert tree["one.weight"].data_ptr() != model.one.weight.data_ptr()
    assert not tree["one.weight"].requires_grad


def test_room_is_used_again_where_it_fits() -> None:
    first = copied({"a": torch.zeros(3), "b": torch.zeros(2), "c": [torch.zeros(1), 5]})
    second = copied({"a": torch.ones(3), "b": torch.ones(4), "c": [torch.ones(1), 6], "d": torch.ones(1)}, first)
    first, second = first.tree, second.tree
    assert second["a"] is first["a"]
    assert second["b"] is not first["b"]
    assert second["c"][0] is first["c"][0]
    assert torch.equal(second["a"], torch.ones(3))
    assert second["c"][1] == 6


def test_tensors_that_were_one_get_a_room_each() -> None:
    shared = torch.zeros(2)
    first = copied({"a": shared, "b": shared})
    second = copied({"a": torch.ones(2), "b": torch.full((2,), 2.0)}, first).tree
    assert second["a"].tolist() == [1.0, 1.0]
    assert second["b"].tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (nn.Linear(2, 3), r"model 'model': 'one.bias' is not in the snapshot|'bias' is not in the snapshot"),
        (nn.Sequential(Odd(), nn.Linear(1, 1)), "is not in the snapshot"),
    ],
)
def test_a_mismatch_is_named(other: nn.Module, why: str) -> None:
    tree = copied(run_state(Odd()).read()).tree
    assert mismatch(run_state(Odd()), tree) is None
    assert re.search(why, str(mismatch(run_state(other), tree)))


def test_a_mismatch_of_shapes_groups_and_objects_is_named() -> None:
    small, large = nn.Linear(2, 2), nn.Linear(2, 3)
    tree = copied(run_state(small).read()).tree
    assert mismatch(run_state(large), tree) == "model 'model': 'weight' has the shape (3, 2), in the snapshot (2, 2)"
    bias_alone = RunState({"model": small}, torch.optim.SGD([small.bias], 0.1))
    assert mismatch(bias_alone, tree) == "the optimizer has groups of [1] parameters, the snapshot has [2]"
    kept = RunState({"model": small}, torch.optim.SGD(small.parameters(), 0.1), keep={"data": torch.Generator()})
    assert mismatch(kept, tree) == "keep has ['data'], the snapshot has []"


def test_not_finite_names_the_parameter() -> None:
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.bias[1] = float("nan")
    assert run_state(model).not_finite() == ["model.bias"]
    assert RunState({}, torch.optim.SGD(model.parameters(), 0.1)).not_finite() == ["the optimizer's parameter 1"]


def test_another_optimizer_scheduler_or_dtype_is_named() -> None:
    def run(kind: Any, schedule: Any, dtype: torch.dtype = torch.float32) -> RunState:
        model = nn.Linear(2, 2, dtype=dtype)
        optimizer = kind(model.parameters(), 0.1)
        return RunState({"model": model}, optimizer, [schedule(optimizer)])

    def steps(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        return lr_scheduler.StepLR(optimizer, 3)

    def cosine(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        return lr_scheduler.CosineAnnealingLR(optimizer, 3)

    tree = copied(run(torch.optim.Adam, steps).read()).tree
    assert mismatch(run(torch.optim.Adam, steps), tree) is None
    assert mismatch(run(torch.optim.AdamW, steps), tree) == "AdamW stands where the snapshot has Adam"
    assert mismatch(run(torch.optim.Adam, cosine), tree) == "CosineAnnealingLR stands where the snapshot has StepLR"
    wide = mismatch(run(torch.optim.Adam, steps, torch.float64), tree)
    assert wide == "model 'model': 'weight' is of torch.float64, in the snapshot of torch.float32"
    del tree["optimizer"]["param_groups"][0]["amsgrad"], tree["schedulers"][0]["gamma"]
    assert "'amsgrad'" in str(mismatch(run(torch.optim.Adam, steps), tree))

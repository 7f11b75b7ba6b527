"""Which loads with strict=False count as missed: those that brought nothing to a model which is trained afterwards."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.schema import Record
from gradreach.record.seen.loop import MissedLoad
from tests.watch.conftest import Watched


class Net(nn.Module):
    """A backbone under a head."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 16))
        self.head = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.backbone(x))
        return out


class OwnLoad(Net):
    def load_state_dict(self, state_dict: Any, *_: Any, **__: Any) -> Any:
        return super().load_state_dict(state_dict, strict=False)


class Adapted(nn.Module):
    """A frozen layer with a low-rank one beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Sequential(*(nn.Linear(8, 8) for _ in range(16))).requires_grad_(False)
        self.down, self.up = nn.Linear(8, 2, bias=False), nn.Linear(2, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.base(x) + self.up(self.down(x))
        return out


def pass_through(model: nn.Module, width: int = 4) -> None:
    model(torch.randn(8, width)).square().mean().backward()


def under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor.clone() for name, tensor in state.items()}


def missed(watched: Watched, state: Any, made: Callable[[], nn.Module] = Net) -> tuple[MissedLoad, ...]:
    """The loads that a model missed which is trained after it was given `state`."""

    def train() -> None:
        model = made()
        model.load_state_dict(state, strict=False)
        pass_through(model)

    record: Record = watched(train)[1]
    return record.missed_loads


def told(found: tuple[MissedLoad, ...]) -> list[tuple[str, str, str, int]]:
    return [(each.under, each.prefix, each.wanted, each.fits) for each in found]


@pytest.mark.parametrize("made", [Net, OwnLoad])
def test_a_prefix_of_a_wrapper_is_told_with_line_and_module(watched: Watched, made: Callable[[], nn.Module]) -> None:
    (found,) = missed(watched, nn.DataParallel(Net()).state_dict(), made)
    assert (found.module, found.step, found.given, found.taken) == ("model", 0, 11, 0)
    assert (found.prefix, found.wanted, found.fits) == ("module.", "", 11)
    assert "test_missed_loads.py:" in found.line
    assert (found.example, found.own) == ("module.backbone.0.weight", "backbone.0.weight")


def test_what_would_make_the_names_fit_is_told(watched: Watched) -> None:
    state = Net().state_dict()
    whole = {"model": state, "optimizer": {"lr": 0.1}, "epoch": 3}
    bare = {name.removeprefix("backbone."): tensor for name, tensor in state.items() if "head" not in name}
    assert told(missed(watched, whole)) == [("model", "", "", 11)]
    assert told(missed(watched, {"state": under("module.", state), "epoch": 3})) == [("state", "module.", "", 11)]
    assert told(missed(watched, bare)) == [("", "", "backbone.", 9)]
    assert told(missed(watched, under("encoder_q.", bare))) == [("", "encoder_q.", "backbone.", 9)]
    assert told(missed(watched, {"stem.kernel": torch.ones(3), "stem.gamma": torch.ones(3)})) == [("", "", "", 0)]


def test_a_head_of_another_size_counts_as_what_does_not_fit(watched: Watched) -> None:
    assert told(missed(watched, under("module.", Net(10).state_dict()))) == [("", "module.", "", 9)]


def test_a_part_of_a_trained_model_is_told_by_its_path(watched: Watched) -> None:
    def train() -> None:
        model = Net()
        model.backbone.load_state_dict(Net().state_dict(), strict=False)
        pass_through(model)

    (found,) = watched(train)[1].missed_loads
    assert (found.module, found.prefix, found.fits) == ("model.backbone", "backbone.", 9)


def test_a_load_of_the_wrapper_is_told_of_what_it_wraps(watched: Watched) -> None:
    def train() -> None:
        model = Net()
        nn.Sequential(model).load_state_dict(under("module.", Net().state_dict()), strict=False)
        whole = nn.DataParallel(model)
        whole.load_state_dict(Net().state_dict(), strict=False)
        pass_through(model)

    (found,) = watched(train)[1].missed_loads
    assert (found.module, found.wanted) == ("model", "module.")


def test_a_load_between_two_trainings_is_told_at_its_step(watched: Watched) -> None:
    def train() -> None:
        model = Net()
        for _ in range(3):
            pass_through(model)
        model.load_state_dict(under("module.", Net().state_dict()), strict=False)
        pass_through(model)

    assert [found.step for found in watched(train)[1].missed_loads] == [3]


def test_a_load_of_which_much_fits_is_none(watched: Watched) -> None:
    state = Net(10).state_dict()
    without = {name: tensor for name, tensor in state.items() if "head" not in name}
    assert not missed(watched, without)
    assert not missed(watched, {**without, **under("decoder.", Net().state_dict())})
    assert not missed(
        watched, {**under("decoder.", state), **without, **{f"text.{i}": torch.ones(1) for i in range(300)}}
    )
    assert not missed(watched, {})


def test_adapters_alone_are_none(watched: Watched) -> None:
    def train() -> None:
        model = Adapted()
        small = {name: tensor for name, tensor in model.state_dict().items() if "base" not in name}
        model.load_state_dict(small, strict=False)
        pass_through(model, 8)

    assert not watched(train)[1].missed_loads


@pytest.mark.parametrize("order", ["before", "after", "of its largest part"])
def test_another_load_that_fits_makes_up_for_it(watched: Watched, order: str) -> None:
    def train() -> None:
        model, state = Net(), Net().state_dict()
        if order == "before":
            model.load_state_dict(state)
        model.load_state_dict(under("module.", state), strict=False)
        if order == "after":
            model.load_state_dict(state, strict=False)
        if order == "of its largest part":
            model.backbone.load_state_dict(Net().backbone.state_dict())
        pass_through(model)

    assert not watched(train)[1].missed_loads


@pytest.mark.parametrize("first", [True, False])
def test_a_state_that_another_module_takes_was_not_meant_for_this_one(watched: Watched, first: bool) -> None:
    def train() -> None:
        model, state = Net(), Net().state_dict()
        scale = nn.PReLU(3)
        for module in (model, scale) if first else (scale, model):
            module.load_state_dict(state, strict=False)
        scale(model(torch.randn(8, 4))).square().mean().backward()

    assert not watched(train)[1].missed_loads


def test_what_is_never_trained_is_none(watched: Watched) -> None:
    def train() -> None:
        teacher, model = Net(), Net()
        teacher.load_state_dict(under("module.", model.state_dict()), strict=False)
        with torch.no_grad():
            wanted = teacher(torch.randn(8, 4))
        (model(torch.randn(8, 4)) - wanted).square().mean().backward()
        model.load_state_dict(under("module.", model.state_dict()), strict=False)  # for a last evaluation

    assert not watched(train)[1].missed_loads


def test_a_target_network_that_follows_is_none(watched: Watched) -> None:
    def train() -> None:
        model = Net()
        target = copy.deepcopy(model)
        for _ in range(3):
            pass_through(model)
            target.load_state_dict(model.state_dict(), strict=False)

    assert not watched(train)[1].missed_loads


def test_nothing_is_kept_alive_and_the_result_is_the_scripts_own(watched: Watched) -> None:
    def train() -> None:
        model = Net()
        result = model.load_state_dict(under("module.", Net().state_dict()), strict=False)
        assert type(result).__name__ == "_IncompatibleKeys"
        assert len(result.unexpected_keys) == 11
        good = Net()
        good.load_state_dict(Net().state_dict())
        refs = [weakref.ref(model), weakref.ref(good)]
        del model, good
        gc.collect()
        assert not any(ref() is not None for ref in refs)
        pass_through(Net())

    assert not watched(train)[1].missed_loads


def test_an_error_of_a_load_is_the_scripts_own(watched: Watched) -> None:
    with pytest.raises(RuntimeError, match="Missing key"):
        watched(lambda: Net().load_state_dict({}))
    assert nn.Module.load_state_dict.__qualname__ == "Module.load_state_dict"


def test_a_load_is_heard_however_it_is_called(watched: Watched) -> None:
    def train() -> None:
        state, model = under("module.", Net().state_dict()), Net()
        nn.Module.load_state_dict(self=model, state_dict=state, strict=False)
        pass_through(model)

    record: Record = watched(train)[1]
    assert len(record.missed_loads) == 1
    assert not record.notes


def test_odd_states_do_no_harm(watched: Watched) -> None:
    odd = {"a": None, "b": {"c": 1}, "d": "text"}

    def train() -> None:
        lazy, model = nn.Sequential(nn.LazyLinear(3)), Net()
        lazy.load_state_dict(odd, strict=False)
        model.load_state_dict(odd, strict=False)
        (lazy(torch.randn(8, 4)) + model(torch.randn(8, 4))).sum().backward()

    record: Record = watched(train)[1]
    assert ("", "", "", 0) in told(record.missed_loads)
    assert not record.notes

"""Optimizers that are made anew at each step, as looks hear of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradreach.record.schema import Record
from gradreach.record.seen.loop import AnewOptimizer
from tests.watch.conftest import Watched

Make = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
NAMES = ("model.0.weight", "model.0.bias", "model.2.weight", "model.2.bias")


def adam(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, 1e-3)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))


def loss(model: nn.Module) -> Tensor:
    x = torch.randn(8, 4)
    return F.cross_entropy(model(x), x[:, :3].argmax(1))


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss(model).backward()
    optimizer.step()


def anew(record: Record) -> list[Sequence[AnewOptimizer]]:
    return [look.stepped.anew for look in record.looks if look.stepped is not None and look.stepped.held]


def told(watched: Watched, train: Callable[[nn.Sequential], None], every: int | None = 1) -> list[bool]:
    """For each look with a step whether it saw an optimizer that is made anew."""
    model = net()

    def trains() -> None:
        """The variable `model` names the weights."""
        train(model)

    return [bool(each) for each in anew(watched(trains, every=every)[1])]


MAKERS: dict[str, Make] = {
    "Adam": adam,
    "AdamW": lambda ps: torch.optim.AdamW(ps, 1e-3, foreach=True),
    "NAdam": lambda ps: torch.optim.NAdam(ps, 1e-3),
    "RAdam": lambda ps: torch.optim.RAdam(ps, 1e-3),
    "Adamax": lambda ps: torch.optim.Adamax(ps, 1e-3),
    "RMSprop": lambda ps: torch.optim.RMSprop(ps, 1e-3),
    "Adagrad": lambda ps: torch.optim.Adagrad(ps, 1e-3),
    "Adadelta": lambda ps: torch.optim.Adadelta(ps, 1e-3),
    "Rprop": lambda ps: torch.optim.Rprop(ps, 1e-3),
    "SGD": lambda ps: torch.optim.SGD(ps, 1e-3, momentum=0.9),
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("every", [1, 4, None])
def test_an_optimizer_of_one_step_is_told_past_the_first_look(kind: str, every: int | None, watched: Watched) -> None:
    model = net()

    def train() -> None:
        for _ in range(14):
            step(model, MAKERS[kind](model.parameters()))

    first, *others = anew(watched(train, every=every)[1])
    assert not first
    assert len(others) >= 2
    momentum = 0.9 if kind == "SGD" else 0.0
    assert all(tuple(each) == (AnewOptimizer(kind, NAMES, 1e-3, momentum),) for each in others)


@pytest.mark.parametrize("kind", MAKERS)
def test_one_that_is_kept_or_made_for_two_steps_is_not(kind: str, watched: Watched) -> None:
    def keeps(model: nn.Sequential) -> None:
        optimizer = MAKERS[kind](model.parameters())
        for _ in range(6):
            step(model, optimizer)

    def makes_one_for_two(model: nn.Sequential) -> None:
        for _ in range(6):
            optimizer = MAKERS[kind](model.parameters())
            step(model, optimizer)
            step(model, optimizer)

    assert not any(told(watched, keeps))
    assert not any(told(watched, makes_one_for_two))
    assert not any(told(watched, makes_one_for_two, every=2)), "each look falls on a first step"


def plain(model: nn.Sequential) -> None:
    for _ in range(6):
        step(model, torch.optim.SGD(model.parameters(), 0.1))


def emptied(model: nn.Sequential) -> None:
    optimizer = adam(model.parameters())
    for _ in range(6):
        optimizer.state.clear()
        step(model, optimizer)


def loaded(model: nn.Sequential) -> None:
    optimizer = adam(model.parameters())
    for _ in range(6):
        step(model, optimizer)
        state, optimizer = optimizer.state_dict(), adam(model.parameters())
        optimizer.load_state_dict(state)


def put_back(model: nn.Sequential) -> None:
    """A task of one step each, from the common start or some way on."""
    for i in range(6):
        start = copy.deepcopy(model.state_dict())
        step(model, adam(model.parameters()))
        end = model.state_dict()
        model.load_state_dict({name: start[name] + 0.1 * (i % 2) * (end[name] - start[name]) for name in start})


def copied(model: nn.Sequential) -> None:
    for _ in range(6):
        each = copy.deepcopy(model)
        step(each, adam(each.parameters()))


def images(model: nn.Sequential) -> None:
    for _ in range(6):
        image = nn.Parameter(torch.randn(8, 4))
        F.cross_entropy(model(image), torch.zeros(8, dtype=torch.long)).backward()
        adam([image]).step()


def closures(model: nn.Sequential) -> None:
    for i in range(6):
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2) if i % 2 else adam(model.parameters())

        def computed(optimizer: torch.optim.Optimizer = optimizer) -> float:
            optimizer.zero_grad()
            value = loss(model)
            value.backward()
            return value.item()

        optimizer.step(computed)


def in_backward(model: nn.Sequential) -> None:
    of = {p: adam([p]) for p in model.parameters()}

    def steps(parameter: Tensor) -> None:
        of[parameter].step()  # type: ignore[index]
        of[parameter].zero_grad()  # type: ignore[index]

    handles = [p.register_post_accumulate_grad_hook(steps) for p in of]
    for _ in range(6):
        loss(model).backward()
    for handle in handles:
        handle.remove()


class Own(torch.optim.Optimizer):
    """Keeps its means where nobody looks for them, and a note of each step where they are looked for."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        super().__init__(parameters, {"lr": 0.1})
        self.means: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                self.means[p] = self.means.get(p, 0) * 0.9 + p.grad
                p -= group["lr"] * self.means[p]
                self.state[p] = {"steps": len(self.means)}


def of_their_own(model: nn.Sequential) -> None:
    for _ in range(6):
        step(model, Own(model.parameters()))


SILENT = [plain, emptied, loaded, put_back, copied, images, closures, in_backward, of_their_own]


@pytest.mark.parametrize("train", SILENT, ids=lambda train: train.__name__)
def test_what_keeps_nothing_or_means_to_begin_is_not_told(
    train: Callable[[nn.Sequential], None], watched: Watched
) -> None:
    assert not any(told(watched, train))


def test_summed_passes_and_lines_in_turns_are_followed_to_the_next_step(watched: Watched) -> None:
    def sums(model: nn.Sequential) -> None:
        for _ in range(5):
            optimizer = adam(model.parameters())
            for _ in range(3):
                (loss(model) / 3).backward()
            optimizer.step()
            optimizer.zero_grad()

    assert told(watched, sums)[-2:] == [True, True]


def test_an_optimizer_that_is_kept_beside_one_that_is_not_is_left_alone(watched: Watched) -> None:
    model = net()

    def train() -> None:
        kept = adam(model[0].parameters())
        for _ in range(6):
            of_head = adam(model[2].parameters())
            kept.zero_grad()
            of_head.zero_grad()
            loss(model).backward()
            kept.step()
            of_head.step()

    _, *others = anew(watched(train)[1])
    assert [[each.names for each in one] for one in others] == [[NAMES[2:]]] * 5


def test_two_models_in_turns(watched: Watched) -> None:
    model, other = net(), nn.Linear(4, 3)

    def train() -> None:
        kept = adam(other.parameters())
        for _ in range(6):
            step(model, adam(model.parameters()))
            step(other, kept)

    seen = [bool(each) for each in anew(watched(train)[1])]
    assert seen == [False, False, *[True, False] * 5]

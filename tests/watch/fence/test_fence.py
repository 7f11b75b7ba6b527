"""Nothing of ours fails in the script's call, and nothing of it changes what the script sees.

Every kind of tensor, under every transform, on steps that are looked at and on those between: the same values, the same
gradients and weights, the same random state, the same errors, and no part of the watching that failed.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.utils._pytree import tree_leaves

from tests.watch.conftest import Watched
from tests.watch.fence.kinds import KINDS, Dispatching, Kind, Overriding
from tests.watch.fence.transforms import COSTLY, TRANSFORMS, Transform

FEW = ("dense", "sparse COO", "nested, jagged", "broken objects")
EVERYDAY = ("training", "by_grad_of_each", "checkpointed_in_backward", "in_autocast")
RARE = [name for name in TRANSFORMS if name not in EVERYDAY]


class Apply(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def train(kind: Kind, transform: Transform, steps: int = 2) -> list[Any]:
    """All that the script sees: what the transform returned or raised, each step's gradients and weights."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(3, 3), Apply(kind.make), Apply(kind.take), nn.Dropout(0.2), nn.Linear(3, 2))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    counts = Overriding.asked, Dispatching.asked
    seen: list[Any] = []
    for _ in range(steps):
        optimizer.zero_grad()
        try:
            values = transform(model, torch.randn(4, 3))
            seen += [v.detach().clone() if isinstance(v, Tensor) else v for v in tree_leaves(values)]
            losses = [v.sum() for v in tree_leaves(values) if isinstance(v, Tensor) and v.grad_fn is not None]
            sum(losses, model(torch.randn(4, 3)).square().mean()).backward()
        except Exception as error:
            seen.append(f"{type(error).__name__}: {_without_addresses(str(error))}")
        optimizer.step()
        seen += [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    seen += [*(p.detach().clone() for p in model.parameters()), torch.get_rng_state()]
    return [*seen, Overriding.asked - counts[0], Dispatching.asked - counts[1]]


def same(one: Any, other: Any) -> bool:
    """Bit for bit the same."""
    if not isinstance(one, Tensor) or not isinstance(other, Tensor):
        return type(one) is type(other) and _without_addresses(repr(one)) == _without_addresses(repr(other))
    if one.layout != other.layout or one.dtype != other.dtype or one.shape != other.shape:
        return False
    return one.is_meta or torch.equal(one, other)


def check(kind: Kind, transform: Transform, watched: Watched) -> None:
    """Watched on every step, and as the budget has it."""
    plain = train(kind, transform)
    for every in (1, None):
        seen, record = watched(lambda: train(kind, transform), every)
        assert len(seen) == len(plain), (plain, seen)
        for place, (one, other) in enumerate(zip(seen, plain, strict=True)):
            assert same(one, other), (place, one, other)
        assert not [note for note in record.notes if "failed" in note or "ended early" in note]


def _without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+|\bj\d+\b", "", text)  # and the names that torch gives to ragged sizes


@pytest.fixture(autouse=True, scope="module")
def _one_process_mesh() -> Iterator[None]:
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, on layouts in beta and on its deprecated parts
        yield


@pytest.mark.parametrize("transform", EVERYDAY)
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_tensor_in_training(kind: str, transform: str, watched: Watched) -> None:
    check(KINDS[kind], TRANSFORMS[transform], watched)


@pytest.mark.parametrize("transform", RARE)
@pytest.mark.parametrize("kind", FEW)
def test_few_kinds_under_any_transform(kind: str, transform: str, watched: Watched) -> None:
    check(KINDS[kind], TRANSFORMS[transform], watched)


@pytest.mark.parametrize("transform", COSTLY)
def test_code_that_is_compiled_recorded_and_exported(transform: str, watched: Watched) -> None:
    check(KINDS["dense"], COSTLY[transform], watched)


@pytest.mark.slow(30, "a fifth of all kinds of tensors under every transform, and every kind under a fifth of them")
@pytest.mark.parametrize("transform", RARE)
def test_a_fifth_of_the_kinds_under_each_transform(transform: str, watched: Watched) -> None:
    for place, kind in enumerate(KINDS.values()):
        if (place + RARE.index(transform)) % 5 == 0:
            check(kind, TRANSFORMS[transform], watched)


@pytest.mark.exhaustive("every kind of tensor under every transform")
@pytest.mark.slow(150, "every kind of tensor under every transform")
@pytest.mark.parametrize("transform", RARE)
def test_any_kind_of_tensor_under_any_transform(transform: str, watched: Watched) -> None:
    for kind in KINDS.values():
        check(kind, TRANSFORMS[transform], watched)


def _on_meta() -> Tensor:
    with torch.device("meta"):
        return nn.Linear(3, 2)(torch.empty(4, 3)).square().mean()


def _fake_loss() -> Tensor:
    with FakeTensorMode():
        return nn.Linear(3, 2)(torch.empty(4, 3)).square().mean()


LOSSES: dict[str, Callable[[], Tensor]] = {
    "meta": _on_meta,
    "fake": _fake_loss,
    "complex": lambda: nn.Linear(3, 1, dtype=torch.complex64)(torch.ones(1, 3, dtype=torch.complex64)).sum(),
    "of many numbers": lambda: nn.Linear(3, 2)(torch.ones(4, 3)),
    "of no number": lambda: nn.Linear(3, 2)(torch.ones(0, 3)),
    "sparse": lambda: nn.Linear(3, 2)(torch.ones(4, 3)).to_sparse(),
    "nested": lambda: torch.nested.as_nested_tensor([nn.Linear(3, 2)(torch.ones(4, 3))], layout=torch.jagged),
    "half": lambda: nn.Linear(3, 2)(torch.ones(4, 3)).half().sum(),
    "overriding functions": lambda: nn.Linear(3, 2)(torch.ones(4, 3)).sum().as_subclass(Overriding),
    "without a graph": lambda: torch.ones(()),
    "a leaf": lambda: torch.ones((), requires_grad=True),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_losses_of_every_kind(kind: str, watched: Watched) -> None:
    def train() -> list[Any]:
        torch.manual_seed(0)
        seen: list[Any] = []
        for _ in range(4):
            loss = LOSSES[kind]()
            try:
                loss.backward(None if loss.numel() == 1 and not loss.is_complex() else torch.ones_like(loss))
            except Exception as error:
                seen.append(f"{type(error).__name__}: {_without_addresses(str(error))}")
        return [*seen, torch.get_rng_state()]

    plain = train()
    for every in (1, None):
        seen, record = watched(train, every)
        assert len(seen) == len(plain)
        assert all(same(one, other) for one, other in zip(seen, plain, strict=True))
        assert not [note for note in record.notes if "failed" in note]

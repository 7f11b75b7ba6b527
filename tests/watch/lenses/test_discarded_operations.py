"""Statements that make a tensor for nothing, and those that are no such thing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from gradreach.record.seen.loop import DiscardedOperation
from tests.watch.conftest import Watched

Forward = Callable[[Any, Tensor], Tensor]


class Net(nn.Module):
    def __init__(self, then: Forward) -> None:
        super().__init__()
        self.low, self.drop, self.top = nn.Linear(4, 6), nn.Dropout(0.5), nn.Linear(6, 1)
        self.register_buffer("by", torch.randn(6))
        self.then, self.kept = then, []

    def forward(self, x: Tensor) -> Tensor:
        return self.then(self, self.low(x))


def seen(watched: Watched, then: Forward) -> list[DiscardedOperation]:
    torch.manual_seed(0)
    net = Net(then)

    def train() -> None:
        for _ in range(3):
            net(torch.randn(8, 4)).square().mean().backward()

    _, record = watched(train)
    assert not [note for note in record.notes if "failed" in note]
    found = [look.discarded_operations for look in record.looks]
    assert found == found[:1] * 3
    return list(found[0])


def added(net: Any, h: Tensor) -> Tensor:
    h + net.by
    return net.top(h)


def added_from_the_left(net: Any, h: Tensor) -> Tensor:
    2 * h
    return net.top(h)


def filled(net: Any, h: Tensor) -> Tensor:
    h.masked_fill(h > 0, -1e9)
    return net.top(h)


def dropped(net: Any, h: Tensor) -> Tensor:
    F.dropout(h, 0.5)
    return net.top(h)


def bent(net: Any, h: Tensor) -> Tensor:
    torch.relu(h)
    return net.top(h)


def power(net: Any, h: Tensor) -> Tensor:
    h**2
    return net.top(h)


def cut(net: Any, h: Tensor) -> Tensor:
    h.detach()
    return net.top(h)


def turned(net: Any, h: Tensor) -> Tensor:
    h.permute(1, 0)
    return net.top(h)


def in_a_branch(net: Any, h: Tensor) -> Tensor:
    if h.dim() == 2:
        h + net.by
    return net.top(h)


@pytest.mark.parametrize(
    ("then", "operation"),
    [
        *((added, "+"), (added_from_the_left, "*"), (filled, "masked_fill"), (dropped, "dropout"), (bent, "relu")),
        *((power, "**"), (cut, "detach"), (turned, "permute"), (in_a_branch, "+")),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_a_statement_that_makes_a_tensor_for_nothing(watched: Watched, then: Forward, operation: str) -> None:
    (found,) = seen(watched, then)
    assert (found.operation, found.subject, found.fits, found.is_idle) == (operation, "h", True, False)
    assert found.line.startswith(f"{__file__}:")


def test_its_text_is_the_lines_own(watched: Watched) -> None:
    (found,) = seen(watched, filled)
    assert found.code == "h.masked_fill(h > 0, -1e9)"
    assert found.line == f"{__file__}:{filled.__code__.co_firstlineno + 1}"


def broadcast(net: Any, h: Tensor) -> Tensor:
    h + torch.zeros(3, 1, 1)
    return net.top(h)


def test_a_result_of_another_shape_does_not_fit(watched: Watched) -> None:
    assert [each.fits for each in seen(watched, broadcast)] == [False]


def of_a_part(net: Any, h: Tensor) -> Tensor:
    h[:, :2] * 2
    return net.top(h)


def test_what_works_on_a_part_has_no_subject(watched: Watched) -> None:
    assert [each.subject for each in seen(watched, of_a_part)] == [""]


def kept(net: Any, h: Tensor) -> Tensor:
    h = h + net.by
    return net.top(h)


def in_place(net: Any, h: Tensor) -> Tensor:
    h = h.clone()
    h.add_(net.by)
    h += net.by
    h.relu_()
    h = h * 1
    F.dropout(h, 0.5, True, True)
    F.relu(h, inplace=True)
    return net.top(h)


def other_calls(net: Any, h: Tensor) -> Tensor:
    """A docstring."""
    ...
    net.kept.append(h.shape)
    logging.getLogger("quiet").debug("%s", h.shape)
    assert h.dim() == 2
    net.requires_grad_()
    net.double()
    net.float()
    h.size(0)
    h.requires_grad_()
    h.retain_grad()
    net.drop(h)
    h  # noqa: B018
    h[0]
    return net.top(h)


def never_run(net: Any, h: Tensor) -> Tensor:
    if h.dim() == 3:
        h + net.by
    return net.top(h)


def to_raise(net: Any, h: Tensor) -> Tensor:
    try:
        h + net.by
    except RuntimeError:
        return net.top(h * 0)
    return net.top(h)


def of_numbers(net: Any, h: Tensor) -> Tensor:
    rows = len(h)
    rows + 1
    ["text"].index("text")
    return net.top(h)


def given_back(net: Any, h: Tensor) -> Tensor:
    h.view_as(h)
    h.contiguous()
    h.expand(8, 6).type_as(h)
    return net.top(h)


def without_gradient(net: Any, h: Tensor) -> Tensor:
    with torch.no_grad():
        h + net.by
    return net.top(h)


def of_what_ends_here(net: Any, h: Tensor) -> Tensor:
    g = h.exp()
    g + net.by
    return net.top(h)


def not_read_again(net: Any, h: Tensor) -> Tensor:
    out: Tensor = net.top(h)
    h + net.by
    return out


def in_a_generator(net: Any, h: Tensor) -> Tensor:
    parts = (part * 2 for part in h)
    next(parts)
    [part + 1 for part in h]
    return net.top(h)


def meant(net: Any, h: Tensor) -> Tensor:
    _ = h + net.by
    return net.top(h)


def in_a_checkpoint(net: Any, h: Tensor) -> Tensor:
    made: Tensor = checkpoint(lambda x: net.top(x).tanh(), h, use_reentrant=False)
    return made


@pytest.mark.parametrize(
    "then",
    [
        *(kept, in_place, other_calls, never_run, to_raise, of_numbers, given_back, without_gradient),
        *(of_what_ends_here, not_read_again, in_a_generator, meant, in_a_checkpoint),
    ],
    ids=lambda then: then.__name__,
)
def test_others_are_none(watched: Watched, then: Forward) -> None:
    assert not seen(watched, then)


class Raises(nn.Module):
    """Throws a sum away, and raises where the script is to go on all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x * 2
        if len(x) == 1:
            raise ValueError("one row")
        out: Tensor = self.layer(x)
        return out


class Counts(TorchFunctionMode):
    """Counts operations."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen += 1
        return func(*args, **(kwargs or {}))


def test_modes_of_the_script_stay_as_they_are_where_a_model_raises(watched: Watched) -> None:
    net, depths = Raises(), []

    def train() -> None:
        for _ in range(3):
            with Counts() as counts:
                with pytest.raises(ValueError, match="one row"):
                    net(torch.randn(1, 4))
                before = counts.seen
                torch.zeros(2) + 1
                depths.append(torch._C._len_torch_function_stack())
                assert counts.seen == before + 2
            depths.append(torch._C._len_torch_function_stack())
            net(torch.randn(8, 4)).square().mean().backward()

    _, record = watched(train)
    assert depths == [1, 0] * 3
    assert [[each.code for each in look.discarded_operations] for look in record.looks] == [["x * 2"]] * 3


def loop_of(watched: Watched, train: Callable[[], None]) -> list[list[tuple[str, str, bool]]]:
    torch.manual_seed(0)
    _, record = watched(train)
    assert not [note for note in record.notes if "failed" in note]
    return [[(each.code, each.subject, each.is_idle) for each in look.discarded_operations] for look in record.looks]


def test_statements_of_the_training_loop(watched: Watched) -> None:
    net = nn.Linear(4, 1)

    def train() -> None:
        data = torch.randn(8, 4)
        data / 255
        for _ in range(3):
            loss = net(data).square().mean()
            loss / 4
            torch.clamp(loss, max=1)
            loss.backward()
            for p in net.parameters():
                p.data.clamp(-0.01, 0.01)

    bound = [
        ("data / 255", "data", False),
        ("loss / 4", "loss", False),
        ("torch.clamp(loss, max=1)", "loss", False),
        ("p.data.clamp(-0.01, 0.01)", "p.data", False),
    ]
    assert loop_of(watched, train) == [bound[:3], bound, bound]


def test_what_only_logs_goes_on_with_is_idle(watched: Watched) -> None:
    net = nn.Linear(4, 1)

    def train() -> None:
        total = 0.0
        for _ in range(3):
            loss = net(torch.randn(8, 4)).square().mean()
            loss.backward()
            loss / 4
            total += loss.item()

    assert loop_of(watched, train) == [[("loss / 4", "loss", True)]] * 3


def test_a_loop_in_a_try_is_one_all_the_same(watched: Watched) -> None:
    net = nn.Linear(4, 1)

    def train() -> None:
        try:
            for _ in range(3):
                h = net(torch.randn(8, 4))
                with torch.autograd.set_detect_anomaly(mode=False):
                    h.sigmoid()
                h.square().mean().backward()
        except KeyboardInterrupt:
            return

    assert loop_of(watched, train) == [[("h.sigmoid()", "h", False)]] * 3


def test_other_statements_of_a_loop(watched: Watched) -> None:
    net = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def train() -> None:
        kept: list[Tensor] = []
        kept_elsewhere: set[Tensor] = set()
        add = kept_elsewhere.add
        tracker = ModuleType("tracker")
        vars(tracker).update(log=kept.append, add=kept.append)
        for step in range(3):
            x = torch.randn(8, 4)
            x.to("cpu")
            optimizer.zero_grad()
            net.train()
            loss = net(x).square().mean()
            if step == 7:
                loss * 2
            try:
                x @ x
            except RuntimeError:
                kept.append(x.detach())
            step + 1
            kept_elsewhere.add(loss)
            add(loss)
            tracker.log(loss)
            tracker.add(loss)
            loss.detach()
            loss.backward()
            optimizer.step()
            loss.detach()
            x.detach()
            kept.append(loss.detach())

    assert loop_of(watched, train) == [[]] * 3

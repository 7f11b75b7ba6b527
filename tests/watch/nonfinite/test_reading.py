"""What the script's own graph tells of a value that is not finite, read before its backward pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from gradreach.watch.nonfinite.graph_reading import read
from gradreach.watch.nonfinite.landmarks import Landmarks

INF = float("inf")


def _none(_: object) -> bool:
    """No model returned any node."""
    return False


def leaf(*values: float) -> Tensor:
    return torch.tensor(values or (0.5, -0.5, 2.0), requires_grad=True)


def _masked() -> Tensor:
    """Logits of which the first class may not be chosen."""
    return (leaf() * 1.0).masked_fill(torch.tensor([True, False, False]), -INF)


def _masked_log_softmax() -> Tensor:
    return F.log_softmax(_masked(), 0)


def _masked_less_its_sum() -> Tensor:
    logits = _masked()
    return logits - logits.logsumexp(0)


def _entropy(log_p: Tensor) -> Tensor:
    return -log_p.exp() * log_p


VALUES: tuple[tuple[str, Callable[[], Tensor], str, str], ...] = (
    ("exp", lambda: (leaf() * 400).exp().sum(), "exp overflow", "exp in float32"),
    ("log", lambda: (leaf() * 0).log().mean(), "log of zero", "log of 0"),
    ("log", lambda: leaf().log().mean(), "log of a negative", "log of −0.5"),
    ("log1p", lambda: (leaf() * 0 - 1).log1p().sum(), "log of zero", "log1p of −1"),
    ("log1p", lambda: (leaf() * 0 - 1).bfloat16().log1p().sum(), "log of zero", "log1p of −1 in bfloat16"),
    ("sqrt", lambda: leaf().sqrt().sum(), "root of a negative", "sqrt of a negative number"),
    ("division", lambda: (leaf() / (leaf() * 0)).sum(), "division by zero", "0.5 / 0"),
    ("division", lambda: leaf().sum() / torch.zeros(3, dtype=torch.bool).sum(), "division by zero", "x / 0"),
    ("reciprocal", lambda: (leaf() * 0).reciprocal().sum(), "division by zero", "1 / 0"),
    ("rsqrt", lambda: (leaf() * 0).rsqrt().sum(), "division by zero", "1 / sqrt of 0"),
    ("power", lambda: (leaf() ** 0.5).sum(), "power of a negative", "−0.5 to the power of 0.5"),
    ("power", lambda: ((leaf() * 1e30) ** 2).sum(), "overflow", "to the power of 2 in float32"),
    ("acos", lambda: leaf().acos().sum(), "outside of its domain", "acos of 2"),
    ("softmax", lambda: (leaf() - INF).softmax(0).sum(), "softmax of nothing", "a row of −∞ alone"),
    ("multiplication", lambda: _entropy(_masked_log_softmax()).sum(), "zero times infinity", "0 × −∞"),
    ("multiplication", lambda: _entropy(_masked_less_its_sum()).sum(), "zero times infinity", "0 × −∞"),
    ("log-softmax", lambda: -_masked_log_softmax()[0], "impossible label", "−∞"),
    ("log-softmax", lambda: F.nll_loss(_masked_log_softmax().view(1, 3), torch.tensor([0])), "impossible label", "−∞"),
    ("std", lambda: leaf(1.0).std(), "deviation of one", "the deviation of a single value"),
    ("multiplication", lambda: (leaf() * 1e20 * (leaf() * 1e30)).sum(), "overflow", "in float32"),
    (
        "matrix product",
        lambda: ((leaf() * 1e30).view(1, 3) @ (leaf() * 1e30).view(3, 1)).sum(),
        "overflow",
        "values up",
    ),
    ("cumprod", lambda: (leaf(1e20, 1e20, 1e20)).cumprod(0).sum(), "overflow", "values up to 1e+20"),
    ("subtraction", lambda: (leaf() - INF - (leaf() - INF).amax()).exp().sum(), "infinity less infinity", ""),
    ("mean squared error", lambda: F.mse_loss(leaf(), torch.tensor([0.0, float("nan"), 1.0])), "targets", ""),
    ("subtraction", lambda: (leaf() - torch.tensor([0.0, float("nan"), 1.0])).square().sum(), "targets", ""),
    (
        "CTC loss",
        lambda: F.ctc_loss(
            leaf(*map(float, range(8))).view(4, 1, 2).log_softmax(2),
            torch.ones(1, 6).long(),
            torch.tensor([4]),
            torch.tensor([6]),
        ),
        "utterance too short",
        "",
    ),
)


@pytest.mark.filterwarnings("ignore:std.*degrees of freedom:UserWarning")
@pytest.mark.parametrize(("operation", "made", "cause", "argument"), VALUES)
def test_a_loss_that_is_not_finite(operation: str, made: Callable[[], Tensor], cause: str, argument: str) -> None:
    loss = made()
    assert not torch.isfinite(loss)
    found = read([loss])
    assert found is not None
    assert (found.ground.operation, found.ground.cause) == (operation, cause)
    assert argument in found.ground.argument
    assert found.is_constant == (cause == "targets")
    loss.backward()  # the graph is as it was


SLOPES: tuple[tuple[Callable[[], Tensor], str], ...] = (
    (lambda: (leaf() * 0).sqrt().sum(), "root at zero"),
    (lambda: ((leaf() * 0) ** 0.5).sum(), "power at zero"),
    (lambda: leaf(1.0, 0.5).acos().sum(), "edge of its domain"),
    (lambda: leaf(-1.0, 0.5).asin().sum(), "edge of its domain"),
    (lambda: torch.linalg.svd(leaf(1.0, 0.0, 0.0, 1.0).view(2, 2))[0].sum(), "equal singular values"),
    (lambda: torch.linalg.eigh(leaf(2.0, 0.0, 0.0, 2.0).view(2, 2))[1].sum(), "equal singular values"),
    (lambda: torch.where(torch.tensor([True, False]), (leaf(1.0, 0.0)).log(), 0.0).sum(), "hidden branch"),
    (lambda: (leaf(1.0, 900.0).exp())[torch.tensor([True, False])].sum(), "hidden branch"),
    (lambda: (leaf(1e-39) / (leaf(1e-39) * 1.0)).sum(), "division by zero"),
    (lambda: 1 - (leaf(1.0, 0.5) * -1).log1p().sum().exp(), "log of zero"),
    (lambda: torch.logsumexp(leaf(0.0, 1.0).log() * 2, 0), "log of zero"),
    (lambda: ((leaf(100.0) + 800).exp() + 1).view(1).tanh().sum(), "exp overflow"),
)


@pytest.mark.parametrize(("made", "cause"), SLOPES)
def test_a_slope_that_is_not_finite(made: Callable[[], Tensor], cause: str) -> None:
    loss, marks = made(), Landmarks()
    assert torch.isfinite(loss)
    marks.learn(0, [loss], _none)
    again = made()
    marks.hold(0, [again])
    again.backward()
    grounds = [mark.ground() for mark in marks.kept]
    assert [ground.cause for ground in grounds if ground is not None] == [cause]


@pytest.mark.parametrize(
    "made",
    [
        lambda: leaf().abs().sqrt().sum(),
        lambda: (leaf().square() + 1).sqrt().log().sum(),
        lambda: (leaf() / (leaf().square() + 1)).sum(),
        lambda: torch.where(leaf() > 0, leaf().abs().log(), 0.0).sum(),
        lambda: (leaf() / 4).acos().sum(),
        lambda: leaf().abs().log().sum().exp(),
    ],
)
def test_sound_slopes_are_no_ground(made: Callable[[], Tensor]) -> None:
    marks = Landmarks()
    marks.learn(0, [made()], _none)
    marks.hold(0, [made()])
    assert marks.kept
    assert [mark.ground() for mark in marks.kept] == [None] * len(marks.kept)


def test_another_graph_than_the_one_that_was_learned_is_left_alone() -> None:
    marks = Landmarks()
    marks.learn(0, [(leaf() * 0).sqrt().sum()], _none)
    marks.hold(0, [leaf().sum()])
    assert marks.kept == []
    marks.hold(1, [(leaf() * 0).sqrt().sum()])
    assert marks.kept == []


def test_what_checkpointing_would_make_anew_is_not_read() -> None:
    runs = []

    def inner(x: Tensor) -> Tensor:
        runs.append(1)
        return (x * 0).log()

    x = leaf()
    loss = checkpoint(inner, x, use_reentrant=False).sum()  # type: ignore[no-untyped-call]
    marks = Landmarks()
    marks.learn(0, [loss], _none)
    marks.hold(0, [loss])
    read([loss])
    assert len(runs) == 1
    loss.backward()
    assert len(runs) == 2

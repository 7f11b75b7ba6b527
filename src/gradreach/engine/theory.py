"""Backpropagation through time written out: ∂⁺h_k/∂W, ∂s_t/∂s_k, and the sums over k and t term by term."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine.call_checks import State, check_finite
from gradreach.engine.custom.autograd import jacobians as cell_jacobians
from gradreach.engine.custom.step import Cell
from gradreach.engine.custom.unroll import unroll as unroll_cell
from gradreach.engine.jacobian import jacobians
from gradreach.engine.scan import Unroll
from gradreach.engine.spectrum import log10_powers, unrolled

LARGEST = 64
"""The largest d whose (d, d, d) tensor is written out: 2 MiB in float64."""


def immediate(slope: Float[Tensor, " d"], entering: Float[Tensor, " n"]) -> Float[Tensor, "d d n"]:
    """∂⁺h_k/∂W, h_{k−1} held fixed: the entry (p, q, r) is σ′(a_p) · entering_r if p = q, else 0 (Pascanu et al. 2013).

    `slope` is σ′(a_k), (d,); `entering` is h_{k−1} for W_hh, x_k for W_ih, (n,). Raises ValueError for d or n over 64.

    >>> import torch
    >>> immediate(torch.tensor([0.5, 1.0]), torch.tensor([2.0, 3.0])).tolist()
    [[[1.0, 1.5], [0.0, 0.0]], [[0.0, 0.0], [2.0, 3.0]]]
    """
    for name, size in (("slope", len(slope)), ("entering", len(entering))):
        if size > LARGEST:
            raise ValueError(
                f"{name}: expected d ≤ {LARGEST} for a tensor of d × d × d entries, got d = {size}; "
                "take a smaller layer, or gradreach.reach, which never builds it"
            )
    return torch.diag(slope).unsqueeze(-1) * entering


@dataclass(frozen=True, slots=True)
class Terms:
    """∂L_t/∂h_t · ∂h_t/∂h_k · ∂⁺h_k/∂W for every step k up to t, the earliest first; their sum is ∂L_t/∂W.

    `steps[n]` is the k of term n, counted from 0 in the data's time order.
    """

    steps: tuple[int, ...]
    w_hh: Float[Tensor, "K d d"]
    w_ih: Float[Tensor, "K d i"]


@torch.no_grad()
def gradient_terms(
    module: nn.Module,
    x: Tensor | PackedSequence,
    error: Float[Tensor, " d"],
    state: State = None,
    *,
    t: int | None = None,
    layer: int = -1,
    reverse: bool = False,
    row: int = 0,
) -> Terms:
    """The sum over k that gives ∂L_t/∂W_hh and ∂L_t/∂W_ih, term by term, for one row of an RNN; float64.

    `error` is ∂L_t/∂h_t, (d,); `t` counts from 0 in the data's time order, by default the recurrence's own last step.
    `module` is nn.RNN, or gradreach's own without layer norm, d at most 64; other arguments as in `spectrum`. A limit
    on the state's gradient or on k2 plays no part: these are the terms of the true gradient.

    >>> import torch
    >>> rnn, x = torch.nn.RNN(2, 3, dtype=torch.float64), torch.randn(5, 1, 2, dtype=torch.float64)
    >>> terms = gradient_terms(rnn, x, error=torch.ones(3))
    >>> rnn(x)[0][-1].sum().backward()
    >>> torch.allclose(terms.w_hh.sum(0), rnn.weight_hh_l0.grad)
    True
    """
    run, at = _small_rnn(module, x, state, layer=layer, reverse=reverse, row=row)
    steps = _steps(run, at)
    if error.shape != (run.h.shape[-1],):
        raise ValueError(
            f"error: expected ∂L_t/∂h_t of shape {(run.h.shape[-1],)}, got {tuple(error.shape)}; give one t"
        )
    check_finite("error", error)
    return _terms(run, at, steps, _place("t", steps[-1] if t is None else t, steps, row), error)


@torch.no_grad()
def gradient_sum(
    module: nn.Module,
    x: Tensor | PackedSequence,
    errors: Float[Tensor, "T d"],
    state: State = None,
    *,
    layer: int = -1,
    reverse: bool = False,
    row: int = 0,
) -> tuple[Float[Tensor, "d d"], Float[Tensor, "d i"]]:
    """∂L/∂W_hh and ∂L/∂W_ih of one row as the double sum Σ_t Σ_{k≤t} ∂L_t/∂h_t · ∂h_t/∂h_k · ∂⁺h_k/∂W; float64.

    `errors[t]` is ∂L_t/∂h_t in the data's time order, for the row's T steps. Costs T² / 2 terms; other arguments as in
    `gradient_terms`.

    >>> import torch
    >>> rnn, x = torch.nn.RNN(2, 3, dtype=torch.float64), torch.randn(5, 1, 2, dtype=torch.float64)
    >>> w_hh, w_ih = gradient_sum(rnn, x, errors=torch.ones(5, 3))
    >>> rnn(x)[0].sum().backward()
    >>> torch.allclose(w_ih, rnn.weight_ih_l0.grad)
    True
    """
    run, at = _small_rnn(module, x, state, layer=layer, reverse=reverse, row=row)
    steps = _steps(run, at)
    expected = (len(steps), run.h.shape[-1])
    if errors.shape != expected:
        raise ValueError(f"errors: expected ∂L_t/∂h_t of shape {expected}, got {tuple(errors.shape)}; give row {row}'s")
    check_finite("errors", errors)
    every = [_terms(run, at, steps, n, errors[t]) for n, t in enumerate(steps)]
    return torch.stack([e.w_hh.sum(0) for e in every]).sum(0), torch.stack([e.w_ih.sum(0) for e in every]).sum(0)


@dataclass(frozen=True, slots=True)
class OutputTerms:
    """What the loss of each step gives where L_t = −log ŷ_t[y_t] and ŷ_t = softmax(W_hy h_t + b_y); float64.

    `w_hy[t]` is ∂L_t/∂W_hy = (ŷ_t − y_t) ⊗ h_t and `b_y[t]` is ∂L_t/∂b_y = ŷ_t − y_t, y_t one-hot; their sums over t
    are ∂L/∂W_hy and ∂L/∂b_y. `errors[t]` is ∂L_t/∂h_t = W_hyᵀ (ŷ_t − y_t), which `gradient_sum` and `gradient_terms`
    take, and `losses[t]` is L_t.
    """

    losses: Float[Tensor, " T"]
    errors: Float[Tensor, "T d"]
    w_hy: Float[Tensor, "T v d"]
    b_y: Float[Tensor, "T v"]


@torch.no_grad()
def output_terms(
    h: Float[Tensor, "T d"],
    targets: Int[Tensor, " n"],
    w_hy: Float[Tensor, "v p"],
    b_y: Float[Tensor, " m"] | None = None,
) -> OutputTerms:
    """The sum over t that gives ∂L/∂W_hy of a softmax cross-entropy, term by term, for one row (Pascanu et al. 2013).

    `h` are the states that the output layer reads, (T, d), `targets` the classes y_t, (T,), counted from 0, `w_hy` is
    (v, d) and `b_y` (v,). L is the sum over t; for the mean divide by T. There is no sum over k: h_t does not depend on
    W_hy, so that no lag and no product of Jacobians comes in. Raises ValueError where shapes do not fit, a number is
    not finite, or a target is no class.

    >>> import torch
    >>> rnn, head = torch.nn.RNN(2, 3, dtype=torch.float64), torch.nn.Linear(3, 4, dtype=torch.float64)
    >>> x, y = torch.randn(5, 1, 2, dtype=torch.float64), torch.tensor([0, 3, 1, 1, 2])
    >>> h = rnn(x)[0][:, 0]
    >>> out = output_terms(h.detach(), y, head.weight.detach(), head.bias.detach())
    >>> torch.nn.functional.cross_entropy(head(h), y, reduction="sum").backward()
    >>> torch.allclose(out.w_hy.sum(0), head.weight.grad)
    True
    >>> w_hh, w_ih = gradient_sum(rnn, x, out.errors)
    >>> torch.allclose(w_ih, rnn.weight_ih_l0.grad)
    True
    """
    (T, d), v = h.shape, len(w_hy)
    wanted = {"targets": (targets, (T,)), "w_hy": (w_hy, (v, d)), "b_y": (b_y, (v,))}
    for name, (given, shape) in wanted.items():
        if given is not None and tuple(given.shape) != shape:
            raise ValueError(f"{name}: expected shape {shape}, to go with h and W_hy, got {tuple(given.shape)}")
    for name, each in (("h", h), ("w_hy", w_hy), ("b_y", b_y)):
        if each is not None:
            check_finite(name, each)
    if bool(((targets < 0) | (targets >= v)).any()):
        least, most = int(targets.min()), int(targets.max())
        raise ValueError(
            f"targets: expected classes from 0 to v − 1 = {v - 1}, got {least} to {most}; leave others out"
        )
    h, w_hy = h.double(), w_hy.double()
    said = torch.log_softmax(h @ w_hy.t() + (0.0 if b_y is None else b_y.double()), dim=1)
    at, classes = torch.arange(T, device=h.device), targets.long()
    off = said.exp()
    off[at, classes] -= 1.0
    return OutputTerms(-said[at, classes], off @ w_hy, off.unsqueeze(2) * h.unsqueeze(1), off)


@dataclass(frozen=True, slots=True)
class StateJacobian:
    """∂s_t/∂s_k as a matrix, float64: row p, column r is the derivative of entry p of s_t by entry r of s_k.

    s is h for RNN and GRU; for an LSTM h and c in one vector, h first, each held while the other is moved, so that
    `h_by_h` is the ∂h_t/∂h_k of autograd. `hidden` is the number of entries of h: there h ends and c begins.
    """

    matrix: Float[Tensor, "S S"]
    hidden: int

    @property
    def h_by_h(self) -> Float[Tensor, "P P"]:
        """∂h_t/∂h_k."""
        return self.matrix[: self.hidden, : self.hidden]

    @property
    def h_by_c(self) -> Float[Tensor, "P C"]:
        """∂h_t/∂c_k; without columns where there is no c."""
        return self.matrix[: self.hidden, self.hidden :]

    @property
    def c_by_h(self) -> Float[Tensor, "C P"]:
        """∂c_t/∂h_k; without rows where there is no c."""
        return self.matrix[self.hidden :, : self.hidden]

    @property
    def c_by_c(self) -> Float[Tensor, "C C"]:
        """∂c_t/∂c_k; empty where there is no c."""
        return self.matrix[self.hidden :, self.hidden :]


@torch.no_grad()
def state_jacobian(
    module: nn.Module | Cell,
    x: Any,
    state: Any = None,
    *,
    t: int | None = None,
    k: int | None = None,
    layer: int = -1,
    reverse: bool = False,
    row: int = 0,
) -> StateJacobian:
    """The matrix ∂s_t/∂s_k of one row, the product of the Jacobians of the steps between (Pascanu et al. 2013, eq. 5).

    s_t is the state after step t, counted from 0 in the data's time order. `t` is by default the recurrence's own last
    step, `k` the initial state; k = t gives the identity. `module` is nn.RNN, nn.GRU, nn.LSTM, a gr.nn layer, or a
    gr.Cell, whose s is all its leaves as one vector; other arguments as in `spectrum`, whose figures are the norm and
    the singular values of this matrix in logarithms: an entry under 1e-308 is 0 here. Under a shortcut the way over it
    is in. Costs one product of the state's size a step. Raises TypeError or ValueError that name the argument where
    something does not fit, and where k comes after t.

    >>> import torch
    >>> lstm, x = torch.nn.LSTM(2, 3, dtype=torch.float64), torch.randn(9, 1, 2, dtype=torch.float64)
    >>> found = state_jacobian(lstm, x, t=8, k=2)
    >>> found.matrix.shape, found.h_by_h.shape, found.h_by_c.shape
    (torch.Size([6, 6]), torch.Size([3, 3]), torch.Size([3, 3]))
    """
    if isinstance(module, Cell):
        J = cell_jacobians(unroll_cell(module, x, state), row)
        steps, hidden, own = list(range(J.steps)), J.size, list(range(J.size))
    else:
        run, at = unrolled(module, x, state, layer=layer, reverse=reverse, row=row)
        J, steps, hidden = jacobians(run, at), _steps(run, at), run.h.shape[-1]
        own = [*range(hidden), *range(hidden * max(run.remedies.skip, 1), J.size)]  # h_t and c_t in a delay line
    last = _place("t", steps[-1] if t is None else t, steps, row)
    first = -1 if k is None else _place("k", k, steps, row)
    if first > last:
        raise ValueError(
            f"k: expected a step up to t = {steps[last]} in the recurrence's order, got {k}; exchange them"
        )
    whole = torch.eye(J.size, dtype=torch.float64)[own]
    for n in range(last, first, -1):
        factor = J.at(n + 1)
        whole = whole.to(factor.device) @ factor
    return StateJacobian(whole[:, own], hidden)


@dataclass(frozen=True, slots=True)
class Heuristic:
    """log10 of ρⁿ, the predicted growth, beside log10 of the measured ‖Wⁿ h‖ / ‖h‖."""

    log10_predicted: float
    log10_measured: float


@torch.no_grad()
def eigenvalue_heuristic(W: Float[Tensor, "d d"], h: Float[Tensor, " n"], n: int) -> Heuristic:
    """‖h_{t+n}‖ ~ ρⁿ ‖h_t‖ for the linear recurrence h_{t+1} = W h_t, ρ the spectral radius; in log space, float64.

    Exact in the long run where h has a part along the leading eigenvector; −inf for an exact 0. Raises ValueError where
    shapes do not fit, h is 0, n < 0 or a number is not finite.

    >>> import torch
    >>> found = eigenvalue_heuristic(0.1 * torch.eye(2, dtype=torch.float64), torch.ones(2), 1000)
    >>> round(found.log10_predicted, 6), round(found.log10_measured, 6)
    (-1000.0, -1000.0)
    """
    if W.shape != (len(h), len(h)):
        raise ValueError(f"W: expected shape {(len(h), len(h))}, square and as long as h, got {tuple(W.shape)}")
    check_finite("W", W)
    check_finite("h", h)
    if not bool(h.any()):
        raise ValueError("h: expected a state that is not 0, got 0 in every unit; take a later state")
    if n < 0:
        raise ValueError(f"n: expected a number of steps ≥ 0, got {n}")
    W, start = W.double(), h.double() / h.abs().amax()
    h, log10 = start, 0.0
    for _ in range(n):
        h = W @ h
        size = float(h.abs().amax())
        if size == 0:
            log10 = -math.inf
            break
        h, log10 = h / size, log10 + math.log10(size)
    if log10 > -math.inf:
        log10 += math.log10(float(torch.linalg.vector_norm(h) / torch.linalg.vector_norm(start)))
    rho = float(torch.linalg.eigvals(W).abs().amax())
    return Heuristic(log10_powers(rho, [n])[0], log10)


def _small_rnn(
    module: nn.Module, x: Tensor | PackedSequence, state: State, *, layer: int, reverse: bool, row: int
) -> tuple[Unroll, int]:
    run, at = unrolled(module, x, state, layer=layer, reverse=reverse, row=row)
    if run.cell.gates > 1 or run.weights.gain_hh is not None:
        what = run.cell.name if run.weights.gain_hh is None else "layer norm in the cell"
        raise TypeError(f"module: expected a plain RNN, whose ∂⁺h_k/∂W has one gate, got {what}; use nn.RNN")
    return run, at


def _steps(run: Unroll, row: int) -> list[int]:
    """The row's steps in the recurrence's own order, named by their place in the data."""
    T = len(run.x)
    active = range(T) if run.active is None else run.active[:, row].nonzero().flatten().tolist()
    return [T - 1 - t if run.reverse else t for t in active]


def _place(name: str, step: int, steps: Sequence[int], row: int) -> int:
    """Where a step of the data stands in the recurrence's own order."""
    if step not in steps:
        ends = f"{min(steps)} to {max(steps)}"
        raise ValueError(f"{name}: expected a step of row {row}, {ends}, got {step}; choose one of these")
    return steps.index(step)


def _terms(run: Unroll, row: int, steps: list[int], last: int, error: Tensor) -> Terms:
    """From the last step back: the row vector v_k = ∂L_t/∂h_t · ∂h_t/∂h_k, contracted with the tensor of step k."""
    J, d = jacobians(run, row), run.h.shape[-1]
    v = torch.zeros(J.size, dtype=torch.float64, device=run.h.device)
    v[:d] = error.to(v)
    w_hh: list[Tensor] = []
    w_ih: list[Tensor] = []
    for n in range(last, -1, -1):
        t = len(run.x) - 1 - steps[n] if run.reverse else steps[n]
        slope = run.slopes.gate[t, row, 0].double()
        if run.shortcut is not None:
            slope = slope * (1 - run.shortcut[t, row])
        for terms, entering in ((w_hh, run.h[t, row]), (w_ih, run.x[t, row])):
            terms.append(torch.einsum("p,pqr->qr", v[:d], immediate(slope, entering.double())))
        v = v @ J.at(n + 1)
    return Terms(tuple(steps[: last + 1]), torch.stack(w_hh[::-1]), torch.stack(w_ih[::-1]))

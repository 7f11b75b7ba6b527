"""A recurrence made from any step: run, adjoint, reach map and Jacobians by autograd, one step's graph at a time.

Rows are independent, so the errors of many steps go back together as so many rows of one call of the step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils._pytree import (
    tree_flatten,
    tree_map,
    tree_unflatten,
)

from gradreach.engine.custom import linear
from gradreach.engine.custom.form import double, named, real, refuse_nan, varies
from gradreach.engine.custom.step import IN_FLOAT64, LATER, OFF, CellRun, StepGraph, apart, caller, module_of
from gradreach.engine.jacobian import Jacobians
from gradreach.engine.lags import ScaledAdjoint
from gradreach.engine.reach_map import ReachMap, Shares


@dataclass(frozen=True, slots=True)
class CellAdjoint:
    """The exact gradient at every step, in pytrees like what it belongs to; None for integer leaves.

    `delta` is δ_t, the total ∂L/∂s_t of the state after step t, leaves (T, B, …). The leaves of a state are carried
    independently: the adjoint of an LSTM's c leaves out what reaches c through h of the same step. `grad_state` is
    that of the initial state, `grad_x` that of x; `gradients` goes by the module's parameter names.
    """

    delta: Any
    grad_state: Any
    grad_x: Any
    gradients: dict[str, Tensor]


@torch.no_grad()
def backward(run: CellRun, local_error: Any) -> CellAdjoint:
    """δ_t = e_t + J_{t+1}ᵀ δ_{t+1} from the last step down, and what it gives for parameters, x and initial state.

    `local_error` is a pytree like the state with leaves (T, B, …): ∂L/∂s_t of the state after step t, but for what
    comes through later steps; a leaf may be None for no error. Costs T steps forward and back, and memory for the
    adjoints and one step's graph.
    """
    form, (leaves, spec) = run.form, tree_flatten(run.x)
    error = joint_error(run, local_error)
    with apart(form.device):
        grads_x = [torch.zeros_like(leaf) if varies(leaf.dtype) else None for leaf in leaves]
        delta, gradients = _sweep(run, error, [each for each in grads_x if each is not None])
    named = dict(zip(run.parameters, gradients, strict=True))
    return CellAdjoint(form.tree(delta[1:]), form.tree(delta[0]), tree_unflatten(grads_x, spec), named)


@torch.no_grad()
def reach_map(
    run: CellRun,
    local_error: Any,
    *,
    anchors: Sequence[int] | None = None,
    rows: Sequence[int] | None = None,
    max_lag: int | None = None,
    shares: bool = True,
    floor: float = -math.inf,
) -> ReachMap:
    """Sweep the local errors (see `backward`) of `anchors` back, all at the same lag together as rows of one step.

    Norms are of the whole state, all leaves jointly. Lag share and truncation bias are of all the parameters together;
    with `shares` an ordinary sweep finds their gradient first. None takes all `anchors`, `rows` and lags. Costs one
    step forward and back on up to anchors · rows rows a lag; memory for that step's graph, and for a few vectors as
    long as the parameters. The sweep ends early where all adjoints are under 2^floor of the local errors; the lags
    past it are 0.
    """
    (T, B), device = run.size, run.form.device
    steps, held = _chosen("anchors", anchors, T), _chosen("rows", rows, B)
    if max_lag is not None and max_lag < 0:
        raise ValueError(f"max_lag: expected at least 0, got {max_lag}")
    if not held:
        raise ValueError("rows: expected at least one row, got none; None takes all")
    lags = 1 + min(steps[-1], T - 1 if max_lag is None else max_lag) if steps else 0
    at = torch.tensor(steps, device=device, dtype=torch.long)
    error = joint_error(run, local_error)[:, held]
    run = run.each(lambda leaf: leaf[:, held])
    log2 = torch.full((len(steps), lags), -math.inf, dtype=torch.float64, device=device)
    parts = None
    with apart(device):
        if shares and run.parameters and steps:
            only = torch.zeros_like(error[:, :1, :1]).index_fill_(0, at, 1.0)
            parts = Shares(_vector(_sweep(run, error * only)[1]))
        for lag, first, carried in _carry_back(run, at, error[at], lags, parts, floor):
            log2[first:, lag] = _log2_norms(carried)
    own = torch.linalg.vector_norm(error[at], dim=-1, dtype=torch.float64).cpu()
    depth = (at[:, None] + 1).clamp(max=lags).expand(own.shape).cpu()
    share, bias = ((), ()) if parts is None else parts.figures(lags)
    return ReachMap(tuple(steps), log2.cpu(), own, depth, share, bias)


def jacobians(run: CellRun, row: int = 0) -> Jacobians:
    """The Jacobians of one row; the state is all leaves in order as one vector. Each costs a step on S rows.

    A module's step is computed in float64 for this, a function's in the dtypes of its run.
    """
    _chosen("row", [row], run.size[1])
    tolerance = OFF[run.form.dtype]
    run = run.each(lambda leaf: leaf[:, row : row + 1])
    in_float64 = module_of(run.cell) is not None
    if in_float64:
        weights = ({name: double(each) for name, each in part.items()} for part in (run.parameters, run.buffers))
        run = CellRun(run.cell, tree_map(double, run.x), tree_map(double, run.states), *weights)
    form, call = run.form, caller(run, IN_FLOAT64 if in_float64 else LATER)
    eye = torch.eye(form.size, dtype=form.dtype, device=form.device)

    def cell(t: int) -> Float[Tensor, "S S"]:
        k = torch.full((form.size,), t - 1, device=form.device)
        with apart(form.device):
            local = StepGraph.of(run, call, k, run.parameters)
            local.check(run, k, tolerance)
            return form.join(local.back(form, eye, local.before)).double()

    return Jacobians(run.size[0], form.size, form.size, cell)


def joint_error(run: CellRun, local_error: Any) -> Float[Tensor, "T B S"]:
    """The local errors checked against the run, all leaves of the state in one vector a row, zeros for None."""
    form, T = run.form, run.size[0]
    try:
        leaves = form.spec.flatten_up_to(local_error)
    except ValueError as error:
        raise ValueError(f"local_error: expected a pytree like the state, leaves (T, B, …) or None: {error}") from None
    given = []
    for (name, like), leaf in zip(named("local_error", run.states), leaves, strict=True):
        if leaf is not None and not isinstance(leaf, Tensor):
            raise TypeError(f"{name}: expected a tensor or None, got {type(leaf).__name__}")
        if leaf is not None and not varies(like.dtype):
            raise ValueError(f"{name}: expected None, since that leaf of the state is {like.dtype}, got a tensor")
        whole = (T, *like.shape[1:])
        if leaf is not None and (leaf.shape != whole or leaf.device != like.device):
            raise ValueError(f"{name}: expected {whole} on {like.device}, got {tuple(leaf.shape)} on {leaf.device}")
        if leaf is not None:
            refuse_nan([(name, leaf)], "step {}")
        if varies(like.dtype):
            given.append(like.new_zeros(whole) if leaf is None else leaf.detach().to(like.dtype))
    return form.join(given)


def _sweep(
    run: CellRun, error: Float[Tensor, "T B S"], grads_x: Sequence[Tensor] = ()
) -> tuple[Float[Tensor, "T1 B S"], list[Tensor]]:
    """δ of the state before each step and after the last, and the gradients of the parameters; writes those of x."""
    if run.cell.linear:
        return linear.sweep(run, error, grads_x)
    form, call, T = run.form, caller(run, LATER), len(error)
    parameters = {name: each.detach().requires_grad_() for name, each in run.parameters.items()}
    gradients = [torch.zeros_like(each) for each in run.parameters.values()]
    delta = torch.zeros_like(torch.cat([error[:1], error]))
    for t in reversed(range(T)):
        delta[t + 1] += error[t]
        k = slice(t, t + 1)
        local = StepGraph.of(run, call, k, parameters)
        if t == T - 1:
            local.check(run, k, OFF[form.dtype])
        found = local.back(form, delta[t + 1], [*local.before, *parameters.values(), *(local.x if grads_x else ())])
        split = len(local.before)
        delta[t] = form.join(found[:split])
        for whole, part in zip(gradients, found[split:], strict=False):
            whole += part
        for whole, part in zip(grads_x, found[split + len(gradients) :], strict=True):
            whole[t] = part
    return delta, gradients


def _carry_back(
    run: CellRun, at: Tensor, error: Float[Tensor, "A R S"], lags: int, parts: Shares | None, floor: float
) -> Iterator[tuple[int, int, ScaledAdjoint]]:
    """Lag, number of the first anchor that reaches so far back, and δ_{t→t−ℓ} of it and those after it."""
    form, steps, graphs = run.form, at.tolist(), _Graphs(run, with_parameters=parts is not None)
    carried, first, start = ScaledAdjoint(error, None), 0, 0.0
    for lag in range(lags):
        while steps[first] < lag:
            first += 1
            carried = carried.without_first()
        carried, _, largest = carried.rescaled()
        start = largest if lag == 0 else start
        if largest == -math.inf or largest - start < floor:
            return
        yield lag, first, carried
        if parts is None and lag + 1 == lags:
            return
        local, past = graphs.at(at[first:] - lag, steps[first] - lag, steps[-1] - lag)
        errors = nn.functional.pad(carried.dh, (0, 0, 0, 0, 0, past))
        if parts is None or carried.exponent is None:
            found = local.back(form, errors, [*local.before, *graphs.parameters], again=True)
            part, scale = found[len(local.before) :], 1.0 if parts is None else 1.0 / parts.size
        else:
            found = local.back(form, errors, local.before, again=True)
            unit = parts.unit(carried.exponent, form.dtype)
            part, scale = [], 1.0
            if unit is not None:
                errors = nn.functional.pad(carried.dh * unit, (0, 0, 0, 0, 0, past))
                part = local.back(form, errors, graphs.parameters, again=True)
        if parts is not None:
            if part:
                parts.rest.sub_(_vector(part), alpha=scale)
            parts.record()
        before = form.join(found[: len(local.before)]).view(-1, *carried.dh.shape[1:])
        carried = ScaledAdjoint(before[: len(before) - past], None, carried.exponent)


class _Graphs:
    """The step's graph at the steps asked for; one serves on while they are its first three quarters or more.

    Plain autograd, not torch.func, runs steps that transforms cannot (fused kernels, `.item()`, autograd.Function of
    any style), and gives dW_ℓ summed over anchors, where a vmap over them would hold one gradient an anchor.
    """

    def __init__(self, run: CellRun, *, with_parameters: bool) -> None:
        self._run, self._call = run, caller(run, LATER)
        self._weights = {name: each.detach().requires_grad_(with_parameters) for name, each in run.parameters.items()}
        self.parameters = list(self._weights.values()) if with_parameters else []
        self._local: StepGraph | None = None
        self._span = range(0)

    def at(self, k: Tensor, low: int, high: int) -> tuple[StepGraph, int]:
        """A graph that starts with steps k, from `low` to `high`, and how many further steps it holds."""
        dense, span = high - low + 1 == len(k), self._span
        serves = dense and low == span.start and high in span and 4 * len(k) >= 3 * len(span)
        if self._local is None or not serves:
            self._span = range(low, high + 1) if dense else range(0)
            steps = slice(low, high + 1) if dense else k
            first, self._local = self._local is None, None  # two graphs would take twice the memory
            self._local = StepGraph.of(self._run, self._call, steps, self._weights)
            if first:
                self._local.check(self._run, steps, OFF[self._run.form.dtype])
        return self._local, self._span.stop - 1 - high if dense else 0


def _log2_norms(carried: ScaledAdjoint) -> Float[Tensor, " A"]:
    """log2 of the mean over rows of the adjoints' norms; a row of zeros has no say in the scale."""
    each: Tensor = torch.linalg.vector_norm(carried.dh, dim=-1, dtype=torch.float64).log2()
    each = each if carried.exponent is None else each + carried.exponent.squeeze(-1)
    largest = each.amax(1, keepdim=True).clamp(min=-1e300)
    mean: Tensor = torch.exp2(each - largest).mean(1)
    return mean.log2() + largest.squeeze(1)


def _vector(tensors: Sequence[Tensor]) -> Float[Tensor, " N"]:
    return torch.cat([real(each).flatten() for each in tensors])


def _chosen(name: str, which: Sequence[int] | None, count: int) -> list[int]:
    """Ascending, each once; all where None."""
    chosen = sorted(range(count) if which is None else set(which))
    if chosen and not 0 <= chosen[0] <= chosen[-1] < count:
        raise ValueError(f"{name}: expected numbers from 0 to {count - 1}, got {chosen[0]} … {chosen[-1]}")
    return chosen

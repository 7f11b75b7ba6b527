"""How far does the gradient of a recurrent layer reach? The whole answer, for one layer and direction."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_map

from gradreach.engine.adjoint import LayerAdjoint, backward
from gradreach.engine.anchor_sample import ANCHORS, Anchors, sample_of
from gradreach.engine.call_checks import State, check_call, check_finite, check_weights, number_of
from gradreach.engine.cells.registry import cell_of
from gradreach.engine.custom.autograd import joint_error
from gradreach.engine.custom.autograd import reach_map as cell_reach_map
from gradreach.engine.custom.step import Cell
from gradreach.engine.custom.unroll import unroll as unroll_cell
from gradreach.engine.reach_curve import curve, growth, horizon, interval, log2_curve
from gradreach.engine.reach_map import ReachMap, reach_map
from gradreach.engine.replay import Replay, replay, with_layer
from gradreach.record.has_card import HasCard
from gradreach.record.seen.recurrence import Direction, farthest_reached


@dataclass(frozen=True)
class Reach(HasCard):
    """How far the errors at the outputs of one layer and direction travel back (see `reach`).

    Every norm is of the whole carried state, which `norm_of` names: "h", for an LSTM "(h, c)", both jointly, and for a
    gr.Cell "the state". `by_h` has the same figures by h alone. `lag_share[ℓ]` is s(ℓ), `truncation_bias[k]` is b(k),
    b(0) = 1: both are of ∂L/∂W_hh and the same by either norm. A share under 0 is of a part of the gradient that points
    against the whole. `exact` says that every local error, row and lag is in; `sampled` what was left out, and what the
    sweep cost. Where the steps t are a sample that was drawn, each counts in r(ℓ), shares and biases for as many as it
    stands for, and `interval` and `horizon_interval` say how well r(ℓ) and the horizon of all steps are known.
    """

    kind: str
    layer: int
    direction: Direction
    T: int
    batch: int
    hidden: int
    lags: ReachMap
    exact: bool
    sampled: str
    norm_of: str = "h"

    @property
    def by_h(self) -> Reach | None:
        """The reach by h alone, ‖∂L_t/∂h_k‖ with c_k held, as autograd has it at h_k; None where there is no c.

        Where every error stands at h, r by h alone is nowhere larger than r of (h, c).

        >>> import torch
        >>> x, e = torch.randn(20, 4, 3), torch.randn(20, 4, 8)
        >>> found = reach(torch.nn.LSTM(3, 8), x, e)
        >>> found.norm_of, found.by_h.norm_of, reach(torch.nn.GRU(3, 8), x, e).by_h
        ('(h, c)', 'h', None)
        """
        return None if self.lags.of_h is None else replace(self, lags=self.lags.of_h, norm_of="h")

    @property
    def anchors(self) -> tuple[int, ...]:
        """The steps t, in the data's time order, whose local errors were carried back."""
        return self.lags.anchors

    @property
    def map(self) -> Float[Tensor, "A T"]:
        """R[t, k] for t = anchors: the batch mean of ‖δ_{t→k}‖, the norm of `norm_of`, at every step k of the data; 0
        where nothing comes."""
        return self._by_step(self.lags.log2_norms.exp2(), 0.0)

    @property
    def log10_map(self) -> Float[Tensor, "A T"]:
        """log10 of `map`, true also where R is too small or too large for a float; −inf where nothing comes."""
        return self._by_step(self.lags.log2_norms * math.log10(2), -math.inf)

    @property
    def curve(self) -> tuple[float, ...]:
        """r(ℓ) = Σ_t R[t, t−ℓ] / Σ_t R[t, t], both over t ≥ ℓ."""
        return curve(self.lags)

    @property
    def log10_curve(self) -> tuple[float, ...]:
        """log10 r(ℓ), true also where r is too small or too large for a float."""
        return tuple(each * math.log10(2) for each in log2_curve(self.lags))

    @property
    def horizon(self) -> int:
        """The largest ℓ with r ≥ 0.01 at every lag up to it."""
        return horizon(self.curve)

    @property
    def farthest_reached(self) -> int:
        """The largest ℓ with r ≥ 0.01, whatever lies before it: past the horizon where a shortcut brings r back."""
        return farthest_reached(self.curve)

    @property
    def interval(self) -> tuple[tuple[float, float], ...] | None:
        """The 95 % interval of r(ℓ) at every lag, for what the steps that were not drawn could change of it.

        Both ends are r(ℓ) itself where all steps that reach so far were carried, and (0, inf) where so few were that
        nothing can be said. None where the steps were named: no chance chose them. Rows and lags left out do not enter,
        nor can a rare step of which nothing was drawn and whose gradient reaches far beyond that of all others.

        >>> import torch
        >>> x, e = torch.randn(300, 4, 3), torch.randn(300, 4, 8)
        >>> found = reach(torch.nn.RNN(3, 8), x, e)
        >>> low, high = found.interval[5]
        >>> low < found.curve[5] < high
        True
        """
        return interval(self.lags)

    @property
    def horizon_interval(self) -> tuple[int, int] | None:
        """The horizons of the lower and of the upper ends of `interval`; None where there is none."""
        known = self.interval
        return None if known is None else (horizon([low for low, _ in known]), horizon([high for _, high in known]))

    @property
    def factor(self) -> float | None:
        """Growth of r per step: exp of the slope of log r(ℓ); None on fewer than three lags."""
        return growth(log2_curve(self.lags))

    @property
    def lag_share(self) -> tuple[float, ...]:
        return self.lags.lag_share

    @property
    def truncation_bias(self) -> tuple[float, ...]:
        return self.lags.truncation_bias

    def window(self, tolerance: float = 0.05) -> int | None:
        """The smallest k2 with truncation bias b(k2) ≤ `tolerance`; None where none that was swept does."""
        return next((k for k, bias in enumerate(self.truncation_bias) if k > 0 and bias <= tolerance), None)

    def _by_step(self, by_lag: Tensor, nothing: float) -> Tensor:
        whole = torch.full((len(self.anchors), self.T), nothing, dtype=torch.float64)
        back = -1 if self.direction == "forward" else 1
        for row, norms, t in zip(whole, by_lag, self.anchors, strict=True):
            reached = min(norms.shape[0], t + 1 if back < 0 else self.T - t)
            row[t + back * torch.arange(reached)] = norms[:reached]
        return whole


@torch.no_grad()
def reach(
    module: nn.Module | Cell,
    x: Any,
    local_error: Any,
    state: Any = None,
    *,
    end_error: State = None,
    layer: int = -1,
    reverse: bool = False,
    anchors: Anchors = ANCHORS,
    rows: int | None = None,
    max_lag: int | None = None,
) -> Reach:
    """The reach map, curve, horizon, factor, lag share and truncation bias of one layer and direction.

    `module` is nn.RNN, nn.GRU, nn.LSTM, a gr.nn layer, nn.RNNCell, nn.GRUCell, nn.LSTMCell, or a gr.Cell; `x`
    and `state` what it is called with, for a cell (T, B, I) and (B, H), for a gr.Cell pytrees (T, B, …) and (B, …).
    `local_error` is ∂L/∂output as it arrives from above, in the output's own layout (for a gr.Cell that of its states);
    `end_error` that at h_n (for an LSTM (h_n, c_n)), where the loss uses it. `layer` counts from the bottom, −1 is the
    top; the error of a lower one is what the layers above send down. No dropout is drawn.

    `anchors` bounds the steps t whose errors are carried back, A · B states at a time in T products: 64 at most by
    default, so that the cost grows with T and no faster. Where more have an error, 64 are drawn, larger errors sooner,
    the same ones at every call, and `Reach.interval` says how well r(ℓ) is known; lag shares and biases are then
    estimates that have no interval. A number asks for another bound, "all" for every step, which is exact and costs
    T / 128 times as much, a sequence for these steps of the data. `rows` bounds B, `max_lag` the number of products.
    `Reach.sampled` says what was left out.

    For an LSTM every norm is of (h, c) jointly; `Reach.by_h` has all of it by h alone. The map is of the Jacobians
    alone: clip_state_grad of a gr.nn layer does not enter, truncate ends it at k2.

    >>> import torch, gradreach as gr
    >>> layer = torch.nn.RNN(3, 8)
    >>> x, e = torch.randn(20, 4, 3), torch.zeros(20, 4, 8)
    >>> e[-1] = 1.0  # a loss on the last step
    >>> r = gr.reach(layer, x, e)
    >>> r.exact, len(r.curve), round(r.curve[0], 6)
    (True, 20, 1.0)

    Raises TypeError or ValueError on a module, shape, dtype, device, layer or anchor that does not fit, and on weights,
    input or error that are not finite.
    """
    _positive(rows=rows, max_lag=max_lag, anchors=anchors if isinstance(anchors, int) else None)
    if isinstance(module, Cell):
        if end_error is not None or layer != -1 or reverse:
            raise ValueError("module: a gr.Cell has one layer and direction; leave end_error, layer and reverse out")
        if local_error is None:
            raise ValueError("local_error: expected errors at the cell's states, got None; give them")
        return _of_cell(module, x, local_error, state, anchors, rows, max_lag)
    run = _replayed(module, x, state)
    errors = _errors(run, local_error, end_error)
    depth = len(run.unrolls) // run.directions
    n = number_of(layer, reverse, layers=depth, directions=run.directions)
    unroll, adjoint = run.unrolls[n], errors[n]
    error, error_c = adjoint.local_error, adjoint.local_error_c
    sample = sample_of(error if error_c is None else torch.cat([error, error_c], dim=-1), anchors, rows, unroll.reverse)
    found = reach_map(
        unroll,
        sample.weighed(error),
        anchors=sample.anchors,
        rows=sample.rows,
        max_lag=max_lag,
        local_error_c=None if error_c is None else sample.weighed(error_c),
        by_h=True,
    )
    found = sample.told(found)
    left_out = sample.left_out(found, max_lag)
    direction: Direction = "reverse" if reverse else "forward"
    H, norm_of = unroll.h.shape[-1], "h" if unroll.c is None else "(h, c)"
    return Reach(run.kind, layer % depth, direction, sample.T, sample.B, H, found, not left_out, left_out, norm_of)


def _replayed(module: nn.Module, x: Tensor | PackedSequence, state: State) -> Replay:
    if isinstance(module, nn.RNNCellBase):
        if not isinstance(x, Tensor) or x.dim() != 3:
            came = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(f"x: expected (T, B, I), the input of every call of the cell, got {came}; stack the calls")
        module, state = _layer_of(module), with_layer(state)
    if not isinstance(module, nn.RNNBase):
        raise TypeError(
            f"module: expected nn.RNN, nn.GRU, nn.LSTM or one of their cells, got {type(module).__name__}; "
            "make any other recurrence a gr.Cell"
        )
    check_call(module, x, state)
    check_weights(module)
    data = x.data
    if data.numel() == 0:
        raise ValueError(f"x: expected at least one row, got {tuple(data.shape)}; there is no gradient to follow")
    check_finite("x", data)
    return replay(module, x, state, without_dropout=True)


def _errors(run: Replay, local_error: Tensor | PackedSequence | None, end_error: State) -> list[LayerAdjoint]:
    """The adjoints from errors that are there, of the right shape, and finite."""
    if local_error is None and end_error is None:
        raise ValueError("local_error: expected ∂L/∂output, or end_error at h_n, got neither; give at least one")
    ends = end_error if isinstance(end_error, tuple) else (end_error, None)
    if isinstance(run.output, PackedSequence):
        wanted: tuple[int, ...] = tuple(run.output.data.shape)
    else:
        wanted = tuple(run.output.shape)
    known = {
        "local_error": (None if local_error is None else local_error.data, wanted),
        "end_error (h_n)": (ends[0], tuple(run.h_n.shape)),
        "end_error (c_n)": (ends[1], None if run.c_n is None else tuple(run.c_n.shape)),
    }
    for name, (given, shape) in known.items():
        if given is None:
            continue
        if shape is None:
            raise ValueError(f"{name}: expected none for {run.kind}, which has no c, got one")
        if tuple(given.shape) != shape:
            raise ValueError(f"{name}: expected {shape}, as what it is the error of, got {tuple(given.shape)}")
        if given.device != run.h_n.device:
            raise ValueError(f"{name}: expected it on {run.h_n.device}, got {given.device}; move it")
        check_finite(name, given)
    return backward(run, local_error, *ends)


def _of_cell(
    cell: Cell,
    x: Any,
    local_error: Any,
    state: Any,
    anchors: Anchors,
    rows: int | None,
    max_lag: int | None,
) -> Reach:
    run = unroll_cell(cell, x, state)
    sample = sample_of(joint_error(run, local_error), anchors, rows)
    error = tree_map(lambda leaf: None if leaf is None else sample.weighed(leaf), local_error)
    found = sample.told(cell_reach_map(run, error, anchors=sample.anchors, rows=sample.rows, max_lag=max_lag))
    left_out = sample.left_out(found, max_lag)
    size, exact = run.form.size, not left_out
    return Reach("cell", 0, "forward", sample.T, sample.B, size, found, exact, left_out, "the state")


def _positive(**counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and count < 1:
            everything = '"all"' if name == "anchors" else "None for all"
            raise ValueError(f"{name}: expected at least 1, or {everything}, got {count}")


def _layer_of(step: nn.RNNCellBase) -> nn.RNNBase:
    """The layer that runs a cell's weights over a sequence; it shares them."""
    cell, weight = cell_of(step), step.weight_ih
    if cell.layer is None:
        raise TypeError(f"module: expected a cell of which torch.nn has a layer, got {type(step).__name__}")
    options = {"nonlinearity": cell.nonlinearity} if cell.nonlinearity else {}
    family: Any = cell.layer
    made: nn.RNNBase = family(
        step.input_size, step.hidden_size, bias=step.bias, device="meta", dtype=weight.dtype, **options
    )
    for name, parameter in step.named_parameters():
        setattr(made, f"{name}_l0", parameter)
    return made

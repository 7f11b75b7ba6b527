"""The spectrum of one recurrence: the bound (γλ)^ℓ beside what the product of its Jacobians really does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine.bounds import is_bound, lambda_and_rho
from gradreach.engine.call_checks import State, check_call, check_finite, check_weights, number_of
from gradreach.engine.custom.autograd import jacobians as cell_jacobians
from gradreach.engine.custom.step import Cell
from gradreach.engine.custom.unroll import unroll as unroll_cell
from gradreach.engine.jacobian import Jacobians, jacobians
from gradreach.engine.products import product_spectrum, scientific
from gradreach.engine.replay import replay
from gradreach.engine.scan import Unroll
from gradreach.record.has_card import HasCard

NEAR_ONE = 1e-6
"""How near γλ is to 1 where it is taken for 1: a W_hh that is orthogonal in float32 has λ = 1 ± 1e-7."""


@dataclass(frozen=True, slots=True)
class Spectrum(HasCard):
    """What bounds and what happens to ∂h_t/∂h_k along one row, t its last step, ℓ = t − k.

    `T` is the row's number of steps, `hidden` the size H. `gamma` is the bound of σ′, `gamma_mean` its mean along the
    row, `lambda_` and `rho` are ‖W_hh‖₂ and the spectral radius, `bound_factor` is γλ: all None for GRU and LSTM,
    whose gates carry the state past W_hh. `gates` holds (λ, ρ) of each gate's block of W_hh, "h" for an RNN's only
    one; with a projection ρ is that of block · W_hr.

    `log10_bound[ℓ]` is log10 (γλ)^ℓ, empty where it does not bind: GRU, LSTM, a shortcut or a norm in the cell.
    `log10_norm[ℓ]` is log10 of the true ‖∂h_t/∂h_k‖₂, `log10_growth[ℓ]` that of ‖h_t‖ / ‖h_k‖, and
    `log10_rho_power[ℓ]` what the eigenvalue heuristic ‖h_t‖ ~ ρ^ℓ ‖h_k‖ predicts for it (empty where there is no ρ):
    each for every lag from 0 to the largest asked. `log10_singular_values[ℓ]` are those of ∂h_t/∂h_k at each lag
    asked, largest first, `lyapunov` the exponents over the `lyapunov_steps`, per step, log e. For an LSTM the state of
    norm and singular values is (h, c) jointly (h alone under a shortcut), for `log10_growth` it is h; the matrix itself
    with its blocks is `gr.theory.state_jacobian`'s. −inf is an exact 0; NaN a singular value that rounding hides, or a
    growth from h_k = 0.
    """

    kind: str
    T: int
    hidden: int
    log10_norm: tuple[float, ...]
    log10_singular_values: dict[int, tuple[float, ...]]
    lyapunov: tuple[float, ...]
    gamma: float | None = None
    gamma_mean: float | None = None
    lambda_: float | None = None
    rho: float | None = None
    bound_factor: float | None = None
    gates: dict[str, tuple[float, float]] = field(default_factory=dict)
    log10_bound: tuple[float, ...] = ()
    log10_rho_power: tuple[float, ...] = ()
    log10_growth: tuple[float, ...] = ()

    @property
    def lyapunov_steps(self) -> int:
        """How many steps count in `lyapunov`: of the way back from the last step over the largest lag asked, those past
        its first quarter, in which the directions that are followed turn into place."""
        swept = len(self.log10_norm) - 1
        return swept - swept // 4

    @property
    def verdict(self) -> str:
        """What (γλ)^(t−k) says of ‖∂h_t/∂h_k‖ at long lags (Pascanu, Mikolov and Bengio 2013, section 2.1).

        γλ < 1 suffices for a product that vanishes; γλ > 1 is necessary for one that explodes, and does not suffice.

        >>> import torch
        >>> rnn = torch.nn.RNN(1, 1)
        >>> _ = torch.nn.init.constant_(rnn.weight_hh_l0, 0.5)
        >>> spectrum(rnn, torch.zeros(9, 1, 1)).verdict
        'vanishes: γλ = 0.5 < 1, so (γλ)^(t−k) → 0, and ‖∂h_t/∂h_k‖ is no larger'
        """
        if self.bound_factor is None or not self.log10_bound:
            return "none that binds: (γλ)^(t−k) is of a plain RNN; gates, a shortcut or a norm carry the state too"
        if math.isclose(self.bound_factor, 1.0, rel_tol=NEAR_ONE):
            return "undecided: γλ = 1 to within rounding, so ‖∂h_t/∂h_k‖ cannot explode, but may vanish"
        rounded = f"{self.bound_factor:.3g}"
        factor = f"{self.bound_factor:.7g}" if float(rounded) == 1.0 else rounded
        if self.bound_factor < 1:
            return f"vanishes: γλ = {factor} < 1, so (γλ)^(t−k) → 0, and ‖∂h_t/∂h_k‖ is no larger"
        return f"may explode: γλ = {factor} > 1, which is necessary for that and not sufficient; it may vanish as well"

    def __str__(self) -> str:
        lines = ["  lag       bound        norm    smallest σ"]
        for lag, values in self.log10_singular_values.items():
            bound = scientific(self.log10_bound[lag]) if self.log10_bound else "–"
            lines.append(f"{lag:5} {bound:>11} {scientific(self.log10_norm[lag]):>11} {scientific(values[-1]):>13}")
        if self.lyapunov:
            counted = f"over {self.lyapunov_steps} of {len(self.log10_norm) - 1} steps back, without the first quarter"
            lines.append(f"largest Lyapunov exponent: {self.lyapunov[0]:.3g} per step, {counted}")
        return "\n".join([*lines, f"bound: {self.verdict}"])


def spectrum(
    module: nn.Module | Cell,
    x: Any,
    state: Any = None,
    *,
    layer: int = -1,
    reverse: bool = False,
    row: int = 0,
    lags: Sequence[int] | None = None,
) -> Spectrum:
    """γ, λ, ρ, the bound, and norms, singular values and Lyapunov exponents of the product of the state's Jacobians.

    `module` is nn.RNN, nn.GRU or nn.LSTM (or gradreach's own), `x` and `state` are what it is called with: batch_first,
    unbatched and packed input as the module takes them. Or it is a gr.Cell, with pytrees: its spectrum holds what
    follows from the Jacobians alone, norms, singular values and exponents of the whole state. `row` counts as in the
    batch given. `lags` (default 1, 4, 16, … and the row's last, T − 1) are those of the singular values; the largest
    bounds the cost, two matrix products and a QR of the state's size a step. Figures are float64; dropout between
    layers is left out. Raises TypeError or ValueError that name the argument where something does not fit.

    >>> import torch, gradreach as gr
    >>> _ = torch.manual_seed(0)
    >>> spec = gr.spectrum(torch.nn.RNN(2, 8), torch.randn(50, 1, 2))
    >>> spec.log10_norm[49] < spec.log10_bound[49], list(spec.log10_singular_values)
    (True, [1, 4, 16, 49])
    """
    if isinstance(module, Cell):
        return _of_jacobians(cell_jacobians(unroll_cell(module, x, state), row), lags)
    run, at = unrolled(module, x, state, layer=layer, reverse=reverse, row=row)
    return spectrum_of(run, at, lags)


def spectrum_of(run: Unroll, row: int = 0, lags: Sequence[int] | None = None) -> Spectrum:
    """`spectrum` of one row of a run, rows in the engine's order."""
    found = _of_jacobians(jacobians(run, row), lags)
    w, H = run.weights.each(lambda each: each.double()), run.slopes.gate.shape[-1]
    blocks = () if w.w_hh is None else zip(run.cell.kind.gates, w.w_hh.split(H), strict=True)
    both = {gate: lambda_and_rho(block, w.w_hr) for gate, block in blocks}
    gates = {gate: (lambda_, rho) for gate, (lambda_, rho) in both.items() if lambda_ is not None and rho is not None}
    gamma = run.cell.gamma
    lambda_, rho = next(iter(gates.values()), (None, None)) if gamma is not None else (None, None)
    factor = None if gamma is None or lambda_ is None else gamma * lambda_
    binds = is_bound(run)
    steps = slice(None) if run.active is None else run.active[:, row]
    powers = range(len(found.log10_norm))
    return replace(
        found,
        kind=run.cell.name,
        hidden=H,
        gamma=gamma,
        gamma_mean=None if gamma is None else float(run.slopes.gate[steps, row].double().mean()),
        lambda_=lambda_,
        rho=rho,
        bound_factor=factor,
        gates=gates,
        log10_bound=log10_powers(factor, powers) if factor is not None and binds else (),
        log10_rho_power=() if rho is None else log10_powers(rho, powers),
        log10_growth=_growth(run.h[1:][steps, row].double(), powers),
    )


def _of_jacobians(J: Jacobians, lags: Sequence[int] | None) -> Spectrum:
    """What follows from the Jacobians of one row, whatever the cell."""
    asked = ladder(J.steps - 1) if lags is None else sorted(set(lags))
    if not asked or asked[0] < 0 or asked[-1] >= J.steps:
        raise ValueError(f"lags: expected lags from 0 to T − 1 = {J.steps - 1}, got {asked}; leave the others out")
    found = product_spectrum(J, asked)
    return Spectrum(
        kind="cell",
        T=J.steps,
        hidden=J.shown,
        log10_norm=found.log10_norm,
        log10_singular_values=found.log10_singular_values,
        lyapunov=found.lyapunov,
    )


def unrolled(
    module: nn.Module, x: Tensor | PackedSequence, state: State, *, layer: int, reverse: bool, row: int
) -> tuple[Unroll, int]:
    """One direction of one layer, run over x, and the row's place in the engine; every argument is checked first."""
    if not isinstance(module, nn.RNNBase):
        raise TypeError(f"module: expected nn.RNN, nn.GRU or nn.LSTM, got {type(module).__name__}; pass the layer")
    check_call(module, x, state)
    check_weights(module)
    check_finite("x", x.data)
    run = replay(module, x, state, without_dropout=True)
    chosen = run.unrolls[number_of(layer, reverse, layers=module.num_layers, directions=run.directions)]
    rows = chosen.x.shape[1]
    if rows == 0:
        raise ValueError("x: expected at least one row, got B = 0; pass a batch with a sequence in it")
    if not 0 <= row < rows:
        raise ValueError(f"row: expected 0 to B − 1 = {rows - 1}, got {row}; choose a row of x")
    place = row
    if isinstance(x, PackedSequence) and x.unsorted_indices is not None:
        place = int(x.unsorted_indices[row])
    steps = len(chosen.x) if chosen.active is None else int(chosen.active[:, place].sum())
    if steps < 2:
        raise ValueError(f"x: expected at least 2 steps in row {row}, got T = {steps}; pass a longer sequence")
    return chosen, place


def ladder(last: int) -> list[int]:
    """1, 4, 16, … and `last`."""
    return [4**n for n in range(last.bit_length()) if 4**n < last] + [last]


def log10_powers(base: float, exponents: Iterable[int]) -> tuple[float, ...]:
    """log10 of base^n; −inf for 0^n, n > 0."""
    log10 = math.log10(base) if base > 0 else -math.inf
    return tuple(n * log10 if n else 0.0 for n in exponents)


def _growth(h: Tensor, lags: Iterable[int]) -> tuple[float, ...]:
    size = torch.linalg.vector_norm(h / h.abs().amax().clamp(min=torch.finfo(h.dtype).tiny), dim=1).log10()
    return tuple((size[-1] - size[len(size) - 1 - lag]).item() for lag in lags)

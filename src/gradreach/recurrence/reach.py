"""How far each local error travels back: the reach map, and the figures that follow from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from gradreach.recurrence.adjoint import sweep
from gradreach.recurrence.cells import Unroll, pull

HORIZON = 0.01
"""The horizon ends where r(ℓ) first falls under this share of the local error."""
_FLOOR = -90
"""log2 of the share of the local error under which the sweep ends, about 1e-27."""
_CHECKED = 8
"""Lags between two looks at the adjoints' size."""
_LEFT_OUT = 1e-3
"""Of the total local error, the share that the steps passed over as anchors may hold together."""


@dataclass(frozen=True, slots=True)
class ReachMap:
    """Norms of δ_{t→t−ℓ} for a sample of anchors t and every lag ℓ swept, and what W_hh's gradient owes to each lag.

    `norms[a, ℓ]` is the mean over rows of ‖δ_{t→t−ℓ}‖ for t = anchors[a], anchors in the data's time order; float64 on
    the CPU, 0 where the sequence does not reach back so far. For an LSTM the norm is of (h, c) jointly. `errors[ℓ]` is
    Σ_t of the mean of ‖e_t‖, where a row that does not reach back ℓ steps from t counts as 0.
    `lag_share[ℓ]` is ⟨dW_ℓ, dW⟩ / ‖dW‖², `truncation_bias[k]` is ‖dW − Σ_{ℓ<k} dW_ℓ‖ / ‖dW‖, for k up to the lags
    swept, over these anchors and rows; both empty where dW is 0 or not finite.
    """

    anchors: tuple[int, ...]
    norms: Float[Tensor, "A L"]
    errors: Float[Tensor, " L"]
    lag_share: tuple[float, ...] = ()
    truncation_bias: tuple[float, ...] = ()


@torch.no_grad()
def reach_map(
    run: Unroll,
    local_error: Float[Tensor, "T B P"],
    *,
    anchors: Sequence[int],
    rows: Sequence[int] | None = None,
    max_lag: int | None = None,
    local_error_c: Float[Tensor, "T B H"] | None = None,
    total: Float[Tensor, "GH P"] | None = None,
) -> ReachMap:
    """Sweep the local errors of `anchors` back, all at the same lag together: A ← J_{t−ℓ}ᵀ A, one matrix product a lag.

    Errors and anchors are in the data's time order, as `backward` gives them; `rows` (default all) samples the batch.
    `total` is dW over the same anchors and rows where it is known already, else an ordinary sweep finds it first. The
    sweep ends early where all adjoints are under 1e-27 of the local errors; the lags past it are 0.
    """
    T, B, _ = run.x.shape
    device = run.h.device
    steps = sorted(T - 1 - t if run.reverse else t for t in anchors)
    lags = 1 + min(max(steps, default=-1), T - 1 if max_lag is None else max_lag)
    named = tuple(T - 1 - t if run.reverse else t for t in steps)
    if lags <= 0 or B == 0 or (rows is not None and len(rows) == 0):
        return _table([[]] * len(named), named)
    error, error_c = run.in_data_order(local_error), None
    if local_error_c is not None:
        error_c = run.in_data_order(local_error_c)
    if rows is not None:
        chosen = torch.tensor(list(rows), device=device)
        run, error = _rows_of(run, chosen), error[:, chosen]
        error_c = None if error_c is None else error_c[:, chosen]
    at = torch.tensor(steps, device=device)
    with torch.autocast(device.type, enabled=False):
        dW = _total(run, at, error, error_c) if total is None else total
        norms, share, bias = _sweep(run, steps, error[at], None if error_c is None else error_c[at], dW, lags)
        return ReachMap(named, norms, _errors(run, at, error[at], error_c, lags), share, bias)


def choose_anchors(local_error: Float[Tensor, "T B P"], most: int = 32) -> tuple[tuple[int, ...], bool]:
    """The steps whose local error the reach map carries, and whether that is all of those that have one.

    All with a nonzero local error where they are at most `most`. Else those that hold all but 1/1000 of Σ‖e_t‖, evenly
    spaced with the first and the last where they are still too many.
    """
    size = torch.linalg.vector_norm(local_error.flatten(1), dim=1, dtype=torch.float64).cpu()
    steps = size.nonzero().flatten()
    if len(steps) <= most:
        return tuple(steps.tolist()), True
    order = size.argsort(descending=True, stable=True)
    needed = int((size[order].cumsum(0) < (1 - _LEFT_OUT) * size.sum()).sum()) + 1
    steps = order[:needed].sort().values
    if len(steps) > most:
        last = len(steps) - 1
        return tuple(int(steps[last - round(i * last / max(most - 1, 1))]) for i in reversed(range(most))), False
    return tuple(steps.tolist()), False


def curve(reach: ReachMap) -> tuple[float, ...]:
    """r(ℓ) = Σ_t R[t, t−ℓ] / Σ_t R[t, t], both over t ≥ ℓ; ends before the first lag at which it is not finite."""
    r = (reach.norms.sum(0) / reach.errors).tolist()
    finite = [math.isfinite(each) for each in r]
    return tuple(r[: finite.index(False)] if False in finite else r)


def curve_from_norms(norms: Mapping[int, Sequence[float]]) -> tuple[float, ...]:
    """r(ℓ) from norms found otherwise, as by autograd: norms[t][ℓ] is the mean of ‖δ_{t→t−ℓ}‖, norms[t][0] of ‖e_t‖."""
    return curve(_table(list(norms.values()), tuple(norms)))


def horizon(r: Sequence[float]) -> int:
    """The largest ℓ with r ≥ 0.01 at every lag up to it; 0 where there is no curve."""
    short = next((lag for lag, each in enumerate(r) if each < HORIZON), len(r))
    return max(short - 1, 0)


def factor(r: Sequence[float]) -> float | None:
    """Growth of the reach curve per step: exp of the slope of log r(ℓ), least squares over the lags with r > 0.

    None where the curve has fewer than three lags, or fewer than two with r > 0.
    """
    points = [(lag, math.log(each)) for lag, each in enumerate(r) if each > 0]
    if len(r) < 3 or len(points) < 2:
        return None
    middle = sum(lag for lag, _ in points) / len(points)
    slope = sum((lag - middle) * y for lag, y in points) / sum((lag - middle) ** 2 for lag, _ in points)
    return math.exp(slope)


def _table(norms: Sequence[Sequence[float]], anchors: tuple[int, ...]) -> ReachMap:
    """A map of given norms, one row an anchor, each as long as its anchor reaches back."""
    lags = max((len(each) for each in norms), default=0)
    table = torch.zeros(len(norms), lags, dtype=torch.float64, device="cpu")
    errors = torch.zeros(lags, dtype=torch.float64, device="cpu")
    for row, each in zip(table, norms, strict=True):
        row[: len(each)] = torch.tensor(each, dtype=torch.float64, device="cpu")
        errors[: len(each)] += each[0] if each else 0.0
    return ReachMap(anchors, table, errors)


def _rows_of(run: Unroll, rows: Tensor) -> Unroll:
    """The same run with these rows alone; `sizes` go with the rows kept, which stay sorted."""
    sizes = None if run.sizes is None else tuple(int((rows < n).sum()) for n in run.sizes)
    c = None if run.c is None else run.c[:, rows]
    slopes = run.slopes.each(lambda s: s[:, rows])
    return replace(run, x=run.x[:, rows], h=run.h[:, rows], c=c, gates=run.gates[:, rows], slopes=slopes, sizes=sizes)


def _starts(run: Unroll) -> Tensor:
    """The step at which each row begins, (B,): 0 but for packed rows run in reverse."""
    active = run.active
    if active is None or not run.reverse:
        return torch.zeros(run.h.shape[1], dtype=torch.long, device=run.h.device)
    return (~active).sum(0)


def _errors(run: Unroll, at: Tensor, error: Tensor, error_c: Tensor | None, lags: int) -> Tensor:
    """Σ_t of ‖e_t‖ / rows at each lag, over the steps and rows that reach back so far."""
    own = _norms(error.double(), None if error_c is None else error_c[at].double())
    depth = (at[:, None] - _starts(run)).clamp(min=-1, max=lags - 1) + 1  # the number of lags that row and step hold
    held = torch.zeros(lags + 1, dtype=torch.float64, device=own.device)
    held.index_add_(0, depth.flatten(), own.flatten())
    return held.flip(0).cumsum(0).flip(0)[1:].cpu() / own.shape[1]


def _total(run: Unroll, at: Tensor, error: Tensor, error_c: Tensor | None) -> Tensor:
    """∂L/∂W_hh from the anchors' errors alone, by one ordinary sweep."""
    only = torch.zeros(error.shape[0], 1, 1, dtype=error.dtype, device=error.device)
    only[at] = 1.0
    back = sweep(run, error * only, None if error_c is None else error_c * only)
    return back.g.flatten(2).flatten(0, 1).t() @ run.h[:-1].flatten(0, 1)


def _sweep(
    run: Unroll, steps: list[int], dh: Tensor, dc: Tensor | None, dW: Tensor, lags: int
) -> tuple[Tensor, tuple[float, ...], tuple[float, ...]]:
    """Norms (A, L), lag shares, truncation biases. The adjoints are dh · 2^exponent, so that float32 holds them all."""
    size = float(torch.linalg.vector_norm(dW, dtype=torch.float64)) or math.nan
    unit = (dW / size).flatten()
    rest = unit.clone()  # (dW − Σ dW_ℓ) / ‖dW‖
    at, starts = torch.tensor(steps, device=dh.device), _starts(run)
    norms = torch.zeros(len(steps), lags, dtype=torch.float64, device=dh.device)
    inner, left = [rest.dot(unit)], [rest.new_ones(())]
    dc = torch.zeros_like(run.c[at]) if run.c is not None and dc is None else dc
    exponent = floor = first = 0
    for lag in range(lags):
        while steps[first] < lag:
            first, dh, dc = first + 1, dh[1:], None if dc is None else dc[1:]
        if lag % _CHECKED == 0:
            largest = max(float(part.abs().amax()) for part in (dh, dc) if part is not None)
            if not math.isfinite(largest):
                norms[first:, lag:] = math.nan
            shift = math.frexp(largest)[1]
            floor = shift + _FLOOR if lag == 0 else floor
            if not 0 < largest < math.inf or exponent + shift < floor:
                break
            dh, dc, exponent = dh * _power(-shift), None if dc is None else dc * _power(-shift), exponent + shift
        k = at[first:] - lag
        norms[first:, lag] = (_norms(dh, dc) * (k[:, None] >= starts)).mean(1).double() * _power(exponent)
        g, dh, dc = pull(run.kind, run.weights, run.slopes.each(lambda s, k=k: s[k]), dh, dc)  # type: ignore[misc]
        scale = _power(exponent) / size
        if not scale < torch.finfo(rest.dtype).max:
            rest.fill_(math.nan)
        else:
            rest.view_as(dW).addmm_(g.flatten(2).flatten(0, 1).t(), run.h[k].flatten(0, 1), alpha=-scale)
        inner.append(rest.dot(unit))
        left.append(rest.dot(rest))
    shares, biases = _figures(inner, left, lags)
    return norms.cpu(), shares, biases


def _figures(inner: list[Tensor], left: list[Tensor], lags: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """s(ℓ) and b(k) from ⟨rest_k, dW⟩ / ‖dW‖² and ‖rest_k‖² / ‖dW‖², rest_k = dW − Σ_{ℓ<k} dW_ℓ, as far as swept."""
    along, size = torch.stack(inner).double().cpu(), torch.stack(left).double().cpu()
    if not bool(along.isfinite().all() & size.isfinite().all()):
        return (), ()
    unswept = lags + 1 - len(along)
    shares, biases = (along[:-1] - along[1:]).tolist(), size.sqrt().tolist()
    return tuple(shares + [0.0] * unswept), tuple(biases + biases[-1:] * unswept)


def _norms(dh: Tensor, dc: Tensor | None) -> Tensor:
    """2-norm of the joint state (h, c), (A, R)."""
    own = torch.linalg.vector_norm(dh, dim=-1)
    return own if dc is None else torch.hypot(own, torch.linalg.vector_norm(dc, dim=-1))


def _power(exponent: int) -> float:
    return math.inf if exponent > 1023 else 2.0**exponent

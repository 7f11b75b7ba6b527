"""The reach map: how large each local error still is after every lag, and what W_hh's gradient owes to each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gradreach.engine.adjoint import sweep_of
from gradreach.engine.lags import LagAdjoint, ScaledAdjoint, carry_back
from gradreach.engine.scan import Unroll
from gradreach.engine.subnormals import flushed

NEGLIGIBLE = -90.0
"""log2 of the share of the local error under which an adjoint changes no figure of a report, about 1e-27."""
_LEFT_OUT = 1e-3
"""Of the total local error, the share that the steps passed over as anchors may hold together."""


@dataclass(frozen=True, slots=True)
class ReachMap:
    """Norms of δ_{t→t−ℓ} for a sample of anchors t and every lag ℓ swept, and what W_hh's gradient owes to each lag.

    `log2_norms[a, ℓ]` is log2 of the mean over rows of ‖δ_{t→t−ℓ}‖ for t = anchors[a], anchors in the data's time
    order; float64 on the CPU, −inf where the sequence does not reach back so far. For an LSTM the norm is of (h, c)
    jointly; `of_h` is the same map by the part of h alone, ‖∂L_t/∂h_{t−ℓ}‖, where it was asked for. `own` is ‖e_t‖ of
    every row, `depth` how many lags the row holds from there back. `lag_share[ℓ]` is ⟨dW_ℓ, dW⟩ / ‖dW‖²,
    `truncation_bias[k]` is ‖dW − Σ_{ℓ<k} dW_ℓ‖ / ‖dW‖, for k up to the lags swept, over these anchors and rows; both
    are empty where dW is 0 or not finite, and for a kind without a W_hh.

    `chances[a]` is the chance that anchors[a] had to be among them, and from lag `whole_from` on all steps that reach
    so far are; None where no chance chose them, and each counts as one.
    """

    anchors: tuple[int, ...]
    log2_norms: Float[Tensor, "A L"]
    own: Float[Tensor, "A R"]
    depth: Int[Tensor, "A R"]
    lag_share: tuple[float, ...] = ()
    truncation_bias: tuple[float, ...] = ()
    of_h: ReachMap | None = None
    chances: tuple[float, ...] | None = None
    whole_from: int = 0

    @property
    def log2_weights(self) -> Float[Tensor, "A 1"]:
        """log2 of the number of steps that each anchor stands for."""
        chances = [1.0] * len(self.anchors) if self.chances is None else self.chances
        return -torch.tensor(chances, dtype=torch.float64, device="cpu").log2().unsqueeze(1)

    @property
    def errors(self) -> Float[Tensor, " L"]:
        """Σ_t of the mean of ‖e_t‖ at every lag, where a row that does not reach back ℓ steps from t counts as 0."""
        lags = self.log2_norms.shape[1]
        held = torch.zeros(lags + 1, dtype=torch.float64, device="cpu")
        held.index_add_(0, self.depth.flatten(), (self.own * self.log2_weights.exp2()).flatten())
        return held.flip(0).cumsum(0).flip(0)[1:] / max(self.own.shape[1], 1)

    def errors_of_each(self, lags: int) -> Float[Tensor, "A L"]:
        """The mean over rows of each anchor's ‖e_t‖ at so many lags, a row that does not reach so far counted as 0."""
        held = torch.zeros(len(self.anchors), self.log2_norms.shape[1] + 1, dtype=torch.float64, device="cpu")
        held.scatter_add_(1, self.depth, self.own)
        return held.flip(1).cumsum(1).flip(1)[:, 1 : lags + 1] / max(self.own.shape[1], 1)

    def drawn(self, chances: Mapping[int, float], whole_from: int) -> ReachMap:
        """The same map, found from errors that were divided by the chances of their steps, in the errors' own size."""
        each = tuple(chances[t] for t in self.anchors)
        of_h = None if self.of_h is None else self.of_h.drawn(chances, whole_from)
        found = replace(self, chances=each, whole_from=whole_from, of_h=of_h)
        weights = found.log2_weights
        return replace(found, log2_norms=self.log2_norms - weights, own=self.own / weights.exp2())


class Shares:
    """Takes dW_ℓ from dW lag by lag, all in units of ‖dW‖.

    Whoever finds dW_ℓ subtracts dW_ℓ / `size` from `rest`, in place, and then calls `record`; `rest` is
    (dW − Σ dW_ℓ) / ‖dW‖ in the shape of dW.
    """

    def __init__(self, dW: Float[Tensor, "*shape"]) -> None:
        self.size = float(torch.linalg.vector_norm(dW, dtype=torch.float64)) or math.nan
        self._unit = dW / self.size
        self.rest = self._unit.clone(memory_format=torch.contiguous_format)
        self._inner: list[Tensor] = []
        self._left: list[Tensor] = []
        self.record()

    def unit(self, exponent: Int[Tensor, "A R 1"], dtype: torch.dtype) -> Float[Tensor, "A R 1"] | None:
        """2^exponent / ‖dW‖ for every row, 0 where that is no normal number; None where it is 0 for all."""
        unit = torch.exp2(exponent - math.log2(self.size)).to(dtype)
        unit = unit.where(unit >= torch.finfo(dtype).tiny, 0.0)
        return unit if bool(unit.any()) else None

    def record(self) -> None:
        """Note ⟨rest, dW⟩ / ‖dW‖² and ‖rest‖² / ‖dW‖² as they stand."""
        flat = self.rest.flatten()
        self._inner.append(flat.dot(self._unit.flatten()))
        self._left.append(flat.dot(flat))

    def figures(self, lags: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """s(ℓ) = ⟨dW_ℓ, dW⟩ / ‖dW‖² and b(k) = ‖dW − Σ_{ℓ<k} dW_ℓ‖ / ‖dW‖; what was not taken has no share.

        Both empty where dW is 0 or not finite.
        """
        along, left = torch.stack(self._inner).double().cpu(), torch.stack(self._left).double().cpu()
        if not bool(along.isfinite().all() & left.isfinite().all()):
            return (), ()
        untaken = lags + 1 - len(along)
        shares, biases = (along[:-1] - along[1:]).tolist(), left.sqrt().tolist()
        return tuple(shares + [0.0] * untaken), tuple(biases + biases[-1:] * untaken)


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
    shares: bool = True,
    by_h: bool = False,
    floor: float = -math.inf,
) -> ReachMap:
    """Sweep the local errors of `anchors` back, all at the same lag together: A ← J_{t−ℓ}ᵀ A, one matrix product a lag.

    Errors and anchors are in the data's time order, as `backward` gives them; `rows` (default all) samples the batch.
    With `shares`, a second product a lag finds lag share and truncation bias; `total` is dW over the same anchors and
    rows where it is known already, else an ordinary sweep finds it first. `by_h` asks for `of_h` of an LSTM. The sweep
    ends early where all adjoints are under 2^floor of the local errors; the lags past it are 0. A clip of the run does
    not enter, a truncation ends it.
    """
    T, B, _ = run.x.shape
    device = run.h.device
    k2 = run.remedies.truncate
    run = replace(run, remedies=replace(run.remedies, clip=math.inf)) if run.remedies.clip < math.inf else run
    steps = sorted(T - 1 - t if run.reverse else t for t in anchors)
    lags = min(1 + max(steps, default=-1), T if max_lag is None else 1 + max_lag, T if k2 is None else k2)
    named = tuple(T - 1 - t if run.reverse else t for t in steps)
    if lags <= 0 or B == 0 or (rows is not None and len(rows) == 0):
        nothing = table([[]] * len(named), named)
        return replace(nothing, of_h=nothing) if by_h and run.c is not None else nothing
    error, error_c = run.in_data_order(local_error), None
    if local_error_c is not None:
        error_c = run.in_data_order(local_error_c)
    if rows is not None:
        chosen = torch.tensor(list(rows), device=device)
        run, error = _rows_of(run, chosen), error[:, chosen]
        error_c = None if error_c is None else error_c[:, chosen]
    at = torch.tensor(steps, device=device)
    with torch.autocast(device.type, enabled=False):
        norms = _LagNorms(run, steps, lags)
        norms_h = _LagNorms(run, steps, lags) if by_h and run.c is not None else None
        parts = None
        if shares and run.weights.w_hh is not None:
            parts = Shares(_total(run, at, error, error_c) if total is None else total)
        first, _, _ = ScaledAdjoint(error[at], None if error_c is None else error_c[at]).rescaled()
        with flushed():
            for each in carry_back(run, steps, first, lags, floor=floor):
                norms.add(each, each.dc)
                if norms_h is not None:
                    norms_h.add(each, None)
                if parts is not None:
                    _take(parts, each, run.h)
        share, bias = ((), ()) if parts is None else parts.figures(lags)
        of_h = None
        if norms_h is not None:
            of_h = ReachMap(named, norms_h.log2.cpu(), *_own(run, at, error[at], None, lags), share, bias)
        return ReachMap(named, norms.log2.cpu(), *_own(run, at, error[at], error_c, lags), share, bias, of_h)


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


def table(norms: Sequence[Sequence[float]], anchors: tuple[int, ...]) -> ReachMap:
    """A map of given norms, one row an anchor, each as long as its anchor reaches back."""
    lags = max((len(each) for each in norms), default=0)
    table = torch.zeros(len(norms), lags, dtype=torch.float64, device="cpu")
    for row, each in zip(table, norms, strict=True):
        row[: len(each)] = torch.tensor(each, dtype=torch.float64, device="cpu")
    own = torch.tensor([[each[0] if each else 0.0] for each in norms], dtype=torch.float64, device="cpu")
    depth = torch.tensor([[len(each)] for each in norms], dtype=torch.long, device="cpu")
    return ReachMap(anchors, table.log2(), own.view(-1, 1), depth.view(-1, 1))


def _rows_of(run: Unroll, rows: Tensor) -> Unroll:
    """The same run with these rows alone; `sizes` go with the rows kept, which stay sorted."""
    sizes = None if run.sizes is None else tuple(int((rows < n).sum()) for n in run.sizes)
    return replace(run, x=run.x[:, rows], trace=run.trace.each(lambda s: s[:, rows]), sizes=sizes)


def _own(run: Unroll, at: Tensor, error: Tensor, error_c: Tensor | None, lags: int) -> tuple[Tensor, Tensor]:
    """‖e_t‖ of every anchor and row, and the number of lags that they hold."""
    own = _norms(error.double(), None if error_c is None else error_c[at].double())
    depth = (at[:, None] - run.starts).clamp(min=-1, max=lags - 1) + 1
    return own.cpu(), depth.expand(own.shape).cpu()


def _total(run: Unroll, at: Tensor, error: Tensor, error_c: Tensor | None) -> Tensor:
    """∂L/∂W_hh from the anchors' errors alone, by one ordinary sweep."""
    only = torch.zeros(error.shape[0], 1, 1, dtype=error.dtype, device=error.device)
    only[at] = 1.0
    back = sweep_of(run, error * only, None if error_c is None else error_c * only)
    return back.g.flatten(2).flatten(0, 1).t() @ run.h[:-1].flatten(0, 1)


def _norms(dh: Tensor, dc: Tensor | None) -> Tensor:
    """2-norm of the joint state (h, c), of h alone without `dc`, (A, R)."""
    own = torch.linalg.vector_norm(dh, dim=-1)
    return own if dc is None else torch.hypot(own, torch.linalg.vector_norm(dc, dim=-1))


class _LagNorms:
    """Gathers the mean over rows of ‖δ_{t→t−ℓ}‖ lag by lag, an exponent an anchor beside it."""

    def __init__(self, run: Unroll, steps: list[int], lags: int) -> None:
        self._mean = torch.zeros(lags, len(steps), dtype=run.h.dtype, device=run.h.device)
        self._exponent = torch.zeros(lags, len(steps), dtype=torch.int32, device=run.h.device)
        self._starts = run.starts if run.sizes is not None and run.reverse else None
        self._steps = torch.tensor(steps, device=run.h.device)

    def add(self, each: LagAdjoint, dc: Tensor | None) -> None:
        norms = _norms(each.dh, dc)
        if self._starts is not None:
            norms = norms * (self._steps[each.first :, None] - each.lag >= self._starts)
        if each.exponent is not None:
            exponent = each.exponent.squeeze(-1)
            most = exponent.where(norms > 0, torch.iinfo(torch.int32).min // 2).amax(1)
            self._exponent[each.lag, each.first :] = most
            norms = norms * torch.exp2((exponent - most[:, None]).clamp(max=0).to(norms.dtype))
        torch.mean(norms, 1, out=self._mean[each.lag, each.first :])

    @property
    def log2(self) -> Tensor:
        """(A, L), float64."""
        return (self._mean.double().log2() + self._exponent).t().contiguous()


def _take(parts: Shares, each: LagAdjoint, h: Tensor) -> None:
    """dW_ℓ = Σ g ⊗ h_{k−1} over the anchors and rows of one lag."""
    before, alpha = h[:-1][each.at], -1.0 / parts.size
    if each.exponent is not None:
        unit, alpha = parts.unit(each.exponent, before.dtype), -1.0
        before = before[:0] if unit is None else before * unit
    if len(before):
        parts.rest.addmm_(each.g.flatten(2).flatten(0, 1).t(), before.flatten(0, 1), alpha=alpha)
    parts.record()

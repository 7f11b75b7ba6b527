"""The same spectrum for depth: the products of a′_l f′_l of a feed-forward stack, beside what they bound."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradreach.engine.call_checks import check_weights

Bound = Callable[[Any], float | None]
_SILU_AT = 2.3993572805154675
"""Where SiLU′ is largest: the positive root of x tanh(x / 2) = 2."""
_GELU = (1 + math.erf(1.0)) / 2 + math.exp(-1.0) / math.sqrt(math.pi)
_BOUNDS: dict[type[nn.Module], Bound] = {
    **dict.fromkeys((nn.Tanh, nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Softsign, nn.Softplus, nn.LogSigmoid), lambda _: 1.0),
    **dict.fromkeys((nn.Identity, nn.Dropout, nn.AlphaDropout, nn.Tanhshrink, nn.CELU), lambda _: 1.0),
    nn.Sigmoid: lambda _: 0.25,
    nn.Hardsigmoid: lambda _: 1 / 6,
    nn.Hardswish: lambda _: 1.5,
    nn.LeakyReLU: lambda f: max(1.0, abs(f.negative_slope)),
    nn.ELU: lambda f: max(1.0, abs(f.alpha)),
    nn.SELU: lambda _: 1.0507009873554805 * 1.6732632423543772,
    nn.SiLU: lambda _: 0.5 + _SILU_AT / 4,
    nn.GELU: lambda f: _GELU if f.approximate == "none" else None,
}
"""max |f′|, where it is known in closed form."""
_SILENT = (nn.Identity, nn.Dropout, nn.AlphaDropout)
_RANDOM = (nn.modules.dropout._DropoutNd, nn.RReLU)
_BLOCK = 2**22
"""Numbers in the largest block of Jacobian products held at once, 32 MiB."""


@dataclass(frozen=True, slots=True)
class DepthFactors:
    """The two factors of one layer, h_l = f_l(W_l h_{l−1} + b_l): `weight` is ‖W_l‖₂, `gamma` the bound of |f_l′|
    (None where none is known), `slope_mean` and `slope_max` what |f_l′| is over the batch. `name` is the Linear's in
    the stack, `activation` the classes of what follows it.
    """

    name: str
    activation: str
    weight: float
    gamma: float | None
    slope_mean: float
    slope_max: float


@dataclass(frozen=True, slots=True)
class DepthSpectrum:
    """What bounds and what happens to ∂h_L/∂h_l through the L layers of a stack.

    `layers[l − 1]` holds the factors of layer l. The others have L + 1 entries, for l = 0 (the input of the first
    Linear) to L (the output), log10: `log10_norm[l]` of the mean over rows of the true ‖∂h_L/∂h_l‖₂, `log10_bound[l]`
    of Π γ ‖W‖₂ over the layers above l (None where a γ is not known), `log10_quarter[l]` of 0.25 to the number of
    logistic layers above l (empty unless every activation is logistic), `log10_gradient[l]` of the mean over rows of
    ‖∂L/∂h_l‖. −inf is an exact 0.
    """

    layers: tuple[DepthFactors, ...]
    log10_norm: tuple[float, ...]
    log10_bound: tuple[float | None, ...]
    log10_quarter: tuple[float, ...]
    log10_gradient: tuple[float, ...]


@torch.no_grad()
def depth_spectrum(
    stack: nn.Module, x: Float[Tensor, "B ..."], error: Float[Tensor, "B O"] | None = None
) -> DepthSpectrum:
    """The factors ‖W_l‖₂ and f_l′ of every layer, and the norms of their products and of the gradient; float64.

    `stack` is an nn.Sequential (nested ones too) of nn.Linear and elementwise modules: every activation that acts on
    each unit by itself, dropout and batch norm in eval, and nn.Flatten. What comes before the first Linear only makes
    h_0. `x` is (B, I), or (B, …) where a Flatten comes first. `error` is ∂L/∂h_L, (B, O), by default 1 everywhere, the
    gradient of the sum of the outputs. Costs B products of an (O, d) with a (d, d) matrix a layer: pass few rows where
    the output is wide. Neither the stack nor a generator is touched. Refused with TypeError or
    ValueError: anything that mixes units or rows (softmax, layer norm, convolution, batch norm in training), dropout in
    training, and input that does not fit.

    >>> import torch, gradreach as gr
    >>> from torch import nn
    >>> stack = nn.Sequential(*[each for _ in range(20) for each in (nn.Linear(8, 8), nn.Sigmoid())])
    >>> depth = gr.depth_spectrum(stack, torch.randn(4, 8))
    >>> depth.layers[0].gamma, round(depth.log10_quarter[0], 3), depth.log10_gradient[0] < -12
    (0.25, -12.041, True)
    """
    if not isinstance(stack, nn.Sequential):
        raise TypeError(f"stack: expected nn.Sequential, got {type(stack).__name__}; put its layers in one, in order")
    groups = _groups(stack)
    _check(stack, groups, x)
    h = _entering(stack, x)
    slopes: list[Tensor] = []
    layers: list[DepthFactors] = []
    weights = [linear.weight.double() for _, linear, _ in groups]
    for (name, linear, activations), W in zip(groups, weights, strict=True):
        if h.dim() != 2 or h.shape[1] != linear.in_features:
            raise ValueError(
                f"x: expected {linear.in_features} features in 2-D at Linear {name!r}, got {tuple(h.shape)}; "
                "reshape x, or put nn.Flatten before"
            )
        h = h @ W.t() if linear.bias is None else torch.addmm(linear.bias.double(), h, W.t())
        slope = torch.ones_like(h)
        for each in activations:
            h, own = _differentiated(*each, h)
            slope = slope * own
        slopes.append(slope)
        kinds = " ".join(type(f).__name__ for _, f in activations)
        size, lambda_ = slope.abs(), float(torch.linalg.matrix_norm(W, 2))
        gamma = _product([_bound(f) for _, f in activations])
        layers.append(DepthFactors(name, kinds, lambda_, gamma, float(size.mean()), float(size.max())))
    error = _checked_error(error, h)
    return DepthSpectrum(
        tuple(layers),
        _norms(weights, slopes),
        _log10_bounds([None if each.gamma is None else each.gamma * each.weight for each in layers]),
        _log10_quarters(groups),
        _gradients(weights, slopes, error),
    )


NamedModule = tuple[str, nn.Module]
LayerGroup = tuple[str, nn.Linear, list[NamedModule]]


def _flat(stack: nn.Sequential, prefix: str = "") -> Iterator[NamedModule]:
    for name, module in stack.named_children():
        if isinstance(module, nn.Sequential):
            yield from _flat(module, f"{prefix}{name}.")
        else:
            yield prefix + name, module


def _groups(stack: nn.Sequential) -> list[LayerGroup]:
    """Every Linear with what follows it up to the next."""
    groups: list[LayerGroup] = []
    for name, module in _flat(stack):
        if module.training and isinstance(module, _RANDOM) and getattr(module, "p", 1.0) > 0:
            raise ValueError(
                f"stack: expected no random layer, got {type(module).__name__} {name!r} in training; call stack.eval()"
            )
        if isinstance(module, nn.Linear):
            groups.append((name, module, []))
        elif groups and not isinstance(module, nn.Flatten):
            groups[-1][2].append((name, module))
    if not groups:
        raise ValueError("stack: expected at least one nn.Linear, got none; pass the stack of Linear layers itself")
    return groups


def _entering(stack: nn.Sequential, x: Tensor) -> Tensor:
    """h_0: x through what comes before the first Linear."""
    h = x.double()
    for name, module in _flat(stack):
        if isinstance(module, nn.Linear):
            break
        h = module.forward(h) if isinstance(module, nn.Flatten) else _differentiated(name, module, h)[0]
    return h


_CANCELLED = 1e-13
"""What is left of a slope near 0 that is a difference of terms near 1, as that of x − tanh x, in float64."""


def _differentiated(name: str, module: nn.Module, a: Tensor) -> tuple[Tensor, Tensor]:
    """f(a) and f′(a) of an elementwise module; refused where a unit's output depends on another's input."""
    f = copy.deepcopy(module).double()
    with torch.enable_grad():
        at = a.detach().requires_grad_()
        y = f.forward(at.clone())  # not f(…), which would call hooks; a clone, which may be changed in place
        elementwise = isinstance(y, Tensor) and y.shape == at.shape
        if elementwise:
            draw = torch.Generator().manual_seed(0)
            v = torch.randn(a.shape, dtype=a.dtype, generator=draw, device="cpu").to(a.device)
            (slope,) = torch.autograd.grad(y, at, torch.ones_like(y), retain_graph=True)
            (along,) = torch.autograd.grad(y, at, v)
            rounding = max(1e-9 * float(along.abs().max()), _CANCELLED * float(v.abs().max()))
            elementwise = bool((along - v * slope).abs().max() <= rounding)
    if not elementwise:
        raise TypeError(
            f"stack: expected nn.Linear and modules that act on each unit by itself, got {type(module).__name__} "
            f"{name!r}, which does not; cut the stack around it (batch norm: call stack.eval())"
        )
    return y.detach(), slope


def _bound(f: nn.Module) -> float | None:
    return _BOUNDS.get(type(f), lambda _: None)(f)


def _product(factors: list[float | None]) -> float | None:
    known = [each for each in factors if each is not None]
    return math.prod(known, start=1.0) if len(known) == len(factors) else None


def _log10_bounds(factors: list[float | None]) -> tuple[float | None, ...]:
    bounds: list[float | None] = [0.0]
    for each in reversed(factors):
        above = bounds[-1]
        bounds.append(None if above is None or each is None else above + (math.log10(each) if each else -math.inf))
    return tuple(reversed(bounds))


def _log10_quarters(groups: list[LayerGroup]) -> tuple[float, ...]:
    kinds = [[type(f) for _, f in activations if not isinstance(f, _SILENT)] for _, _, activations in groups]
    if {kind for each in kinds for kind in each} != {nn.Sigmoid}:
        return ()
    return tuple(math.log10(0.25) * sum(len(each) for each in kinds[layer:]) for layer in range(len(groups) + 1))


def _norms(weights: list[Tensor], slopes: list[Tensor]) -> tuple[float, ...]:
    """log10 of the mean over rows of ‖∂h_L/∂h_l‖₂ for l = 0 … L, rows in blocks that fit in memory."""
    B, out = slopes[-1].shape
    rows = max(1, _BLOCK // (out * max(max(W.shape) for W in weights)))
    logs = torch.cat([_block_norms(weights, [s[at : at + rows] for s in slopes]) for at in range(0, B, rows)], dim=1)
    return _log10_mean(logs)


def _block_norms(weights: list[Tensor], slopes: list[Tensor]) -> Float[Tensor, "L1 B"]:
    B, out = slopes[-1].shape
    P = torch.eye(out, dtype=torch.float64, device=slopes[-1].device).expand(B, out, out)
    log_scale = P.new_zeros(B)
    logs = [log_scale]
    for W, slope in zip(reversed(weights), reversed(slopes), strict=True):
        P = P * slope.unsqueeze(1) @ W
        P, log_scale = _rescaled(P, log_scale)
        square = P @ P.mT if out <= P.shape[-1] else P.mT @ P
        logs.append(log_scale + torch.linalg.eigvalsh(square)[:, -1].clamp(min=0.0).log() / 2)
    return torch.stack(logs[::-1])


def _gradients(weights: list[Tensor], slopes: list[Tensor], error: Tensor) -> tuple[float, ...]:
    """log10 of the mean over rows of ‖δ_l‖ for l = 0 … L."""
    delta, log_scale = _rescaled(error, error.new_zeros(len(error)))
    logs = [log_scale + torch.linalg.vector_norm(delta, dim=1).log()]
    for W, slope in zip(reversed(weights), reversed(slopes), strict=True):
        delta, log_scale = _rescaled(delta * slope @ W, log_scale)
        logs.append(log_scale + torch.linalg.vector_norm(delta, dim=1).log())
    return _log10_mean(torch.stack(logs[::-1]))


def _rescaled(each: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
    """Every row's largest entry brought to 1, what that takes added to its scale; rows of zeros as they are."""
    size = each.flatten(1).abs().amax(1)
    size = torch.where(size > 0, size, 1.0)
    return each / size.view(-1, *[1] * (each.dim() - 1)), log_scale + size.log()


def _log10_mean(logs: Float[Tensor, "L1 B"]) -> tuple[float, ...]:
    return tuple(((logs.logsumexp(1) - math.log(logs.shape[1])) / math.log(10)).tolist())


def _check(stack: nn.Sequential, groups: list[LayerGroup], x: Tensor) -> None:
    check_weights(stack)
    if x.dim() == 0 or x.shape[0] == 0:
        raise ValueError(f"x: expected at least one row, got shape {tuple(x.shape)}; pass a batch (B, I)")
    for name, linear, _ in groups:
        for what in ("dtype", "device"):
            given, own = getattr(x, what), getattr(linear.weight, what)
            if given != own:
                raise ValueError(f"x: expected {what} {own}, that of Linear {name!r}, got {given}; convert one of them")
    if not bool(x.isfinite().all()):
        raise ValueError("x: expected finite numbers, got NaN or inf; clean the data first")


def _checked_error(error: Tensor | None, h: Tensor) -> Tensor:
    if error is None:
        return torch.ones_like(h)
    if error.shape != h.shape:
        raise ValueError(f"error: expected the output's shape {tuple(h.shape)}, got {tuple(error.shape)}; give ∂L/∂h_L")
    if error.device != h.device or not bool(error.isfinite().all()):
        raise ValueError(
            f"error: expected finite numbers on {h.device}, got {int((~error.isfinite()).sum())} that are not finite, "
            f"on {error.device}; take the gradient from a sound step"
        )
    return error.double()

"""Orthogonal recurrent weights for stock layers, by torch's own parametrization: any optimizer, any training loop.

W = B C(A) for each gate's (H, H) block, where B is orthogonal and fixed, A skew-symmetric and learned, and C the Cayley
transform. So the optimizer moves freely, and W is orthogonal whatever it does (Helfrich et al. 2018; B as in
Lezcano-Casado 2019). Two of Newton's steps to the nearest orthogonal matrix take off the rounding of C, which grows
with A: in float32 ‖WᵀW − 1‖₂ stays under 1e-5 at H = 200 with entries of A up to 1e4.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gradreach.remedies.polar import orthogonalise_

Layer = TypeVar("Layer", bound=nn.Module)


def orthogonal(layer: Layer) -> Layer:
    """Keep every gate's block of W_hh of a stock layer orthogonal through training, in place; returns the layer.

    Each block becomes the nearest orthogonal matrix at once; one that is orthogonal already stays what it is. It takes
    nn.RNN, nn.GRU, nn.LSTM (all layers and directions) and their cells. The parameter is the same object as before and
    now holds A: make the optimizer after this call, or its momenta are those of another parameter. Weight decay pulls
    W towards B, never off the orthogonal matrices. The state_dict has parametrizations.weight_hh_l0.original and
    ….0.base in place of weight_hh_l0, so load that of a stock layer before the call. `layer.weight_hh_l0` reads W, and
    takes a new one. Assign it: nn.init on it, or any writing into it, changes only a copy.

    A layer computes W once a call; a cell at every step, or once under `with torch.nn.utils.parametrize.cached():`.
    Undo with torch.nn.utils.parametrize.remove_parametrizations(layer, "weight_hh_l0"). A second call does nothing.

    >>> import torch, gradreach as gr
    >>> lstm = gr.orthogonal(torch.nn.LSTM(8, 16))
    >>> W_f = lstm.weight_hh_l0[16:32]
    >>> torch.allclose(W_f.T @ W_f, torch.eye(16), atol=1e-5)
    True

    Raises TypeError for other modules, ValueError for an LSTM with proj_size and for a W_hh with another
    parametrization.
    """
    if not isinstance(layer, nn.RNNBase | nn.RNNCellBase):
        raise TypeError(
            f"layer: expected nn.RNN, nn.GRU, nn.LSTM or a cell of these, got {type(layer).__name__}; "
            "pass the recurrent layer itself, as in gr.orthogonal(model.rnn)"
        )
    if hasattr(layer, "remedies"):
        raise TypeError(
            f"layer: expected a layer of torch.nn, got gr.nn.{type(layer).__name__}; make it with orthogonal=True"
        )
    names = _recurrent_weights(layer)
    if all(_is_ours(layer, name) for name in names):
        return layer
    _check(layer, names)
    first = not parametrize.is_parametrized(layer)
    for name in names:
        parametrize.register_parametrization(layer, name, OrthogonalBlocks(getattr(layer, name)))
    if first:
        _make_copyable(layer)
    if isinstance(layer, nn.RNNBase):
        layer.register_forward_pre_hook(_before_call)
        layer.register_forward_hook(_after_call, always_call=True)
    return layer


class OrthogonalBlocks(nn.Module):
    """The parametrization of one W_hh: from any (G·H, H) matrix to one with orthogonal blocks."""

    base: Tensor
    """B, (G, H, H)."""

    def __init__(self, W: Float[Tensor, "GH H"]) -> None:
        super().__init__()
        self.register_buffer("base", W.detach().clone().unflatten(0, (-1, W.shape[1])))

    def forward(self, X: Float[Tensor, "GH H"]) -> Float[Tensor, "GH H"]:
        """W, made of the strictly lower triangles of X's blocks, in float32 at least, also under autocast."""
        dtype = torch.float64 if X.dtype == torch.float64 else torch.float32
        with torch.autocast(X.device.type, enabled=False):
            lower = X.to(dtype).unflatten(0, self.base.shape[:2]).tril(-1)
            half_A = (lower - lower.mT) / 2
            eye = torch.eye(X.shape[1], dtype=dtype, device=X.device).expand_as(half_A)
            C, _ = torch.linalg.solve_ex(eye - half_A, eye + half_A)  # never singular; NaN stays NaN, for others to see
            W = self.base.to(dtype) @ C
            for _ in range(2):
                W = torch.baddbmm(W, W, W.mT @ W - eye, alpha=-0.5)
        blocks: Tensor = W.flatten(0, 1).to(X.dtype)
        return blocks

    @torch.no_grad()
    def right_inverse(self, W: Float[Tensor, "GH H"]) -> Float[Tensor, "GH H"]:
        """A = 0 at B = the nearest W with orthogonal blocks."""
        exact = W.detach().to(torch.promote_types(W.dtype, torch.float32), copy=True)
        orthogonalise_(exact)
        self.base = exact.to(W.dtype).unflatten(0, self.base.shape[:2])
        return torch.zeros_like(W)


def _recurrent_weights(layer: nn.Module) -> list[str]:
    known = layer._flat_weights_names if isinstance(layer, nn.RNNBase) else ["weight_hh"]
    return [name for name in known if name.startswith("weight_hh")]


def _is_ours(layer: nn.Module, name: str) -> bool:
    return parametrize.is_parametrized(layer, name) and any(
        isinstance(each, OrthogonalBlocks)
        for each in layer.parametrizations[name]  # type: ignore[index]
    )


def _check(layer: nn.Module, names: list[str]) -> None:
    if getattr(layer, "proj_size", 0):
        raise ValueError(f"layer: expected proj_size=0, got {layer.proj_size}: W_hh is not square; leave it out")
    taken = [name for name in names if parametrize.is_parametrized(layer, name)]
    if taken:
        raise ValueError(
            f"layer: expected {taken[0]} without a parametrization, got {layer.parametrizations[taken[0]]}; "  # type: ignore[index]
            "take it off with torch.nn.utils.parametrize.remove_parametrizations first"
        )


def _before_call(layer: nn.RNNBase, *_: Any) -> None:
    """Compute each W once, and hand torch's kernel the very tensors of this call.

    RNNBase keeps a list of its weights. It would renew the list by itself, but computes W four times for it, and on a
    GPU moves all weights to one stretch of memory at every call, which spoils those that an earlier call keeps for its
    backward pass.
    """
    if not parametrize.is_parametrized(layer):
        return
    cached = parametrize.cached()
    cached.__enter__()
    layer.__dict__["_cached"] = cached
    weights = [getattr(layer, name) for name in layer._flat_weights_names]
    layer._flat_weights, layer._flat_weight_refs = weights, [weakref.ref(weight) for weight in weights]


def _after_call(layer: nn.RNNBase, *_: Any) -> None:
    cached = layer.__dict__.pop("_cached", None)
    if cached is not None:
        cached.__exit__(None, None, None)
        weights: list[Any] = layer._flat_weights  # a part of a graph in it could be neither copied nor freed
        layer._flat_weights = [weight if weight.is_leaf else weight.detach() for weight in weights]


def _make_copyable(layer: nn.Module) -> None:
    """Undo what torch does to a parametrized layer's own class: it refuses to be pickled, and copies share it."""
    own: Any = type(layer)
    own.__reduce_ex__ = _reduce
    if "__deepcopy__" in vars(own):
        del own.__deepcopy__


def _reduce(layer: nn.Module, _protocol: int) -> tuple[Callable[..., nn.Module], tuple[Any, ...]]:
    """Pickle as a stock layer whose W_hh are the originals, beside the fixed factors B."""
    lists: Any = layer.parametrizations
    if not all(_is_ours(layer, name) and len(lists[name]) == 1 for name in lists):
        raise RuntimeError(
            f"{type(layer).__name__}: expected no other parametrization beside gr.orthogonal's to copy or pickle the "
            f"layer, got {', '.join(lists)}; use state_dict()"
        )
    state = {name: value for name, value in layer.__dict__.items() if not name.startswith("_flat_weight")}
    state["_parameters"] = {**layer._parameters, **{name: lists[name].original for name in lists}}
    state["_modules"] = {name: module for name, module in layer._modules.items() if name != "parametrizations"}
    if isinstance(layer, nn.RNNBase):
        state["_flat_weights_names"] = layer._flat_weights_names
    bases = {name: lists[name][0].base for name in lists}
    return _made_again, (parametrize.type_before_parametrizations(layer), state, bases)


def _made_again(kind: type[nn.Module], state: dict[str, Any], bases: dict[str, Tensor]) -> nn.Module:
    layer = kind.__new__(kind)
    layer.__dict__.update(state)
    if isinstance(layer, nn.RNNBase):
        layer._init_flat_weights()
    for name, base in bases.items():
        original = getattr(layer, name).detach().clone()
        parametrize.register_parametrization(layer, name, OrthogonalBlocks(base.flatten(0, 1)))
        parametrization: Any = layer.parametrizations[name]  # type: ignore[index]
        parametrization[0].base = base
        with torch.no_grad():
            parametrization.original.copy_(original)
    _make_copyable(layer)
    return layer


# a whole layer is saved with these, and torch.load(weights_only=True) asks whether they are allowed
torch.serialization.add_safe_globals([OrthogonalBlocks, _made_again, _before_call, _after_call])

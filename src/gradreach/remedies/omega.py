"""Pascanu's regularizer Ω, by which an error keeps its norm on its way back in time (Pascanu et al. 2013)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_map_only

from gradreach.engine.adjoint import LayerAdjoint, backward
from gradreach.engine.cells.cell import pull
from gradreach.engine.cells.registry import cell_of
from gradreach.engine.replay import replay
from gradreach.engine.scan import UNREMEDIED, Unroll


@dataclass(frozen=True)
class _LayerCall:
    """The arguments of one call; the backward pass fills `errors`, numbered as what it returned: y, h_n, c_n."""

    x: Tensor | PackedSequence
    hx: Any
    generator: Tensor | None
    versions: tuple[int, ...]
    errors: dict[int, Tensor] = field(default_factory=dict)


class Omega:
    """Adds the gradient of strength · Ω to a recurrent layer's W_hh, once a step and after its backward pass.

    Ω = 1/n Σ_{k,b} (‖(∂h_{k+1}/∂h_k)ᵀ δ_{k+1}‖ / ‖δ_{k+1}‖ − 1)², over the rows b and k = 1 … T − 1, δ = ∂L/∂h (Pascanu
    et al. 2013, eq. 9). The paper sums over k; here Ω is the mean over the n pairs (k, b) of all layers, directions and
    calls together, so that `strength` does not depend on T and B. Pairs whose δ_{k+1} is 0, or too small to have a
    direction in its dtype, are left out. As in eq. 10 the gradient takes W_hh where it stands in ∂h_{k+1}/∂h_k and
    nowhere else (∂⁺): δ and the states, and with them σ′, are constants. The paper's state comes before the activation
    and torch's h after it, so that σ′(a_{k+1}) is the factor here. It is likewise for GRU and LSTM: their gates are
    constants, and the state of an LSTM is (h, c).

    `layer` is nn.RNN, nn.GRU, nn.LSTM or the gr.nn layer of that name without skip. The training changes only by what
    add_gradient() adds. A loss that is scaled needs scaler.unscale_(optimizer) before it. Among several processes each
    adds its own gradient, so average it before the step. A second Omega on a layer adds its own as well. Close it
    before a model is saved whole, since torch.load(weights_only=True) refuses an open one.

    >>> import torch, gradreach as gr
    >>> rnn = torch.nn.RNN(4, 16)
    >>> omega = gr.Omega(rnn, strength=2.0)
    >>> rnn(torch.randn(20, 8, 4))[0][-1].square().sum().backward()
    >>> value = omega.add_gradient()  # Ω, a 0-d tensor; then the optimizer's step
    >>> bool(value > 0)
    True
    >>> omega.close()

    Raises TypeError for other modules, ValueError for a negative strength, a layer with skip, or one without a W_hh.
    """

    def __init__(self, layer: nn.Module, strength: float = 1.0) -> None:
        if not isinstance(layer, nn.RNNBase):
            raise TypeError(
                f"layer: expected nn.RNN, nn.GRU or nn.LSTM, got {type(layer).__name__}; "
                "pass the recurrent layer itself; for cells use the layer of that kind"
            )
        if not strength >= 0:
            raise ValueError(f"strength: expected a number of at least 0, got {strength}")
        if getattr(layer, "remedies", UNREMEDIED).skip:
            raise ValueError(
                "layer: expected one without skip, whose gradient has one path a step; drop one of the two"
            )
        if not cell_of(layer).kind.hidden:
            raise ValueError(f"layer: expected one with a W_hh, which Ω is of, got {type(layer).__name__}, without one")
        self.layer, self.strength = layer, strength
        self._generator: Tensor | None = None
        self._calls: list[_LayerCall] = []
        self._handles = (
            layer.register_forward_pre_hook(self._before_call, prepend=True),
            layer.register_forward_hook(self._after_call, prepend=True, with_kwargs=True),
        )

    @torch.no_grad()
    def add_gradient(self) -> Float[Tensor, ""]:
        """Add strength · ∂⁺Ω/∂W_hh to the gradients of W_hh and return Ω, on their device and without waiting for it.

        Counts the calls whose results got a gradient since the last time; Ω is 0 and nothing is added where none did.
        Raises RuntimeError where dropout between the layers of a call cannot be drawn again: on a GPU.
        """
        calls, self._calls = self._calls, []
        now = self._versions()
        terms = [term for call in calls if call.versions == now for term in self._terms(call)]
        for call in calls:
            call.errors.clear()
        if not terms:
            return next(self.layer.parameters()).new_zeros(())
        n = torch.stack([term.count for term in terms]).sum().clamp(min=1)
        for name in {term.name for term in terms}:
            gradient = torch.stack([term.gradient for term in terms if term.name == name]).sum(0)
            self._add("weight_hh" + name, gradient * (self.strength / n))
        return torch.stack([term.total for term in terms]).sum() / n

    def close(self) -> None:
        """Let go of the layer."""
        for handle in self._handles:
            handle.remove()
        self._calls.clear()

    def __enter__(self) -> Omega:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _before_call(self, layer: nn.RNNBase, _: Any) -> None:
        draws = layer.dropout > 0 and layer.training and layer.num_layers > 1
        self._generator = torch.get_rng_state() if draws else None

    def _after_call(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], returned: Any) -> None:
        arguments = {**dict(zip(("input", "hx"), args, strict=False)), **kwargs}
        y, states = returned
        results = (
            y.data if isinstance(y, PackedSequence) else y,
            *(states if isinstance(states, tuple) else (states,)),
        )
        if not any(result.requires_grad for result in results):
            return
        versions = self._versions()
        self._calls = [call for call in self._calls if call.versions == versions]
        call = _LayerCall(_detached(arguments["input"]), _detached(arguments.get("hx")), self._generator, versions)
        for place, result in enumerate(results):
            if result.requires_grad:
                result.register_hook(lambda error, place=place: self._add_error(call, place, error))

    def _add_error(self, call: _LayerCall, place: int, error: Tensor | None) -> None:
        if error is None:  # the loss uses another of an LSTM's results
            return
        if not call.errors:
            self._calls.append(call)
        known = call.errors.get(place)
        call.errors[place] = error.detach() if known is None else known + error.detach()

    def _versions(self) -> tuple[int, ...]:
        """The weights' versions, which change with every update; a call from before one had other weights."""
        return tuple(parameter._version for parameter in self.layer.parameters())

    def _terms(self, call: _LayerCall) -> Iterator[_Term]:
        played = replay(self.layer, call.x, call.hx, generator_state=call.generator)
        if played.why_inexact:
            raise RuntimeError(
                f"layer: expected a call that can be run again, but {played.why_inexact}; "
                "make the layer with dropout=0, and layers of one each with nn.Dropout between"
            )
        adjoints = backward(played, *(call.errors.get(place) for place in range(3)))
        with torch.autocast(adjoints[0].delta.device.type, enabled=False):
            yield from map(_term, played.unrolls, adjoints, played.names)

    def _add(self, name: str, gradient: Tensor) -> None:
        if not is_parametrized(self.layer, name):
            _accumulate(getattr(self.layer, name), gradient)
            return
        with torch.enable_grad():
            weight = getattr(self.layer, name)
            originals = [p for p in self.layer.parametrizations[name].parameters() if p.requires_grad]  # type: ignore[index, union-attr]
            parts = torch.autograd.grad(weight, originals, gradient.to(weight)) if originals else ()
        for original, part in zip(originals, parts, strict=True):
            _accumulate(original, part)


@dataclass(frozen=True)
class _Term:
    """One layer's and direction's part of one call: Σ (ratio − 1)², its ∂⁺ by W_hh, and the number of pairs."""

    name: str
    total: Float[Tensor, ""]
    gradient: Float[Tensor, "GH P"]
    count: Float[Tensor, ""]


def _term(run: Unroll, adjoint: LayerAdjoint, name: str) -> _Term:
    """g the adjoint of W_hh h_k, u = W_hhᵀ g + constants: ∂⁺(‖u‖/‖δ‖ − 1)² = 2 (‖u‖/‖δ‖ − 1) / (‖u‖ ‖δ‖) g ⊗ u."""
    delta = run.in_data_order(adjoint.delta)[1:]
    delta_c = None if adjoint.delta_c is None else run.in_data_order(adjoint.delta_c)[1:]
    size = delta.abs().amax(-1, keepdim=True)
    if delta_c is not None:
        size = torch.maximum(size, delta_c.abs().amax(-1, keepdim=True))
    real = torch.finfo(size.dtype)
    steps = torch.arange(1, len(delta) + 1, device=delta.device)
    counts = (size > real.tiny / real.eps) & size.isfinite() & (steps.unsqueeze(1) > run.starts).unsqueeze(-1)
    scale = torch.where(counts, size, 1.0)  # so that no square underflows
    delta = torch.where(counts, delta / scale, 0.0)
    delta_c = None if delta_c is None else torch.where(counts, delta_c / scale, 0.0)
    g, u, u_c = pull(run.cell, run.weights, run.slopes.each(lambda s: s[1:]), delta, delta_c)
    before = _norm(delta, delta_c)
    after = _norm(u, u_c)
    off = torch.where(counts, after / before - 1, 0.0)
    factor = torch.where(counts & (after > 0), 2 * off / (after * before), 0.0)
    gradient = (g.flatten(2) * factor).flatten(0, 1).t() @ u.flatten(0, 1)
    return _Term(name, off.square().sum(), gradient, counts.sum().to(gradient.dtype))


def _norm(h: Tensor, c: Tensor | None) -> Float[Tensor, "T B 1"]:
    size: Tensor = torch.linalg.vector_norm(h, dim=-1, keepdim=True)
    return size if c is None else torch.hypot(size, torch.linalg.vector_norm(c, dim=-1, keepdim=True))


def _accumulate(parameter: Tensor, gradient: Tensor) -> None:
    if not parameter.requires_grad:
        return
    gradient = gradient.to(parameter)
    parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)


def _detached(value: Any) -> Any:
    """A tensor, a PackedSequence or a state, without its graph; a state in a list becomes a tuple."""
    return tree_map_only(Tensor, Tensor.detach, tuple(value) if isinstance(value, list) else value)

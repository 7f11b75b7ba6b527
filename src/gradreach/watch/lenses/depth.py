"""Through depth: what each leaf module puts out and what gradient comes back, on one watched step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.engine.norms import each_norm, to_host
from gradreach.record.schema import DepthLook
from gradreach.watch.graph import Graph, mark, nearest
from gradreach.watch.models import Models, own_parameters

SATURATED_SLOPE = 0.05
"""An activation is saturated where its slope is under this share of its largest (1 for tanh, 1/4 for logistic)."""


@dataclass
class _Seen:
    """What one module showed over its calls; 0-d tensors stay on their device until the step is over."""

    module: nn.Module
    order: int
    calls: int = 0
    activations: list[Tensor] = field(default_factory=list)
    activation_count: int = 0
    gradients: list[Tensor] = field(default_factory=list)
    gradient_count: int = 0
    activation: str = ""
    saturated: list[Tensor] = field(default_factory=list)
    alive: Tensor | None = None
    rows: int = 0


class Depth:
    """Collects leaf modules in execution order while a watched step runs."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}
        self.recording = False

    def called(self, module: nn.Module, output: Any) -> None:
        """Take in one call of a leaf module; its gradient follows by a hook on the graph's node, not on the tensor."""
        tensor = first_tensor(output)
        if tensor is None or not tensor.is_floating_point() or tensor.dim() == 0:  # a loss is no layer
            return
        seen = self._seen.setdefault(id(module), _Seen(module, len(self._seen)))
        seen.calls += 1
        seen.activations.append(_norm(tensor))
        seen.activation_count += tensor.numel()
        node = tensor.grad_fn
        if node is not None:
            mark(node, self, seen)
            node.register_prehook(self._hook(seen, tensor.output_nr))

    def read_activations(self, graph: Graph) -> None:
        """Before backward: the slopes of tanh, logistic and ReLU, called as modules or as functions alike."""
        for node, kind in graph.activations():
            seen = nearest(node, self)
            if seen is not None:
                try:
                    _take_activation(seen, kind, node._saved_result)
                except RuntimeError:  # overwritten in place by the script
                    continue

    def looks(self, models: Models, scale: float) -> tuple[DepthLook, ...]:
        """What was seen, in execution order, without the update that is still to come."""
        return tuple(_look(seen, models.path(seen.module), scale) for seen in self._seen.values())

    def add_silent(self, models: Models, leaves: Sequence[Tensor]) -> None:
        """Take in modules whose calls were not seen though their weights got a gradient: compiled, or used directly.

        The weights' figures are all there is of them; they stand behind the others.
        """
        reached = {id(leaf) for leaf in leaves}
        for root in models:
            for module in root.modules():
                if any(id(p) in reached for p in own_parameters(module)):
                    self._seen.setdefault(id(module), _Seen(module, len(self._seen)))

    def modules(self) -> list[nn.Module]:
        """The modules seen so far."""
        return [seen.module for seen in self._seen.values()]

    def _hook(self, seen: _Seen, index: int) -> Any:
        def gradient_arrives(gradients: tuple[Tensor | None, ...]) -> None:
            gradient = gradients[index]
            if self.recording and gradient is not None:
                seen.gradients.append(_norm(gradient))
                seen.gradient_count += gradient.numel()

        return gradient_arrives


def first_tensor(output: Any) -> Tensor | None:
    """The first tensor of a module's output: itself, the data of a packed sequence, the first of a tuple or dict."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, dict):
        output = tuple(output.values())
    if isinstance(output, (tuple, list)):
        return next((tensor for item in output if (tensor := first_tensor(item)) is not None), None)
    return None


@torch.no_grad()
def _norm(tensor: Tensor) -> Tensor:
    return each_norm([tensor])[0]


@torch.no_grad()
def _take_activation(seen: _Seen, kind: str, result: Tensor) -> None:
    seen.activation = kind
    if kind == "relu":
        unit = 1 if result.dim() >= 4 else result.dim() - 1
        positive = (result > 0).movedim(unit, -1).flatten(0, -2).any(0) if result.dim() > 1 else result > 0
        seen.rows += result.numel() // max(positive.numel(), 1)
        same = seen.alive is not None and seen.alive.shape == positive.shape
        seen.alive = seen.alive | positive if same and seen.alive is not None else positive
    else:
        slope = 1 - result * result if kind == "tanh" else 4 * result * (1 - result)
        seen.saturated.append((slope < SATURATED_SLOPE).float().mean())


def _look(seen: _Seen, path: str, scale: float) -> DepthLook:
    parameters = own_parameters(seen.module)
    weights = to_host(each_norm(parameters)) if parameters else []
    gradients = to_host(each_norm([p.grad for p in parameters if p.grad is not None]))
    return DepthLook(
        module=path,
        kind=type(seen.module).__name__,
        order=seen.order,
        calls=seen.calls,
        activation_rms=_rms(seen.activations, seen.activation_count),
        grad_rms=_rms(seen.gradients, seen.gradient_count, scale),
        activation=seen.activation,
        saturated=_mean(to_host(seen.saturated)) if seen.saturated else None,
        dead=1.0 - float(seen.alive.float().mean()) if seen.alive is not None else None,
        units=seen.alive.numel() if seen.alive is not None else 0,
        rows=seen.rows,
        parameters=sum(p.numel() for p in parameters),
        weight_norm=_root_sum(weights),
        weight_grad_norm=_scaled(_root_sum(gradients), scale),
    )


def _rms(norms: list[Tensor], count: int, scale: float = 1.0) -> float | None:
    total = _root_sum(to_host(norms))
    return None if total is None or not count else total / count**0.5 / scale


def _root_sum(norms: list[float]) -> float | None:
    return sum(norm * norm for norm in norms) ** 0.5 if norms else None


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value / scale

"""Through depth: what each leaf module puts out and what gradient comes back, on one watched step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn

from gradreach.engine.norms import each_norm, to_host
from gradreach.record.look import Look
from gradreach.record.seen.depth import DepthLook
from gradreach.watch.graph import Graph, maker, mark, nearest, on_gradient
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.models import modules_of, own_parameters
from gradreach.watch.tensors import first_tensor, is_dense_and_real, is_measurable

SATURATED_SLOPE = 0.05
"""An activation is saturated where its slope is under this share of its largest (1 for tanh, 1/4 for logistic)."""


@dataclass
class _ModuleFigures:
    """What one module showed over its calls. The 0-d tensors stay on their device until the step is over."""

    module: nn.Module
    calls: int = 0
    activations: list[Tensor] = field(default_factory=list)
    activation_count: int = 0
    gradients: list[Tensor] = field(default_factory=list)
    gradient_count: int = 0
    activation: str = ""
    saturated: list[Tensor] = field(default_factory=list)
    alive: Tensor | None = None
    rows: int = 0


class Depth(Lens):
    """Collects the leaf modules in execution order."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._modules: dict[int, _ModuleFigures] = {}

    def called(self, call: ModuleCall) -> None:
        """Take in one call of a leaf module, or of one with parameters of its own."""
        module = call.module
        if not call.of_model or (module._modules and next(module.parameters(recurse=False), None) is None):
            return
        tensor = first_tensor(call.output)
        if tensor is None or not tensor.is_floating_point() or tensor.dim() == 0:  # a loss is no layer
            return
        figures = self._figures(module)
        if self.step.is_recording and figures.calls:  # a checkpoint makes anew what was seen in the forward pass
            return
        figures.calls += 1
        if not is_dense_and_real(tensor):
            return
        figures.activations.append(_norm(tensor))
        figures.activation_count += tensor.numel()
        node = maker(tensor)
        if node is not None:
            mark(node, self, figures)
            take = partial(self._take_gradient, figures)
            on_gradient(node, tensor.output_nr, take, self.step.own_work)

    def before_backward(self, backward: BackwardPass) -> None:
        """Read the slopes of tanh, logistic and ReLU from the graph, called as modules or as functions alike."""
        if not self.step.is_stored_elsewhere:  # else reading would make anew what was dropped
            self._read_activations(backward.graph)

    def look(self, look: Look) -> Look:
        """The look's `depth`: what was seen, without the update that is still to come.

        In the order of the first calls, those under no_grad too: a reentrant checkpoint runs its modules so, and runs
        them again in the backward pass, the last first.

        Modules whose calls were not seen though their weights got a gradient (compiled, or used directly) stand behind
        the others, with the figures of their weights alone.
        """
        reached = {id(leaf) for leaf in self.step.leaves}
        for root in self.step.models:
            for _, module in modules_of(root):
                if any(id(p) in reached for p in own_parameters(module)):
                    self._figures(module)
        last = len(self.step.called)
        ordered = sorted(self._modules.values(), key=lambda each: self.step.called.get(id(each.module), last))
        self.step.modules = [figures.module for figures in ordered]
        paths = (self.step.models.path(module) for module in self.step.modules)
        each = enumerate(zip(ordered, paths, strict=True))
        return replace(look, depth=tuple(_look(figures, n, path, self.step.scale) for n, (figures, path) in each))

    def _figures(self, module: nn.Module) -> _ModuleFigures:
        return self._modules.setdefault(id(module), _ModuleFigures(module))

    def _take_gradient(self, figures: _ModuleFigures, gradient: Tensor) -> None:
        if self.step.is_recording:
            figures.gradients.append(_norm(gradient))
            figures.gradient_count += gradient.numel()

    def _read_activations(self, graph: Graph) -> None:
        for node, kind in graph.activations():
            figures = nearest(node, self)
            if figures is not None:
                try:
                    result = node._saved_result
                except RuntimeError:  # overwritten in place by the script
                    continue
                if is_dense_and_real(result):
                    _take_activation(figures, kind, result)


@torch.no_grad()
def _norm(tensor: Tensor) -> Tensor:
    return each_norm([tensor])[0]


@torch.no_grad()
def _take_activation(figures: _ModuleFigures, kind: str, result: Tensor) -> None:
    if not result.numel():  # an expert that no row went to
        return
    figures.activation = kind
    if kind == "relu":
        unit = 1 if result.dim() >= 4 else result.dim() - 1
        positive = (result > 0).movedim(unit, -1).flatten(0, -2).any(0) if result.dim() > 1 else result > 0
        figures.rows += result.numel() // max(positive.numel(), 1)
        same = figures.alive is not None and figures.alive.shape == positive.shape
        figures.alive = figures.alive | positive if same and figures.alive is not None else positive
    else:
        slope = 1 - result * result if kind == "tanh" else 4 * result * (1 - result)
        figures.saturated.append((slope < SATURATED_SLOPE).float().mean())


def _look(figures: _ModuleFigures, order: int, path: str, scale: float) -> DepthLook:
    parameters = own_parameters(figures.module)
    weights = to_host(each_norm([p for p in parameters if is_measurable(p)]))
    gradients = to_host(each_norm([p.grad for p in parameters if p.grad is not None and is_measurable(p.grad)]))
    return DepthLook(
        module=path,
        kind=type(figures.module).__name__,
        order=order,
        calls=figures.calls,
        activation_rms=_rms(figures.activations, figures.activation_count),
        grad_rms=_rms(figures.gradients, figures.gradient_count, scale),
        activation=figures.activation,
        saturated=_mean(to_host(figures.saturated)) if figures.saturated else None,
        dead=1.0 - float(figures.alive.float().mean()) if figures.alive is not None else None,
        units=figures.alive.numel() if figures.alive is not None else _width(figures.module),
        rows=figures.rows,
        parameters=sum(p.numel() for p in parameters),
        weight_norm=_root_sum(weights),
        weight_grad_norm=_scaled(_root_sum(gradients), scale),
    )


def _width(module: nn.Module) -> int:
    """How many units a linear layer or a convolution has; 0 for other modules."""
    width = getattr(module, "out_features", getattr(module, "out_channels", 0))
    return width if isinstance(width, int) else 0


def _rms(norms: list[Tensor], count: int, scale: float = 1.0) -> float | None:
    total = _root_sum(to_host(norms))
    return None if total is None or not count else total / count**0.5 / scale


def _root_sum(norms: list[float]) -> float | None:
    return sum(norm * norm for norm in norms) ** 0.5 if norms else None


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value / scale

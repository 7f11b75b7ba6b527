"""Whether the units of a layer are copies of one another: the same incoming weights, and the same gradient of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gradreach.engine.norms import to_host
from gradreach.record.look import Look
from gradreach.record.seen.weights import CopiedUnits
from gradreach.watch.graph import Node, is_leaf, operation, parents
from gradreach.watch.lens import BackwardPass, Lens, WatchedStep
from gradreach.watch.models import modules_of
from gradreach.watch.tensors import is_dense_and_real

SAME = 1e-4
"""Part of a unit's weights, and of its gradient, under which a difference between two units is rounding. That of random
weights is 1; that of copies came to 6e-7 in 1,500 steps of Adam."""


@dataclass(frozen=True, slots=True)
class _Units:
    """The weights that lead into the units of a layer: each tensor with the axis that its units lie along, and into how
    many blocks of units that axis falls, as gates do."""

    name: str
    module: str
    kind: str
    weights: tuple[tuple[Tensor, int, int], ...]


class Copies(Lens):
    """Compares the units of linear layers, convolutions, recurrences, attention, and of what a script multiplies by.

    Units that were once unlike stay so: their layer is asked no more.
    """

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._factors: dict[int, tuple[Tensor, int]] = {}

    def before_backward(self, backward: BackwardPass) -> None:
        """Note the weights that something is multiplied by, but for those nearest the loss: these make the output."""
        found: dict[int, tuple[Tensor, int]] = {}
        for node in backward.graph.nodes:
            if (factor := _factor(node)) is not None:
                found.setdefault(id(factor[0]), factor)
        self._factors = dict(list(found.items())[1:])

    @torch.no_grad()
    def look(self, look: Look) -> Look:
        """The look's `copied_units`."""
        unlike: set[str] = self.step.carried.setdefault(Copies, set())
        asked = (each for each in self._layers() if each.name not in unlike)
        layers = [each for each in asked if all(_has_gradient(weight) for weight, _, _ in each.weights)]
        sizes = [(each, _sizes(each)) for each in layers]
        figures = iter(to_host([figure for _, size in sizes for figure in size]))
        found = {each.name: _copied(each, *(next(figures) for _ in size)) for each, size in sizes}
        unlike |= {name for name, copied in found.items() if copied is None}
        self._factors = {}
        return replace(look, copied_units=tuple(each for each in found.values() if each is not None))

    def _layers(self) -> Iterator[_Units]:
        owned: set[int] = set()
        for root in self.step.models:
            for _, module in modules_of(root):
                path, kind = self.step.models.path(module), type(module).__name__
                for name, weights in _of_module(module):
                    new = tuple(each for each in weights if id(each[0]) not in owned)
                    owned |= {id(each[0]) for each in new}
                    if new == weights:
                        yield _Units(f"{path}.{name}", path, kind, weights)
        names = self.step.models.parameter_names()
        for weight, axis in self._factors.values():
            if id(weight) not in owned:
                bare = f"a weight of shape {tuple(weight.shape)}"
                name = names.get(id(weight), "")
                yield _Units(name or bare, name.rpartition(".")[0], "", ((weight, axis, 1),))


def _of_module(module: nn.Module) -> Iterator[tuple[str, tuple[tuple[Tensor, int, int], ...]]]:
    """The weights into each layer of units of a module of torch, by the name of the matrix."""
    own = {name: p for name, p in module._parameters.items() if p is not None}
    if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd)) and "weight" in own:
        axis = 1 if getattr(module, "transposed", False) else 0
        if axis == 0 or getattr(module, "groups", 1) == 1:
            yield "weight", ((own["weight"], axis, 1), *((own[name], 0, 1) for name in own if name == "bias"))
    elif isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        for name, weight in own.items():
            if name.startswith("weight_ih"):
                biases = (own.get(name.replace("weight_ih", kind)) for kind in ("bias_ih", "bias_hh"))
                blocks = weight.shape[0] // int(module.hidden_size)
                yield name, tuple((each, 0, blocks) for each in (weight, *biases) if each is not None)
    elif isinstance(module, nn.MultiheadAttention):
        bias = own.get("in_proj_bias")
        for name in ("in_proj_weight", "v_proj_weight"):
            if name in own and (name == "in_proj_weight" or bias is None):
                both = (own[name],) if bias is None else (own[name], bias)
                yield name, tuple((each, 0, 3 if name == "in_proj_weight" else 1) for each in both)


def _factor(node: Node) -> tuple[Tensor, int] | None:
    """The weight that a product of matrices is taken with, and the axis that its units lie along."""
    if operation(node) not in ("MmBackward0", "AddmmBackward0"):
        return None
    for (side, _), axis in zip(reversed(node.next_functions[-2:]), (1, 0), strict=True):
        turned = side is not None and operation(side) in ("TBackward0", "TransposeBackward0", "PermuteBackward0")
        end = next(iter(parents(side)), None) if turned else side
        if end is not None and is_leaf(end) and end.variable.dim() == 2:
            return end.variable, 1 - axis if turned else axis
    return None


def _has_gradient(weight: Tensor) -> bool:
    known = weight.requires_grad and weight.numel() > 0 and is_dense_and_real(weight)
    return known and weight.grad is not None and is_dense_and_real(weight.grad)


def _sizes(layer: _Units) -> list[Tensor]:
    """How many units there are, how many have a twin, how many differ, and whether any gradient is not 0."""
    weights, _ = _prints((weight, axis, blocks) for weight, axis, blocks in layer.weights)
    gradients, norms = _prints((w.grad, axis, blocks) for w, axis, blocks in layer.weights if w.grad is not None)
    order = torch.argsort(weights + math.sqrt(2) * gradients)
    alike = torch.ones(len(order) - 1, dtype=torch.bool, device=order.device)
    for each in (weights, gradients):
        alike &= each[order].diff().abs() <= SAME
    is_reached = norms > 0
    alike &= is_reached[order][1:] | ~is_reached.any()
    twins = torch.zeros(len(order), dtype=torch.bool, device=order.device)
    twins[1:] |= alike
    twins[:-1] |= alike
    return [torch.tensor(float(len(order))), twins.sum(), len(order) - alike.sum(), is_reached.any()]


def _prints(tensors: Iterable[tuple[Tensor, int, int]]) -> tuple[Tensor, Tensor]:
    """Of each unit a number that is the same for copies, as a part of the units' mean norm, and its norm."""
    sums, squares = [], []
    for at, (tensor, axis, blocks) in enumerate(tensors):
        units = tensor.detach().movedim(axis, 0)
        rows = units.reshape(blocks, units.shape[0] // blocks, -1).movedim(0, 1).flatten(1)
        rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
        place = torch.arange(rows.shape[1], device=rows.device, dtype=rows.dtype)
        sums.append(rows @ torch.cos(1.7 * place + 0.3 + at))
        squares.append(torch.linalg.vector_norm(rows, dim=1).square())
    norms = torch.stack(squares).sum(0).sqrt()
    return torch.stack(sums).sum(0) / norms.mean().clamp_min(torch.finfo(norms.dtype).tiny), norms


def _copied(layer: _Units, units: float, twins: float, different: float, is_reached: float) -> CopiedUnits | None:
    if units < 2 or twins < units:  # classes that no target is are alike, but not those that are targets
        return None
    return CopiedUnits(layer.name, layer.module, layer.kind, int(units), int(different), bool(is_reached))

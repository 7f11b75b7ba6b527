"""Normalisations that run over a single value each, and so put out nothing of what they are given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.depth import SingleValues
from gradreach.watch.graph import Node, maker, operation
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep

Found = tuple[nn.Module, str, tuple[int, ...]]
"""The module, its operation, and the shape of what goes in."""


class SingleValueNorms(Lens):
    """Reads the graph; and of modules without weights that are given the script's data, which have none, the call."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._found: list[Found] = []

    def called(self, call: ModuleCall) -> None:
        """Take in a normalisation of which no graph tells."""
        module, x = call.module, call.args[0] if call.args else None
        if not call.of_model or not isinstance(x, Tensor) or not isinstance(call.output, Tensor) or maker(call.output):
            return
        if isinstance(module, nn.LayerNorm) and prod(module.normalized_shape) == 1:
            self._found.append((module, "layer norm", tuple(x.shape)))
        if isinstance(module, nn.GroupNorm) and prod(x.shape[1:]) == module.num_groups:
            self._found.append((module, "group norm", tuple(x.shape)))

    def before_backward(self, backward: BackwardPass) -> None:
        """Find those that the loss was computed through."""
        self._found += self._in(backward.graph.nodes)

    def look(self, look: Look) -> Look:
        """The look's `single_values`."""
        path = self.step.models.path
        each = (SingleValues(path(module), type(module).__name__, name, shape) for module, name, shape in self._found)
        return replace(look, single_values=tuple({seen.module: seen for seen in each}.values()))

    def _in(self, nodes: tuple[Node, ...]) -> Iterator[Found]:
        for node in nodes:
            name = _over_one_value(node)
            module = self.step.spans.module_of(node._sequence_nr()) if name else None
            if module is not None:
                yield module, name, tuple(node._input_metadata[0].shape)


def _over_one_value(node: Node) -> str:
    """What kind of normalisation over a single value a node is; empty for other nodes."""
    kind = operation(node)
    if kind == "NativeLayerNormBackward0":
        return "layer norm" if prod(getattr(node, "_saved_normalized_shape", (0,))) == 1 else ""
    if kind == "NativeGroupNormBackward0":
        values = getattr(node, "_saved_C", 0) * getattr(node, "_saved_HxW", 0)
        return "group norm" if values == getattr(node, "_saved_group", -1) else ""
    return ""

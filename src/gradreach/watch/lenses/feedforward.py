"""Models without a recurrence: where their error arrives, step by step, and how far back the input still moves it.

What happens at one position is seen at the output of a leaf module, (B, T, d). How far it reaches is found by extra
backward passes over the script's own graph, from errors at a few steps to what embeds the input, before the script's
backward pass uses that graph up. They accumulate into no `.grad`.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import GradientEdge
from torch.nn.grad import conv1d_input

from gradreach.engine.curve import curve_from_norms, horizon
from gradreach.record.schema import Probe
from gradreach.watch.graph import Graph, Node, mark
from gradreach.watch.lenses.depth import first_tensor
from gradreach.watch.lenses.recurrent import unscaled
from gradreach.watch.samples.local_errors import Given, Residual, laid

MOST_ANCHORS = 4
MOST_CALLS = 20_000
WIDEST = 4096
"""A wider output (the scores of a large vocabulary) is passed over for the one before it."""

_HELD = 4
"""Of so many outputs the values are held until the graph tells which the loss came through."""

_NOT_RESIDUAL = (nn.Softmax, nn.LogSoftmax, nn.Softmax2d)
"""The gradient at a log-probability is the target itself, not what the model still gets wrong."""


@dataclass(frozen=True)
class _Axes:
    """How a step's sequences are laid out: B rows of T steps. `channels`: convolutions have time as the last axis."""

    B: int
    T: int
    batch_first: bool = True
    channels: bool = False

    def fit(self, shape: torch.Size) -> bool:
        """Whether an output of this shape can be laid out so."""
        return self.laid(torch.empty(shape, device="meta")) is not None

    def laid(self, x: Tensor) -> Tensor | None:
        """An output as (B, T, d), from (B, T, d), (T, B, d) or, as convolutions have it, (B, d, T or padded beyond)."""
        rows = laid(x, self.B, self.T, batch_first=self.batch_first)
        if rows is None and self.channels and x.shape[0] == self.B and x.shape[2] >= self.T:
            return x.transpose(1, 2)[:, : self.T]
        return rows

    def fed(self, output: _Output) -> Tensor | None:
        """The data that an output was computed from, (B, T, ·); not what is the same in every row, as positions are."""
        x, rows = output.data, None
        if x is None:
            return None
        if isinstance(output.module, nn.Conv1d):
            rows = x.transpose(1, 2)[:, -self.T :] if x.dim() == 3 and x.shape[2] >= self.T else None
        else:
            rows = laid(x, self.B, self.T, batch_first=self.batch_first)
        return None if rows is None or (self.B > 1 and bool((rows == rows[:1]).all())) else rows


@dataclass
class _Output:
    """One call of a leaf module; `data` is what it was given of the script's own."""

    module: nn.Module
    index: int
    shape: torch.Size
    tensor: weakref.ref[Tensor]
    value: Tensor | None
    data: Tensor | None


class Feedforward:
    """Collects the outputs of leaf modules while a watched step runs, by weak reference but for the last few."""

    def __init__(self) -> None:
        self._outputs: list[_Output] = []
        self._held: deque[_Output] = deque(maxlen=_HELD)
        self._mark = object()
        self._known: list[_Axes] = []
        self._inputs: Tensor | None = None
        self._convolves = self.stored_elsewhere = False
        self._axes = _Axes(0, 0)
        self._target: _Output | None = None
        self._first: _Output | None = None
        self._edges: list[GradientEdge] = []
        self._arrived: list[Tensor] = []

    def entering(self) -> None:
        """Before a call: where the graph's tensors are stored elsewhere, or made anew, a further pass has a price."""
        self.stored_elsewhere = self.stored_elsewhere or _saved_elsewhere()

    def called(self, module: nn.Module, args: tuple[Any, ...], output: Any, *, fed: bool) -> None:
        """Take in one call of any module; `fed` says that it was given data of the script's own."""
        x, y = next((each for each in args if isinstance(each, Tensor)), None), first_tensor(output)
        if y is None or len(self._outputs) >= MOST_CALLS:
            return
        if x is not None and x.dim() == 3 == y.dim():
            self._note_axes(module, x, y, fed)
        if module._modules or isinstance(module, _NOT_RESIDUAL) or y.grad_fn is None or y.dim() != 3:
            return
        if y.shape[-1] > WIDEST or not y.is_floating_point():
            return
        mark(y.grad_fn, (self._mark, y.output_nr), len(self._outputs))
        data = x.detach() if fed and x is not None and x.grad_fn is None else None
        seen = _Output(module, y.output_nr, y.shape, weakref.ref(y), y.detach(), data)
        self._outputs.append(seen)
        if len(self._held) == _HELD:
            self._held[0].value = None
        self._held.append(seen)

    def find(self, graph: Graph, given: Given) -> None:
        """Before backward: which output carries the error, and which embeds the input.

        The last output that the loss came through, where it is a sequence: after it nothing mixes the steps.
        """
        nodes = self._nodes(graph)
        reached = [(output, node) for output, node in zip(self._outputs, nodes, strict=True) if node is not None]
        if not reached or reached[-1][0].value is None:
            return
        target, node = reached[-1]
        for axes in self._possible(given):
            if axes.T < 2 or not axes.fit(target.shape):
                continue
            for output, first in reached[:-1]:
                inputs = axes.fed(output) if axes.fit(output.shape) else None
                if inputs is not None:
                    self._axes, self._target, self._first, self._inputs = axes, target, output, inputs
                    node.register_prehook(_catcher(self._arrived, target.index))
                    if self._may_pass(graph):
                        self._edges = [GradientEdge(node, target.index), GradientEdge(first, output.index)]
                    return

    def probe(self, loss: Sequence[Tensor], weights: Any, path: str) -> Probe | None:
        """The reach from up to four steps with an error, log-spaced, the last among them, each on some of the rows.

        Sequences of a batch do not feed each other, so that one pass serves as many steps as there are rows. None where
        a further pass could change what the script sees: hooks, functions with a backward pass of their own, a graph
        that is stored elsewhere or made anew (checkpointing); and where no step moves a later one.
        """
        edges, self._edges = self._edges, []  # they would keep the graph alive
        if not edges:
            return None
        (error,) = torch.autograd.grad(loss, edges[:1], weights, retain_graph=True, allow_unused=True)
        shown = None if error is None else self._axes.laid(error)
        anchors = [] if shown is None else _log_spaced(shown.ne(0).any(-1).any(0).nonzero().flatten().tolist())
        sizes: dict[int, list[Tensor]] = {t: [] for t in anchors}
        for shift in range(0, len(anchors), self._axes.B):
            steps = [anchors[(shift + b) % len(anchors)] for b in range(self._axes.B)]
            gradient = self._reaching(edges, error, steps)
            if gradient is None:
                return None
            for t, norms in zip(
                steps, torch.linalg.vector_norm(gradient, dim=-1, dtype=torch.float64).cpu(), strict=True
            ):
                sizes[t].append(norms)
        r = curve_from_norms({t: torch.stack(each).mean(0)[: t + 1].flip(0).tolist() for t, each in sizes.items()})
        self._arrived.clear()
        return Probe(path, self._axes.T, horizon(r), r, len(anchors)) if any(r[1:]) else None

    @property
    def module(self) -> nn.Module | None:
        """The module whose output carries the error."""
        return self._target.module if self._target is not None else None

    def residual(self, scale: float, path: str) -> Residual | None:
        """After backward: the errors that reached that output, beside the data that it is computed from."""
        axes, target = self._axes, self._target
        if target is None or target.value is None or not self._arrived:
            return None
        errors, states, inputs = axes.laid(self._arrived[-1]), axes.laid(target.value), self._inputs
        if errors is None or states is None or inputs is None:
            return None
        return Residual(path, inputs, unscaled(errors, scale), states, (inputs,), recurrent=False)

    def _nodes(self, graph: Graph) -> list[Node | None]:
        """Of each output the node that made it, where the loss came through it."""
        nodes: list[Node | None] = [None] * len(self._outputs)
        for node in graph.nodes if nodes else ():
            for key, number in node.metadata.items():
                if isinstance(key, tuple) and key[0] is self._mark:
                    nodes[number] = node
        return nodes

    def _reaching(self, edges: Sequence[GradientEdge], error: Tensor, steps: Sequence[int]) -> Tensor | None:
        """∂⟨E_t, y_t⟩/∂x of every row b, (B, T, d), from the error at its own step t = steps[b] alone."""
        assert self._first is not None
        only = torch.zeros_like(error)
        here, there = self._axes.laid(only), self._axes.laid(error)
        assert here is not None
        assert there is not None
        rows, at = torch.arange(self._axes.B, device=error.device), torch.tensor(steps, device=error.device)
        here[rows, at] = there[rows, at]
        (gradient,) = torch.autograd.grad(edges[:1], edges[1:], [only], retain_graph=True, allow_unused=True)
        if gradient is None:
            return None
        module, data = self._first.module, self._first.data
        if isinstance(module, nn.Conv1d) and data is not None and module.padding_mode == "zeros":
            return _before(module, data, gradient).transpose(1, 2)[:, -self._axes.T :]
        return self._axes.laid(gradient)

    def _note_axes(self, module: nn.Module, x: Tensor, y: Tensor, fed: bool) -> None:
        """Which axis is time, from a module that knows."""
        axes = None
        if isinstance(module, nn.Conv1d):
            self._convolves = True
            axes = _Axes(x.shape[0], min(x.shape[2], y.shape[2]), channels=True) if fed else None
        elif isinstance(getattr(module, "batch_first", None), bool):
            B, T = x.shape[:2] if module.batch_first else (x.shape[1], x.shape[0])
            axes = _Axes(B, T, bool(module.batch_first))
        if axes is not None and axes not in self._known:
            self._known.append(axes)

    def _possible(self, given: Given) -> list[_Axes]:
        """By a module that knows, else as data are mostly laid out: (B, T) ids and (B, T, f) real values."""
        data = (x for x in given.sequences() if x.dim() == (3 if x.is_floating_point() else 2))
        return [*self._known, *(_Axes(x.shape[0], x.shape[1], channels=self._convolves) for x in data)]

    def _may_pass(self, graph: Graph) -> bool:
        """Whether a further pass over the graph sets off nothing of the script's own."""
        own = any(isinstance(node, BackwardCFunction) for node in graph.nodes)
        return graph.whole and not own and not self.stored_elsewhere and not self._hooked()

    def _hooked(self) -> bool:
        tensors = (tensor for output in self._outputs if (tensor := output.tensor()) is not None)
        return any(tensor.retains_grad or tensor._backward_hooks for tensor in tensors)


def _catcher(arrived: list[Tensor], index: int) -> Callable[[tuple[Tensor | None, ...]], None]:
    def gradient_arrives(gradients: tuple[Tensor | None, ...]) -> None:
        gradient = gradients[index]
        if gradient is not None:
            arrived[:] = [gradient.detach()]

    return gradient_arrives


def _before(module: nn.Conv1d, x: Tensor, gradient: Tensor) -> Tensor:
    """The gradient of a convolution's input (B, C, T) from that of its output."""
    padding, extra = module.padding, 0
    if isinstance(padding, str):
        extra = module.dilation[0] * (module.kernel_size[0] - 1) if padding == "same" else 0
        padding = (0,)
    shape = (*x.shape[:2], x.shape[2] + extra)
    whole = conv1d_input(shape, module.weight, gradient, module.stride, padding, module.dilation, module.groups)
    return cast(Tensor, whole)[:, :, extra // 2 : extra // 2 + x.shape[2]]


def _log_spaced(steps: Sequence[int]) -> list[int]:
    """The last of these, and those at a half, a quarter and an eighth of the way."""
    return sorted({steps[round((len(steps) - 1) / 2**n)] for n in range(MOST_ANCHORS)}) if steps else []


def _saved_elsewhere() -> bool:
    """Whether hooks store what the graph saves: checkpointing and offloading; yes, where torch does not tell."""
    tell = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", None)
    return tell is None or tell(False) is not None

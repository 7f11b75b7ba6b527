"""Models without a recurrence: where their error arrives, step by step, and how far back the input still moves it.

What happens at one position is seen at the output of a leaf module, (B, T, d). How far it reaches is found by extra
backward passes over the script's own graph, from errors at a few steps to what embeds the input, before the script's
backward pass uses that graph up. They accumulate into no `.grad`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge
from torch.nn.grad import conv1d_input

from gradreach.engine.reach_curve import curve_from_norms, horizon
from gradreach.record.look import Look
from gradreach.record.seen.recurrence import Probe
from gradreach.watch.graph import Graph, Node, maker, mark, on_gradient
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.lenses.loops import Loops
from gradreach.watch.lenses.recurrent_layers import RecurrentLayers
from gradreach.watch.lenses.unrolled_loops import UnrolledLoops
from gradreach.watch.samples.local_errors import LocalErrors
from gradreach.watch.samples.step_data import laid_out
from gradreach.watch.tensors import first_tensor, is_dense, is_dense_and_real, unscaled

MOST_ANCHORS = 4
MOST_CALLS = 20_000
WIDEST = 4096
"""A wider output (the scores of a large vocabulary) is passed over for the one before it."""

MOST_VALUES = 4
"""Of so many outputs the values are kept until the graph tells which the loss came through."""

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
        rows = laid_out(x, self.B, self.T, batch_first=self.batch_first)
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
            rows = laid_out(x, self.B, self.T, batch_first=self.batch_first)
        return None if rows is None or (self.B > 1 and bool((rows == rows[:1]).all())) else rows


@dataclass
class _Output:
    """One call of a leaf module; `data` is what it was given of the script's own."""

    module: nn.Module
    index: int
    shape: torch.Size
    value: Tensor | None
    data: Tensor | None


class Feedforward(Lens):
    """Collects the outputs of leaf modules: their shapes, and of the last few their values."""

    after = (RecurrentLayers, Loops, UnrolledLoops)

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._outputs: list[_Output] = []
        self._last: deque[_Output] = deque(maxlen=MOST_VALUES)
        self._mark = object()
        self._known: list[_Axes] = []
        self._inputs: Tensor | None = None
        self._convolves = False
        self._axes = _Axes(0, 0)
        self._target: _Output | None = None
        self._first: _Output | None = None
        self._edges: list[GradientEdge] = []
        self._arrived: list[Tensor] = []
        self._probes: tuple[Probe, ...] = ()

    def called(self, call: ModuleCall) -> None:
        """Take in one call of any module of a model."""
        module, y = call.module, first_tensor(call.output)
        if not call.of_model or y is None or len(self._outputs) >= MOST_CALLS or y.is_nested:
            return
        x = next((each for each in call.args if isinstance(each, Tensor) and is_dense(each)), None)
        if x is not None and x.dim() == 3 == y.dim():
            self._note_axes(module, x, y, call.is_fed)
        node = maker(y)
        if module._modules or isinstance(module, _NOT_RESIDUAL) or node is None or y.dim() != 3:
            return
        if y.shape[-1] > WIDEST or not is_dense_and_real(y):
            return
        mark(node, (self._mark, y.output_nr), len(self._outputs))
        data = x.detach() if call.is_fed and x is not None and x.grad_fn is None else None
        output = _Output(module, y.output_nr, y.shape, y.detach(), data)
        self._outputs.append(output)
        if len(self._last) == MOST_VALUES:
            self._last[0].value = None
        self._last.append(output)

    def before_backward(self, backward: BackwardPass) -> None:
        """Find what carries the error, and where the budget allows take its reach; not where anything recurs."""
        if self.step.recurs:
            return
        self._find(backward)
        if self._edges and self.step.may_probe:
            self._probe(backward)
        self._edges = []  # they would keep the graph alive

    def look(self, look: Look) -> Look:
        """The look's `probes`."""
        return replace(look, probes=self._probes)

    def local_errors(self) -> Sequence[LocalErrors]:
        """The errors that reached the output that carries them, beside the data that it is computed from."""
        axes, target, inputs = self._axes, self._target, self._inputs
        if target is None or target.value is None or not self._arrived:
            return ()
        errors, states = axes.laid(self._arrived[-1]), axes.laid(target.value)
        if errors is None or states is None or inputs is None:
            return ()
        path = self.step.models.path(target.module)
        return [LocalErrors(path, inputs, unscaled(errors, self.step.scale), states, (inputs,), recurrent=False)]

    def let_go(self) -> None:
        """Let go of the outputs, and of the data and the errors beside them."""
        self._outputs.clear()
        self._last.clear()
        self._arrived.clear()
        self._target = self._first = self._inputs = None

    def _find(self, backward: BackwardPass) -> None:
        """Which output carries the error, and which embeds the input.

        The last output that the loss came through, where it is a sequence: after it nothing mixes the steps.
        """
        nodes = self._nodes(backward.graph)
        reached = [(output, node) for output, node in zip(self._outputs, nodes, strict=True) if node is not None]
        if not reached or reached[-1][0].value is None:
            return
        target, node = reached[-1]
        for axes in self._possible():
            if axes.T < 2 or not axes.fit(target.shape):
                continue
            for output, first in reached[:-1]:
                inputs = axes.fed(output) if axes.fit(output.shape) else None
                if inputs is not None:
                    self._axes, self._target, self._first, self._inputs = axes, target, output, inputs
                    on_gradient(node, target.index, self._keep_last, self.step.own_work)
                    if backward.graph.whole and self.step.may_pass_again(backward):
                        self._edges = [GradientEdge(node, target.index), GradientEdge(first, output.index)]
                    return

    def _keep_last(self, gradient: Tensor) -> None:
        if self.step.is_recording:
            self._arrived[:] = [gradient.detach()]

    def _probe(self, backward: BackwardPass) -> None:
        """The reach from up to four steps with an error, log-spaced, the last among them, each on some of the rows.

        Sequences of a batch do not feed each other, so that one pass serves as many steps as there are rows. There is
        no probe where a further pass could change what the script sees (hooks, functions with a backward pass of their
        own, a graph that is stored elsewhere or made anew), and where no step moves a later one.
        """
        (error,) = torch.autograd.grad(
            backward.losses, self._edges[:1], backward.weights, retain_graph=True, allow_unused=True
        )
        shown = None if error is None else self._axes.laid(error)
        anchors = [] if shown is None else _log_spaced(shown.ne(0).any(-1).any(0).nonzero().flatten().tolist())
        sizes: dict[int, list[Tensor]] = {t: [] for t in anchors}
        for shift in range(0, len(anchors), self._axes.B):
            steps = [anchors[(shift + b) % len(anchors)] for b in range(self._axes.B)]
            gradient = self._reaching(self._edges, error, steps)
            if gradient is None:
                return
            each = torch.linalg.vector_norm(gradient, dim=-1, dtype=torch.float64).cpu()
            for t, norms in zip(steps, each, strict=True):
                sizes[t].append(norms)
        r = curve_from_norms({t: torch.stack(each).mean(0)[: t + 1].flip(0).tolist() for t, each in sizes.items()})
        self._arrived.clear()
        if self._target is not None and any(r[1:]):
            path = self.step.models.path(self._target.module)
            self._probes = (Probe(path, self._axes.T, horizon(r), r, len(anchors)),)

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

    def _possible(self) -> list[_Axes]:
        """By a module that knows, by a loop over so many rows and steps, of which the first may leave no state, else as
        data are mostly laid out: (B, T) ids and (B, T, f) real values."""
        data = [x for x in self.step.data.sequences() if x.dim() == (3 if x.is_floating_point() else 2)]
        looped = [_Axes(B, T) for B, steps in self.step.unrolled for T in (steps, steps + 1) if B != T]
        usual = (_Axes(x.shape[0], x.shape[1], channels=self._convolves) for x in data)
        return [*self._known, *looped, *usual]


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

"""What truncation would lose, measured on any model: gradients gathered by how far back they were carried."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from gradreach.remedies.tbptt.arguments import check_loss, length_of_pair, refuse_graph, steps
from gradreach.remedies.tbptt.batch_layout import BatchLayout
from gradreach.remedies.tbptt.recurrence import Recurrence
from gradreach.remedies.tbptt.segment import Segment, last_state
from gradreach.remedies.tbptt.trees import carries, detached, parameters_in, take, without_a_trace

Loss = Callable[[Any, Any], Tensor]
"""loss(output, y) -> scalar, of a window's output and targets."""


@dataclass(frozen=True, slots=True)
class TruncationBias:
    """b(k2) of TBPTT in windows of `k1` steps, for the k2 given, measured on `steps` steps; b of all steps is 0."""

    k1: int
    steps: int
    k2: tuple[int, ...]
    bias: tuple[float, ...]

    def window(self, tolerance: float = 0.05) -> int | None:
        """The smallest k2 with b(k2) ≤ `tolerance`; None where none that was measured has."""
        return next((k2 for k2, bias in zip(self.k2, self.bias, strict=True) if bias <= tolerance), None)


def truncation_bias(
    x: Any,
    y: Any = None,
    *,
    step: Any,
    loss: Loss,
    k1: int = 1,
    state: Any = None,
    dim: int | None = None,
    parameters: Iterable[Tensor] | None = None,
) -> TruncationBias:
    """b(k2) = ‖dW − dW_{<k2}‖ / ‖dW‖ for k2 = k1, 2 k1, 3 k1, 4 k1, 6 k1, 8 k1, … and all whole windows of x.

    dW is the gradient of Σ loss(output, y) over windows of k1 steps by full BPTT, and dW_{<k2} is the one by TBPTT with
    this k1 and k2 at the same weights. W are the `parameters`, by default all that the state after a window depends on:
    those of a head upon the outputs are never truncated, and would only dilute b. `x`, `y`, `step` and `state` are as
    in `tbptt`, `dim` as in `BatchLayout`; `loss` takes a window's output and targets and returns a scalar.

    The time grows as n², for n = T / k1 windows: n (n + 1) / 2 backward passes of a window. At k1 = 1, give a few
    hundred steps, not thousands. It holds the graph of one window at a time, and 2 log₂ n gradients. The generators of
    random numbers, the buffers and `.grad` are left as they were.
    Raises TypeError or ValueError on an argument that does not fit and where a gradient is not finite or none exists,
    and RuntimeError under torch.inference_mode.

    >>> import torch, gradreach as gr
    >>> layer, x, y = torch.nn.GRU(3, 8), torch.randn(40, 4, 3), torch.randn(40, 4, 8)
    >>> found = gr.truncation_bias(x, y, k1=10, step=layer, loss=torch.nn.functional.mse_loss)
    >>> found.k2, found.bias[-1]
    ((10, 20, 30, 40), 0.0)
    """
    recurrence, k1 = Recurrence.of(step, x, BatchLayout(dim=dim)), steps("k1", k1)
    length_of_pair(x, y, recurrence.dim)
    check_loss(loss)
    state = start_of(state)
    chosen = None if parameters is None else _chosen(parameters)
    return measure(recurrence, Segment.of(x, recurrence.dim), y, step, loss, k1, state, chosen=chosen)


def start_of(state: Any) -> Any:
    """A state at which the gradient stops, or a carry's last one. Raises ValueError where it was made by a graph."""
    state = last_state(state)
    refuse_graph(
        "state",
        state,
        "give window.state or window.carry of the batch before, or .detach() it; make a start that is to be learned "
        "inside step, where state is None, or give the parameter itself",
    )
    return state


def _chosen(parameters: Any) -> list[Tensor]:
    """The parameters that learn. Raises TypeError or ValueError where there are none."""
    if isinstance(parameters, nn.Module | Tensor):
        raise TypeError(
            f"parameters: expected tensors in a list or the like, got {type(parameters).__name__}; give "
            "model.parameters(), or [weight]"
        )
    chosen = [each for each in parameters if each.requires_grad]
    if not chosen:
        raise ValueError("parameters: expected some that require a gradient, got none; give those that learn")
    return chosen


def measure(
    recurrence: Recurrence,
    sequence: Segment,
    y: Any,
    step: Any,
    loss: Loss,
    k1: int,
    state: Any,
    *,
    chosen: list[Tensor] | None = None,
    tolerance: float = 0.0,
) -> TruncationBias:
    """The bias at all k2 of the ladder, or up to the first within the tolerance; errors are carried back no further."""
    if torch.is_inference_mode_enabled():
        raise RuntimeError(
            "truncation bias: expected to be measured with gradients, got torch.inference_mode, in which none can be "
            "taken; measure outside of it, use torch.no_grad, or give k2 as a number"
        )
    n = max(1, sequence.steps // k1)
    sequence = sequence.part(0, min(n * k1, sequence.steps))
    with torch.enable_grad(), without_a_trace(sequence.x, step, loss):
        windows = _windows(recurrence, sequence, y, loss, k1, state)
        whole = _sweep(windows, [], chosen)[0]
        lags = n if tolerance <= 0 else min(n, 2)
        while True:
            ladder = _ladder(lags)
            parts = _sweep(windows, ladder, chosen)
            bias = _bias(whole, parts)
            if lags == n or bias[-1] <= tolerance:
                break
            lags = min(n, 2 * lags)
    if lags == n:
        bias[-1] = 0.0  # by definition, what rounding says aside
    k2 = tuple(min(m * k1, sequence.steps) for m in ladder)
    return TruncationBias(k1, sequence.steps, k2, tuple(bias))


@dataclass(frozen=True, slots=True)
class _WindowRun:
    """One window, to be run again from the state before it and what the generators were then."""

    recurrence: Recurrence
    part: Segment
    y: Any
    loss: Loss
    state: Any
    generators: list[Tensor]

    def graph(self) -> _WindowGraph:
        _set_generators(self.part, self.generators)
        state = detached(self.state)
        before = [leaf.requires_grad_() for leaf in tree_leaves(state) if carries(leaf)]
        output, after = self.recurrence.run(self.part, state)
        error = self.loss(output, self.y)
        if not isinstance(error, Tensor) or error.dim() > 0:
            came = tuple(error.shape) if isinstance(error, Tensor) else type(error).__name__
            raise ValueError(f"loss: expected a scalar tensor for a window's output and targets, got {came}; reduce it")
        own = {id(leaf) for leaf in (*before, *tree_leaves(self.part.x))}
        leaves = [leaf for leaf in tree_leaves(after) if carries(leaf)]
        weights = [leaf for leaf in parameters_in(leaves) if id(leaf) not in own]
        learns = bool(weights) or any(id(leaf) not in own for leaf in parameters_in([error]))
        return _WindowGraph(before, error, leaves, weights, learns)


@dataclass(frozen=True, slots=True)
class _WindowGraph:
    """The leaves of the state before a window and after it, the loss, and the parameters that the state depends on.

    `learns` says whether the loss or the state depends on any parameter.
    """

    before: list[Tensor]
    error: Tensor
    after: list[Tensor]
    parameters: list[Tensor]
    learns: bool

    def back(self, adjoint: Sequence[Tensor], of: Sequence[Tensor], *, with_loss: bool) -> list[Tensor]:
        """Gradients of the loss and of ⟨adjoint, state after⟩."""
        pairs = [pair for pair in zip(self.after, adjoint, strict=bool(adjoint)) if pair[0].requires_grad]
        if with_loss and self.error.requires_grad:
            pairs.append((self.error, torch.ones_like(self.error)))
        if not pairs or not of:
            return [torch.zeros_like(leaf) for leaf in of]
        outputs, grads = zip(*pairs, strict=True)
        return list(torch.autograd.grad(outputs, of, grads, retain_graph=True, materialize_grads=True))


def _windows(recurrence: Recurrence, sequence: Segment, y: Any, loss: Loss, k1: int, state: Any) -> list[_WindowRun]:
    windows = []
    for start in range(0, sequence.steps, k1):
        stop = min(start + k1, sequence.steps)
        part, targets = sequence.part(start, stop), None if y is None else take(y, sequence.dim, start, stop)
        windows.append(_WindowRun(recurrence, part, targets, loss, detached(state), _generators(part)))
        with torch.no_grad():
            _, state = recurrence.run(part, state)
    return windows


def _sweep(
    windows: Sequence[_WindowRun], ends: Sequence[int], chosen: list[Tensor] | None
) -> list[dict[Tensor, Tensor]]:
    """The gradients of all losses, gathered by lag: carried over fewer than ends[0] windows, fewer than ends[1], …

    Without ends the errors of all windows go back as one, over all of them.
    """
    gathered: list[dict[Tensor, Tensor]] = [{} for _ in ends or [1]]
    graphs = learn = False
    carried: list[list[Tensor]] = []  # adjoints of the state after this window, by lag
    for window in reversed(windows):
        graph = window.graph()
        graphs |= graph.error.requires_grad
        learn |= graph.learns
        weights = graph.parameters if chosen is None else chosen
        arriving = [[], *carried] if ends else carried or [[]]
        carried = []
        for lag, adjoint in enumerate(arriving):
            found = graph.back(adjoint, [*weights, *graph.before], with_loss=lag == 0)
            into = gathered[bisect_right(ends, lag)]
            for weight, grad in zip(weights, found, strict=False):
                into[weight] = into[weight] + grad if weight in into else grad
            if not ends or lag + 1 < ends[-1]:
                carried.append(found[len(weights) :])
    if not (graphs and learn):
        raise ValueError(
            "loss: expected one with a gradient, got one that depends on nothing that requires it; look for a detach, "
            "or for weights that are all frozen"
        )
    return gathered


def _bias(whole: dict[Tensor, Tensor], parts: Sequence[dict[Tensor, Tensor]]) -> list[float]:
    size = _norm(whole.values())
    if not math.isfinite(size):
        raise ValueError(f"loss: expected finite gradients to compare, got a norm of {size}; look at fewer steps")
    left, bias = dict(whole), []
    for part in parts:
        left = {weight: grad - part[weight] if weight in part else grad for weight, grad in left.items()}
        bias.append(_norm(left.values()) / size if size > 0 else 0.0)
    return bias


def _norm(grads: Iterable[Tensor]) -> float:
    return math.hypot(*(float(torch.linalg.vector_norm(grad, dtype=torch.float64)) for grad in grads))


def _ladder(most: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12, 16, … and `most`: a factor of at most 2 between neighbours, 1.5 from 2 on."""
    steps = (base << power for power in range(most.bit_length()) for base in (2, 3))
    return sorted({1, most, *(each for each in steps if each < most)})


def _generators(part: Segment) -> list[Tensor]:
    device = tree_leaves(part.x)[0].device
    own = [] if device.type == "cpu" else [torch.get_device_module(device).get_rng_state(device)]
    return [torch.get_rng_state(), *own]


def _set_generators(part: Segment, states: Sequence[Tensor]) -> None:
    torch.set_rng_state(states[0])
    device = tree_leaves(part.x)[0].device
    for state in states[1:]:
        torch.get_device_module(device).set_rng_state(state, device)

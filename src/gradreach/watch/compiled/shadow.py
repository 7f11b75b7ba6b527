"""The shadow of a watched step's compiled calls: their eager form, run beside them from the same inputs, weights,
buffers and random numbers, with every lens on it.

The script's own call and its backward pass run untouched. The gradients that reach the compiled outputs there start the
shadow's own backward pass, which accumulates into no `.grad`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from gradreach.watch.compiled.draws import Draws
from gradreach.watch.compiled.side_effects import ScriptState, state_behind
from gradreach.watch.eagerly import eagerly
from gradreach.watch.graph import Graph, Node, is_leaf, maker, on_gradient, parents, walk
from gradreach.watch.lens import BackwardPass, WatchedStep
from gradreach.watch.module_spans import next_number
from gradreach.watch.nonfinite.kept_calls import DEVICES
from gradreach.watch.own_work import OwnWork, as_script
from gradreach.watch.seams import Seams
from gradreach.watch.step_watch import StepWatch
from gradreach.watch.tensors import is_dense_and_real, tensors_of
from gradreach.watch.update import sample

MOST_CALLS = 1024
"""Compiled calls of one step that have a shadow."""


@dataclass(slots=True)
class Twin:
    """The eager output beside one of a compiled call.

    `arrived` is the gradient that reached the compiled one in the script's own pass, and `handed_on` what of that came
    through later compiled calls, whose shadows took the eager one in. The compiled one itself is not held: hooks on its
    graph hold this.
    """

    eager: Tensor
    arrived: Tensor | None = None
    handed_on: list[Tensor] = field(default_factory=list)

    def own_gradient(self) -> Tensor | None:
        """What reached the output from elsewhere than later shadows; None where nothing did."""
        if self.arrived is None:
            return None
        own = self.arrived
        for part in self.handed_on:
            own = own - part
        return own.detach().to(self.eager.dtype)


@dataclass(frozen=True, slots=True)
class CallStart:
    """What a compiled call starts from: generators, what it may write over, and the number of its first operation."""

    draws: Draws
    state: ScriptState
    versions: tuple[int, ...]
    number: int


class Shadow:
    """The shadow of one watched step, of which `script` is the watch.

    `watch` drives the lenses on the shadow. `off` is the largest difference of an output to the compiled one, relative
    to its size; `why_not` says why calls have no shadow.
    """

    def __init__(self, watch: StepWatch, script: StepWatch, own_work: OwnWork) -> None:
        self.watch = watch
        self._script = script
        self.off = 0.0
        self.why_not = ""
        self._own_work = own_work
        self._twins: dict[int, tuple[Tensor, Twin]] = {}
        self._spans: list[tuple[int, int]] = []
        self._calls = 0
        self._crosses = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing ran beside the compiled code."""
        return not self._twins

    def parts_of(self, backward: BackwardPass) -> tuple[BackwardPass, BackwardPass]:
        """What the script's graph has besides what its compiled calls made, and this with their eager graph."""
        pairs = [(real, twin.eager) for real, twin in self._twins.values()]
        seams = Seams.of(pairs)
        rest, inner = self._rest_of(backward.graph, seams.inner), seams.inner
        nodes, leaves = (*rest.nodes, *inner.nodes), (*rest.leaves, *inner.leaves)
        eager = [seams.eager(loss) for loss in backward.losses]
        is_inside = all(loss is not None for loss in eager)
        return (
            replace(backward, graph=rest, crosses=self._crosses),
            replace(
                backward,
                losses=[loss for loss in eager if loss is not None] if is_inside else backward.losses,
                weights=None if is_inside else backward.weights,
                graph=Graph(nodes, leaves, rest.whole and inner.whole),
                seams=seams,
                crosses=self._crosses and not is_inside,
            ),
        )

    def _rest_of(self, graph: Graph, inner: Graph) -> Graph:
        """The script's graph without what its compiled calls made, and the leaves that the eager graph leads to."""
        mine = {id(leaf) for leaf in inner.leaves}
        nodes = (node for node in graph.nodes if not self._holds(node))
        return replace(
            graph,
            nodes=tuple(node for node in nodes if not (is_leaf(node) and id(node.variable) in mine)),
            leaves=tuple(leaf for leaf in graph.leaves if id(leaf) not in mine),
        )

    def before(self, call: Callable[..., Any], given: Sequence[Any]) -> CallStart | None:
        """Keep what a compiled call starts from; None where it is to have no shadow."""
        self._calls += 1
        number = next_number()
        if self._calls > MOST_CALLS or not torch.is_grad_enabled() or number is None:
            return None
        return CallStart(Draws.now(), state_behind(call, given, buffers=True), _versions(given), number)

    def after(
        self, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], output: Any, before: CallStart
    ) -> None:
        """The compiled call has returned: run its eager form from where it started, and leave everything as it is."""
        given = (args, kwargs)
        outputs = [tensor for tensor in tensors_of(output) if maker(tensor) is not None]
        if not outputs:
            return
        if _versions(given) != before.versions:
            self.why_not = "it writes into what it is given"
            return
        end = next_number() or before.number
        left, now = state_behind(call, (*args, *kwargs.values()), buffers=False), Draws.now()
        taken = _Taken(self._twins)
        try:
            before.draws.restore()
            before.state.put_back(taken.value)
            before.state.put_buffers_back()
            with self.watch.hooked(), _as_written():
                eager = call(*taken.tree(args), **taken.tree(kwargs))
        finally:
            left.put_back()
            now.restore()
        if not _are_alike(tensors_of(output), tensors_of(eager)):
            self.why_not = "run as it is written, it returns something else"
            return
        self._crosses = self._crosses or taken.is_computed
        self._spans.append((before.number, end))
        self._pair(tensors_of(output), tensors_of(eager))
        self._hear(outputs, taken.edges, before.number)

    def go_back(self, scale: float) -> None:
        """The script's backward pass is over: show the lenses the eager graph, and run the shadow's own pass."""
        begun = [(twin.eager, own) for _, twin in self._twins.values() if (own := twin.own_gradient()) is not None]
        outputs, gradients = _started([each for each, _ in begun], [own for _, own in begun])
        with self.watch.hooked():
            self.watch.before_backward(outputs, gradients, scale)
            leaves = [leaf for leaf in walk(outputs).leaves if leaf.requires_grad]
            got = torch.autograd.grad(outputs, leaves, gradients, allow_unused=True) if leaves else ()
            self.watch.step.gradients = {id(leaf): gradient for leaf, gradient in zip(leaves, got, strict=True)}

    def _holds(self, node: Node) -> bool:
        """Whether a compiled call made a node, by the number of its operation."""
        number = node._sequence_nr()
        return not is_leaf(node) and any(begin <= number < end for begin, end in self._spans)

    def _pair(self, real: Sequence[Tensor], eager: Sequence[Tensor]) -> None:
        for ours, theirs in zip(eager, real, strict=True):
            node, made_by = maker(theirs), maker(ours)
            if node is None or made_by is None or not is_dense_and_real(theirs):
                continue
            twin = Twin(ours)
            self._twins[id(theirs)] = theirs, twin
            node.metadata.update(self._script.in_its_own_terms(made_by.metadata))
            on_gradient(node, theirs.output_nr, partial(_keep, self._script.step, twin), self._own_work)
            self.off = max(self.off, _difference(theirs, ours))

    def _hear(self, outputs: Sequence[Tensor], edges: dict[tuple[Node, int], Twin], since: int) -> None:
        """Keep what a compiled call hands back to those of its inputs that are outputs of earlier ones."""
        pending = [node for output in outputs if edges and (node := maker(output)) is not None]
        seen = set(pending)
        while pending:
            node = pending.pop()
            places = {at: edges[edge] for at, edge in enumerate(node.next_functions) if edge in edges}
            if places:
                node.register_hook(self._own_work.hook(partial(_pass_on, self._script.step, places)))
            for parent in parents(node):
                if parent not in seen and parent._sequence_nr() >= since and not is_leaf(parent):
                    seen.add(parent)
                    pending.append(parent)


def _keep(step: WatchedStep, twin: Twin, gradient: Tensor) -> None:
    """A gradient reaches a compiled output: of a pass of a lens, or of the script's own, which counts."""
    if step.is_recording:
        twin.arrived = gradient.detach()


def _pass_on(
    step: WatchedStep, places: dict[int, Twin], handed_on: tuple[Tensor | None, ...], _: tuple[Tensor | None, ...]
) -> None:
    """A compiled call hands gradients on to outputs of earlier ones."""
    for at, twin in places.items():
        part = handed_on[at]
        if part is not None and step.is_recording:
            twin.handed_on.append(part.detach())


class _Taken:
    """What the eager form of a call is given: of an output of an earlier compiled call its eager twin, noted in `edges`
    by where the compiled one comes out of the script's graph; of any other computed tensor the numbers alone.
    `is_computed` says that there was any."""

    def __init__(self, twins: dict[int, tuple[Tensor, Twin]]) -> None:
        self.edges: dict[tuple[Node, int], Twin] = {}
        self.is_computed = False
        self._known = twins

    def tree(self, tree: Any) -> Any:
        return tree_map_only(Tensor, self.value, tree)

    def value(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or maker(value) is None:
            return value
        self.is_computed = True
        real, twin = self._known.get(id(value), (None, None))
        if twin is None or real is not value:
            return value.detach().requires_grad_()
        self.edges[maker(value), value.output_nr] = twin
        return twin.eager


def _started(outputs: list[Tensor], gradients: list[Tensor]) -> tuple[list[Tensor], Any]:
    """Where the shadow's pass starts. Of a single number, as a loss is, that number times its gradient, as the script
    itself may have scaled it."""
    if len(outputs) == 1 and outputs[0].numel() == 1:
        return ([outputs[0] * gradients[0]] if float(gradients[0]) != 1.0 else outputs), None
    return outputs, gradients


def _are_alike(real: Sequence[Tensor], eager: Sequence[Tensor]) -> bool:
    return len(real) == len(eager) and all(a.shape == b.shape for a, b in zip(real, eager, strict=True))


def _difference(real: Tensor, eager: Tensor) -> float:
    """‖eager − real‖ / ‖real‖, of large ones by a sample."""
    one, other = sample(real.detach()).double(), sample(eager.detach()).double()
    size, off = float(one.norm()), float((one - other).norm())
    return off / size if size > 0.0 else off


def _versions(given: Any) -> tuple[int, ...]:
    return tuple(-1 if tensor.is_inference() else tensor._version for tensor in tensors_of(given))


@contextmanager
def _as_written() -> Iterator[None]:
    """The script's own code, run once more: not compiled, unheard, and apart from what autocast has kept."""
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(io.StringIO()))
        stack.enter_context(redirect_stderr(io.StringIO()))
        stack.enter_context(eagerly())
        stack.enter_context(as_script())
        for device in DEVICES:
            if torch.is_autocast_enabled(device):
                dtype = torch.get_autocast_dtype(device)
                stack.enter_context(torch.autocast(device, dtype=dtype, cache_enabled=False))
        yield

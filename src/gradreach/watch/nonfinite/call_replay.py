"""One root call of a step, run again: which operation of which line and module made a value that is not finite."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gradreach.engine.replay import replay
from gradreach.record.seen.recurrence import Direction
from gradreach.watch.graph import Node, walk
from gradreach.watch.models import Models
from gradreach.watch.module_hooks import ModuleHooks
from gradreach.watch.nonfinite.graph_reading import consumers_of, is_hidden
from gradreach.watch.nonfinite.kept_calls import KeptCall
from gradreach.watch.nonfinite.operations import Ground, key_of, moves, plain_word, why_not_finite
from gradreach.watch.nonfinite.saved_values import saved_tensors, saved_value
from gradreach.watch.nonfinite.singular_points import SAVED, singular
from gradreach.watch.nonfinite.source_lines import SourceLine, line_of_call, line_running
from gradreach.watch.nonfinite.values import is_finite, is_mask, readable, value_of
from gradreach.watch.tensors import tensors_of

SAME = 1e-3
"""Relative difference up to which a replayed output counts as the original one."""


@dataclass(slots=True)
class ModuleRun:
    """One running call of a module, the `index`-th of this root call; `args` and `kwargs` are what it was given."""

    module: nn.Module
    index: int
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value that is not finite arose: why, in which module and line. `is_meant` marks an infinity that was put
    in on purpose, as a mask of attention is; `given` is the number of the model's input tensor that it came in with."""

    ground: Ground
    run: ModuleRun | None = None
    line: SourceLine | None = None
    is_meant: bool = False
    given: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in words: the module's path, and of a recurrent layer or a module in a loop the step it stood at."""

    module: str = ""
    time_step: int | None = None
    layer: int | None = None
    direction: Direction | None = None


_GIVEN = Ground("", "inputs", "nan")


class _Operations(TorchDispatchMode):
    """Follows values that are not finite from the operation that made them, and notes each operation's place."""

    def __init__(self, stack: list[ModuleRun], outermost: FrameType, call: SourceLine | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.origins: list[Origin] = []
        self.counts: list[int] = []
        self.places: list[tuple[ModuleRun | None, SourceLine | None]] = []
        self._stack, self._outermost, self._call = stack, outermost, call
        self._made: dict[int, int | None] = {}
        self._alive: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [tensor for tensor in tensors_of(*args, *kwargs.values()) if not is_finite(tensor)]
        held = [(value_of([tensor]), self._made.get(_memory(tensor))) for tensor in given]
        result = func(*args, **kwargs)
        self._note_place()
        for output in tensors_of(result):
            if not is_finite(output):
                self._made[_memory(output)] = self._origin(func, args, kwargs, output, held)
                self._alive.append(output)
        return result

    def take_in(self, inputs: Sequence[Tensor]) -> None:
        """What the model is given may not be finite: −∞ alone is taken for a mask."""
        for number, tensor in enumerate(inputs):
            if not is_finite(tensor):
                self._made[_memory(tensor)] = len(self.origins)
                self.origins.append(Origin(_GIVEN, is_meant=is_mask(tensor), given=number))
                self._alive.append(tensor)

    def origin_of(self, outputs: Sequence[Tensor]) -> Origin | None:
        """The first origin of the non-finite values among a model's outputs; none that was meant."""
        numbers = [self._made.get(_memory(tensor)) for tensor in outputs if not is_finite(tensor)]
        real = [number for number in numbers if number is not None and not self.origins[number].is_meant]
        return self.origins[min(real)] if real else None

    def place_of(self, node: Node) -> tuple[ModuleRun | None, SourceLine | None]:
        """The module and line of the operation that made a node of the graph."""
        at = bisect_left(self.counts, node._sequence_nr() + 1)
        return self.places[at] if at < len(self.places) else (None, None)

    def with_argument(self, ground: Ground, line: SourceLine | None) -> Ground:
        """The ground of a slope with what the operation was given, where its value was not finite on the way forward:
        of an exponential the graph keeps the result alone."""
        for made in self.origins:
            if line is not None and made.line == line and made.ground.operation == ground.operation:
                return replace(ground, argument=made.ground.argument)
        return ground

    def _origin(self, func: Any, args: Any, kwargs: Any, output: Tensor, held: list[Any]) -> int | None:
        before = [number for _, number in held if number is not None]
        births_nan = value_of([output]) == "nan" and all(value != "nan" for value, _ in held)
        all_meant = all(number is None or self.origins[number].is_meant for _, number in held)
        if held and not (births_nan and all_meant):
            return min(before, default=None)
        name = func.overloadpacket.__name__
        if held and moves(name):
            return min(before, default=None)
        run, line = self.places[-1]
        ground = why_not_finite(name, args, output, lambda: _in_float32(func, args, kwargs))
        self.origins.append(Origin(ground, run, line, is_meant=not held and moves(name)))
        return len(self.origins) - 1

    def _note_place(self) -> None:
        line = line_running(sys._getframe(2), self._outermost) or self._call
        self.counts.append(torch._C._autograd._get_sequence_nr())
        self.places.append((self._stack[-1] if self._stack else None, line))


@dataclass
class CallReplay:
    """One root call, run again, in the context that it ran in; `output` is what it returned this time."""

    models: Models
    kept: KeptCall
    output: Any = None
    _operations: _Operations | None = None
    _stack: list[ModuleRun] = field(default_factory=list)
    _calls: dict[int, int] = field(default_factory=dict)

    def run(self) -> None:
        """Run it again. Whatever the model raises is raised here."""
        args, kwargs = self.kept.copied()
        self._operations = _Operations(self._stack, sys._getframe(), line_of_call(self.kept.called_from))
        self._operations.take_in(tensors_of(args, kwargs))
        with self.kept.context(), self._watched(), self._operations:
            self.output = _alone(self.kept.root)(*args, **kwargs)

    def is_same(self) -> bool | None:
        """Whether it returned what it had returned before; None where that was not kept."""
        if not self.kept.outputs:
            return None
        now = tensors_of(self.output)
        pairs = zip(self.kept.outputs, now, strict=False)
        return len(now) == len(self.kept.outputs) and all(_is_close(before, after) for before, after in pairs)

    def forward_origin(self) -> Origin | None:
        """Where a non-finite value of its output arose; None where the output is finite, or what is not was meant."""
        assert self._operations is not None
        return self._operations.origin_of(tensors_of(self.output))

    def backward_origin(self) -> Origin | None:
        """The first operation on the way back that makes a non-finite gradient of a finite one."""
        assert self._operations is not None
        outputs = [o for o in tensors_of(self.output) if o.grad_fn is not None and o.is_floating_point()]
        leaves = [p for p in self.kept.root.parameters() if p.requires_grad]
        if not outputs or not leaves:
            return None
        nodes = walk(outputs).nodes
        node, gradient = _first_to_break(nodes, outputs, leaves)
        if node is None or gradient is None:
            return None
        run, line = self._operations.place_of(node)
        return Origin(self._operations.with_argument(_slope(node, gradient, consumers_of(nodes)), line), run, line)

    def place(self, origin: Origin) -> Place:
        """Where an origin lies, in words."""
        if origin.run is None:
            return Place()
        module, path = origin.run.module, self.models.path(origin.run.module)
        if isinstance(module, nn.RNNBase):
            return _in_a_layer(path, module, origin.run)
        loops = self._calls.get(id(module), 1) > 1
        return Place(path, origin.run.index if loops else None)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        hooks = ModuleHooks(self._enter, self._leave)
        try:
            yield
        finally:
            hooks.remove()

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        index = self._calls.get(id(module), 0)
        self._calls[id(module)] = index + 1
        self._stack.append(ModuleRun(module, index, args))

    def _leave(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:  # noqa: ARG002
        self._stack.pop().kwargs = kwargs


def _alone(root: nn.Module) -> nn.Module:
    """The model itself: its data-parallel wrapper would wait for the other ranks, which do not run the step again."""
    return root.module if isinstance(root, nn.parallel.DistributedDataParallel) else root


def _memory(tensor: Tensor) -> int:
    """What tells a tensor's memory apart from any other's: views share it."""
    return tensor.untyped_storage()._cdata if tensor.layout == torch.strided else id(tensor)


def _in_float32(func: Any, args: Any, kwargs: Any) -> Tensor:
    def wider(value: Any) -> Any:
        return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value

    result: Tensor = func(*(wider(a) for a in args), **{k: wider(v) for k, v in kwargs.items() if k != "dtype"})
    return result


def _is_close(before: Tensor, after: Tensor) -> bool:
    one, two = readable(before), readable(after)
    if one is None or two is None or one.shape != two.shape:
        return before.shape == after.shape
    scale = float(one[torch.isfinite(one)].abs().max()) if bool(torch.isfinite(one).any()) else 1.0
    return torch.allclose(one, two.to(one.dtype), rtol=SAME, atol=SAME * scale, equal_nan=True)


def _first_to_break(
    nodes: Sequence[Node], outputs: Sequence[Tensor], leaves: Sequence[Tensor]
) -> tuple[Node | None, Tensor | None]:
    """The first node of a backward pass from a random gradient that hands on a non-finite one, and that gradient."""
    broken: list[tuple[Node, Tensor]] = []

    def watch(node: Node) -> Any:
        def passes(handed_on: tuple[Tensor | None, ...], came: tuple[Tensor | None, ...]) -> None:
            if not broken and not value_of(came):
                broken.extend((node, g) for g in handed_on if g is not None and not is_finite(g))

        return node.register_hook(passes)

    handles = [watch(node) for node in nodes if not hasattr(node, "variable")]
    draw = torch.Generator().manual_seed(0)
    weights = [torch.randn(o.shape, generator=draw).to(o.device, o.dtype) for o in outputs]
    try:
        torch.autograd.grad(outputs, leaves, weights, allow_unused=True, retain_graph=True)
    finally:
        for handle in handles:
            handle.remove()
    return broken[0] if broken else (None, None)


def _slope(node: Node, gradient: Tensor, consumers: dict[Node, list[Node]]) -> Ground:
    """Why a node's slope is not finite."""
    name = node.name()
    given, returned = saved_tensors(node)
    constants = {key: saved_value(node, key) for key in SAVED.get(key_of(name), ())}
    ground = singular(name, {**constants, **given, **returned}, is_hidden=is_hidden(node, consumers))
    if ground is not None:
        return ground
    value = value_of([gradient]) or "nan"
    held = [tensor for tensor in (*given.values(), *returned.values()) if not is_finite(tensor)]
    if held and is_hidden(node, consumers):
        return Ground(plain_word(name), "hidden branch", value, f"{plain_word(name)} holds a value that is not finite")
    half = value == "inf" and gradient.dtype is torch.float16
    return Ground(plain_word(name), "half overflow" if half else "", value)


def _in_a_layer(path: str, module: nn.RNNBase, run: ModuleRun) -> Place:
    """Time step, layer and direction of a recurrent layer, by the closed form."""
    x = run.args[0] if run.args else run.kwargs["input"]
    hx = run.args[1] if len(run.args) > 1 else run.kwargs.get("hx")
    played = replay(module, x, hx)
    for number, unrolled in enumerate(played.unrolls):
        bad = (~torch.isfinite(unrolled.h[1:])).flatten(1).any(1).nonzero()
        if len(bad):
            step = len(unrolled.x) - 1 - int(bad[0]) if unrolled.reverse else int(bad[0])
            return Place(path, step, number // played.directions, "reverse" if unrolled.reverse else "forward")
    return Place(path)

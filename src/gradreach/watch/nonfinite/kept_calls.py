"""What is kept of every step, so that a step that goes wrong can be run again.

These are the inputs of the root models, the context they ran in (autocast, the generators' state where the model draws
from them), the line that called them, and small outputs to check a replay by. All of it is kept by reference, and
dropped at the step's end. The class of a root gets a thin `__call__` for this, since hooks on the user's own modules
would travel with their pickles and copies.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from gradreach.watch.eagerly import eagerly
from gradreach.watch.graph import Node, maker, mark
from gradreach.watch.module_hooks import is_transformed
from gradreach.watch.own_work import OwnWork, as_script
from gradreach.watch.tensors import tensors_of, without_graph
from gradreach.watch.tracebacks import without_ours

MOST_CALLS = 64
MOST_NUMBERS = 1 << 26
"""Of a step with more root calls, or larger inputs together, the last are kept; the last one always is."""

MOST_OUTPUT = 1 << 18
"""An output of more numbers is not kept to check a replay by: it would raise the script's peak memory."""

SURE_CALLS = 8
"""The first calls of a root: whether it draws random numbers, or writes into what it is given, is asked at each of
them, later at one in so many."""

RARE = 64

GIVEN, RETURNED = "gradreach: given", "gradreach: returned"
"""Marks on the nodes of a root's inputs and outputs; they live with the script's graph, and keep nothing of it."""

DEVICES = ("cpu", "cuda") if torch.backends.cuda.is_built() else ("cpu",)
"""Kinds of devices whose autocast is asked for."""


@dataclass(frozen=True)
class Generators:
    """State of the random number generators that a forward pass draws from."""

    cpu: Tensor
    cuda: tuple[Tensor, ...] = ()

    @staticmethod
    def now() -> Generators:
        """The state as it stands."""
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else ()
        return Generators(torch.get_rng_state(), tuple(cuda))

    def restore(self) -> None:
        """Put the generators back to this state."""
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(list(self.cuda))

    def stand_still(self) -> bool:
        """Whether they still stand where they stood."""
        now = Generators.now()
        pairs = zip((self.cpu, *self.cuda), (now.cpu, *now.cuda), strict=True)
        return all(torch.equal(before, after) for before, after in pairs)


@dataclass(slots=True)
class KeptCall:
    """One call of a root model.

    `generators` is None where the model was seen to draw no random numbers; `autocast` holds the number format of each
    kind of device that autocast was on for; `called_from` is the code and line that made the call. `computed` are the
    places of the inputs with a graph behind them, `outputs` the output's numbers where they are few. `versions` count
    the changes in place of each input until then, and `numbers` is how many numbers the inputs hold.
    """

    root: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    generators: Generators | None
    autocast: dict[str, torch.dtype]
    called_from: tuple[CodeType, int] | None
    outputs: tuple[Tensor, ...] = ()
    versions: tuple[int, ...] = ()
    numbers: int = 0
    computed: frozenset[int] = frozenset()

    def inputs(self) -> list[Tensor]:
        """The tensors that it was given, in order."""
        return _quickly(self.args) + (_quickly(self.kwargs) if self.kwargs else [])

    def has_computed(self, tensor: Tensor) -> bool:
        """Whether an input had a graph behind it."""
        inputs = self.inputs()
        return any(inputs[place] is tensor for place in self.computed)

    def is_untouched(self) -> bool:
        """Whether no input was changed in place since."""
        return self.versions == _versions(self.inputs())

    def copied(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Copies of the inputs for a replay, without the graph that made them: a model may write into its inputs."""
        args, kwargs = tree_map_only(Tensor, _copy, (self.args, self.kwargs))
        return args, kwargs

    @contextmanager
    def context(self) -> Iterator[None]:
        """The context that the call ran in: autocast, gradients on, the generators where they stood."""
        if self.generators is not None:
            self.generators.restore()
        with ExitStack() as stack:
            for device in DEVICES:
                dtype = self.autocast.get(device)
                stack.enter_context(torch.autocast(device, dtype=dtype, enabled=dtype is not None))
            stack.enter_context(as_script())
            stack.enter_context(torch.enable_grad())
            stack.enter_context(eagerly())
            yield


@dataclass(slots=True)
class _Root:
    """How often a root was called, whether a call has drawn random numbers, and whether one wrote into its inputs."""

    calls: int = 0
    draws: bool = False
    writes: bool = False

    def is_asked(self) -> bool:
        return self.calls < SURE_CALLS or self.calls % RARE == 0


class KeptCalls:
    """Keeps the root calls of the current step while `is_armed`.

    `overflowed` says that some of them had to go; `seconds` is what keeping has cost since it was last read.
    """

    def __init__(self, own_work: OwnWork) -> None:
        self.is_armed = True
        self.calls: list[KeptCall] = []
        self.overflowed = False
        self.seconds = 0.0
        self._numbers = 0
        self._roots: dict[int, _Root] = {}
        self._classes: dict[type[nn.Module], Callable[..., Any] | None] = {}
        self._inside = False
        self._own_work = own_work

    def keep_calls_of(self, root: nn.Module) -> None:
        """Keep this root's calls from now on. Classes that torch scripts are left alone."""
        kind = type(root)
        if id(root) in self._roots or isinstance(root, torch.jit.ScriptModule):
            return
        self._roots[id(root)] = _Root()
        if kind not in self._classes:
            own = self._classes[kind] = kind.__dict__.get("__call__")
            kind.__call__ = self._wrapped(kind, own)  # type: ignore[method-assign]

    def __reduce__(self) -> tuple[Callable[[], KeptCalls], tuple[()]]:
        """A class that a script sends to another process, its methods with it, keeps no calls there."""
        return _nowhere, ()

    def meet(
        self, root: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], generators: Generators, output: Any
    ) -> None:
        """Keep a call seen by a module hook: of a root that is met for the first time, or must not be wrapped."""
        if id(root) not in self._roots:
            self._keep(KeptCall(root, args, kwargs, generators, _autocast(), None), output)

    def returned(self, node: Node) -> bool:
        """Whether a root that is kept at every step returned this node's output: before it a replay tells."""
        return node.metadata.get(RETURNED) in self._roots

    def release(self) -> None:
        """Give every class back its own `__call__`."""
        for kind, own in self._classes.items():
            if own is None:
                del kind.__call__
            else:
                kind.__call__ = own  # type: ignore[method-assign]
        self._classes.clear()
        self._roots.clear()
        self.drop()

    def drop(self) -> None:
        """Let go of what was kept: the step is over."""
        self.calls.clear()
        self._numbers = 0
        self.overflowed = False

    def _keep(self, call: KeptCall, output: Any) -> None:
        computed, numbers = [], 0
        inputs = call.inputs()
        for place, tensor in enumerate(inputs):
            call.numbers += tensor.numel()
            if (node := maker(tensor)) is not None:
                computed.append(place)
                mark(node, GIVEN, True)
        call.versions = call.versions or _versions(inputs)
        if computed:
            call.computed = frozenset(computed)
            call.args = tuple([_bare(part) for part in call.args])
            call.kwargs = {name: _bare(part) for name, part in call.kwargs.items()}
        for tensor in _quickly(output):
            if (node := maker(tensor)) is not None:
                mark(node, RETURNED, id(call.root))
            numbers += tensor.numel()
            call.outputs += (tensor.detach(),)
        if numbers > MOST_OUTPUT:
            call.outputs = ()
        self.calls.append(call)
        self._numbers += call.numbers
        while len(self.calls) > MOST_CALLS or (len(self.calls) > 1 and self._numbers > MOST_NUMBERS):
            self._numbers -= self.calls.pop(0).numbers
            self.overflowed = True

    def through(
        self, root: nn.Module, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType
    ) -> Any:
        """Make this call of a root for the script, which calls it from `frame`, and keep it. No hook of ours is needed
        for it: so are the calls of compiled roots kept."""
        if not self.is_armed or self._inside or self._own_work.is_running:
            return call(*args, **kwargs)
        if not torch.is_grad_enabled() or is_transformed():
            return call(*args, **kwargs)
        known = self._roots.setdefault(id(root), _Root())
        begin, is_asked = time.perf_counter(), known.is_asked()
        generators = Generators.now() if is_asked or known.draws else None
        kept = KeptCall(root, args, kwargs, generators, _autocast(), (frame.f_code, frame.f_lineno))
        if is_asked or known.writes:
            with self._own_work:
                kept.versions = _versions(kept.inputs())
        self._inside = True
        start = time.perf_counter()
        try:
            output = call(*args, **kwargs)
        except BaseException as error:
            error.__traceback__ = without_ours(error.__traceback__)
            raise
        finally:
            self._inside = False
        end = time.perf_counter()
        with self._own_work:
            if is_asked:
                known.draws = known.draws or not (generators is None or generators.stand_still())
                known.writes = known.writes or not kept.is_untouched()
            known.calls += 1
            self._keep(kept, output)
        self.seconds += start - begin + time.perf_counter() - end
        return output

    def _wrapped(self, kind: type[nn.Module], own: Callable[..., Any] | None) -> Callable[..., Any]:
        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            original = super(kind, module).__call__ if own is None else partial(own, module)  # type: ignore[misc]
            if id(module) not in self._roots:
                return original(*args, **kwargs)
            return self.through(module, original, args, kwargs, sys._getframe(1))

        return call


def _quickly(tree: Any) -> list[Tensor]:
    """The tensors of nested values; the plain shapes of them without the cost of a general walk."""
    if isinstance(tree, Tensor):
        return [tree]
    if type(tree) is dict:
        tree = tuple(tree.values())
    if type(tree) is tuple or type(tree) is list:
        found: list[Tensor] = []
        for part in tree:
            found += (part,) if issubclass(type(part), Tensor) else tensors_of(part)
        return found
    return tensors_of(tree)


def _nowhere() -> KeptCalls:
    """Keeps nothing."""
    nobody = KeptCalls(OwnWork(lambda _: None))
    nobody.is_armed = False
    return nobody


def _versions(tensors: Sequence[Tensor]) -> tuple[int, ...]:
    """How often each tensor was changed in place; one of inference mode does not count."""
    return tuple([-1 if tensor.is_inference() else tensor._version for tensor in tensors])


def _bare(tree: Any) -> Any:
    """The same values without the graph that made them, which must not be kept alive."""
    if isinstance(tree, Tensor):
        return tree if tree.grad_fn is None else tree.detach().requires_grad_()
    return without_graph(tree)


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


def _autocast() -> dict[str, torch.dtype]:
    """The number format of each kind of device that autocast is on for now."""
    return {kind: torch.get_autocast_dtype(kind) for kind in DEVICES if torch.is_autocast_enabled(kind)}


def returned_by(calls: Sequence[KeptCall], tensor: Tensor) -> bool:
    """Whether one of these calls returned a tensor, with a graph or without."""
    return any(
        tensor.data_ptr() == output.data_ptr() and tensor.shape == output.shape
        for call in calls
        for output in call.outputs
    )

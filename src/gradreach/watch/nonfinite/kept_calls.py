"""What is kept of every ordinary step, so that a step that goes wrong can be run again: the root models' inputs, the
generators' state before each call, and the gradient that came back to each output. All by reference, dropped at the
step's end.

The root's class gets a thin `__call__`: hooks on the user's own modules would travel with their pickles and copies.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from gradreach.watch.module_hooks import is_transformed

MOST_CALLS = 64
MOST_BYTES = 1 << 28
"""Of a step with more root calls, or larger inputs together, the last are kept; the last one always is."""

MOST_GRADIENT_BYTES = 1 << 26
"""A larger gradient of an output is not kept (an empty one stands for it): it would raise the script's peak memory."""


@dataclass
class KeptCall:
    """One call of a root model, and the gradients that reached its output tensors, by their place in the output."""

    root: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    generators: Generators
    gradients: dict[int, Tensor] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Memory that the kept inputs hold."""
        return sum(bytes_of(tensor) for tensor in tensors_of((self.args, self.kwargs)))


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


class Sentinel:
    """Keeps the root calls of the current step while `armed`."""

    def __init__(self) -> None:
        self.armed = True
        self.calls: list[KeptCall] = []
        self.overflowed = False
        self.seconds = 0.0
        self._roots: set[int] = set()
        self._classes: dict[type[nn.Module], Callable[..., Any] | None] = {}
        self._inside = False

    def guard(self, root: nn.Module) -> None:
        """Keep this root's calls from now on; classes that torch compiles or scripts are left alone."""
        kind = type(root)
        if id(root) in self._roots or isinstance(root, torch.jit.ScriptModule):
            return
        self._roots.add(id(root))
        if kind not in self._classes:
            self._classes[kind] = kind.__dict__.get("__call__")
            kind.__call__ = self._wrapped(kind.__call__)  # type: ignore[method-assign]

    def meet(
        self, root: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], generators: Generators, output: Any
    ) -> None:
        """Keep a call seen by a module hook: of a root that is met for the first time, or must not be guarded."""
        if id(root) not in self._roots:
            self._keep(KeptCall(root, args, kwargs, generators), output)

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
        self.overflowed = False

    def _keep(self, call: KeptCall, output: Any) -> None:
        if any(tensor.grad_fn is not None for tensor in tensors_of((call.args, call.kwargs))):
            call.args, call.kwargs = tree_map_only(Tensor, _without_graph, (call.args, call.kwargs))
        _catch_gradients(call, output)
        self.calls.append(call)
        while len(self.calls) > MOST_CALLS or (len(self.calls) > 1 and sum(c.bytes for c in self.calls) > MOST_BYTES):
            self.calls.pop(0)
            self.overflowed = True

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            idle = not self.armed or self._inside or id(module) not in self._roots
            if idle or not torch.is_grad_enabled() or is_transformed():
                return original(module, *args, **kwargs)
            begin = time.perf_counter()
            generators = Generators.now()
            self._inside = True
            start = time.perf_counter()
            try:
                output = original(module, *args, **kwargs)
            finally:
                self._inside = False
            end = time.perf_counter()
            self._keep(KeptCall(module, args, kwargs, generators), output)
            self.seconds += start - begin + time.perf_counter() - end
            return output

        return call


def tensors_of(value: Any) -> list[Tensor]:
    """All tensors of a nested output, in order: tuples, lists, dicts, packed sequences, dataclasses of tensors."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in tensors_of(item)]
    if isinstance(value, (tuple, list)):
        return [tensor for item in value for tensor in tensors_of(item)]
    if hasattr(value, "__dataclass_fields__"):
        return tensors_of(vars(value) if hasattr(value, "__dict__") else ())
    return []


def bytes_of(tensor: Tensor) -> int:
    """Memory that a tensor's numbers hold; of a sparse one the numbers that are stored."""
    if tensor.layout == torch.strided:
        return tensor.numel() * tensor.element_size()
    stored = tensor._nnz() if tensor.layout == torch.sparse_coo else tensor.values().numel()
    return stored * tensor.element_size()


def _without_graph(tensor: Tensor) -> Tensor:
    """The same values, without the graph that made them: it must not be kept alive."""
    return tensor.detach().requires_grad_(tensor.requires_grad)


def _catch_gradients(kept: KeptCall, output: Any) -> None:
    for place, tensor in enumerate(tensors_of(output)):
        node = tensor.grad_fn
        if node is not None:
            node.register_prehook(_catcher(kept.gradients, place, tensor.output_nr))


def _catcher(gradients: dict[int, Tensor], place: int, index: int) -> Callable[[tuple[Tensor | None, ...]], None]:
    def gradient_arrives(arrived: tuple[Tensor | None, ...]) -> None:
        gradient = arrived[index]
        if gradient is not None:
            gradients[place] = gradient if bytes_of(gradient) <= MOST_GRADIENT_BYTES else gradient.new_zeros(0)

    return gradient_arrives

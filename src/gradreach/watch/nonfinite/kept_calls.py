"""What is kept of every ordinary step, so that a step that goes wrong can be run again.

These are the inputs of the root models, the state of the generators before each call, and the gradient that came back
to each output. All of it is kept by reference, and dropped at the step's end. The class of a root gets a thin
`__call__` for this, since hooks on the user's own modules would travel with their pickles and copies.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.watch.graph import on_gradient
from gradreach.watch.module_hooks import is_transformed
from gradreach.watch.own_work import OwnWork
from gradreach.watch.tensors import bytes_of, tensors_of, without_graph

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
        return sum(bytes_of(tensor) for tensor in tensors_of(*self.args, *self.kwargs.values()))


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


class KeptCalls:
    """Keeps the root calls of the current step while `is_armed`.

    `overflowed` says that some of them had to go; `seconds` is what keeping has cost since it was last read.
    """

    def __init__(self, own_work: OwnWork) -> None:
        self.is_armed = True
        self.calls: list[KeptCall] = []
        self.overflowed = False
        self.seconds = 0.0
        self._roots: set[int] = set()
        self._classes: dict[type[nn.Module], Callable[..., Any] | None] = {}
        self._inside = False
        self._own_work = own_work

    def keep_calls_of(self, root: nn.Module) -> None:
        """Keep this root's calls from now on. Classes that torch scripts are left alone."""
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
        """Keep a call seen by a module hook: of a root that is met for the first time, or must not be wrapped."""
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
        if any(tensor.grad_fn is not None for tensor in tensors_of(*call.args, *call.kwargs.values())):
            call.args, call.kwargs = without_graph((call.args, call.kwargs))
        _catch_gradients(call, output)
        self.calls.append(call)
        while len(self.calls) > MOST_CALLS or (len(self.calls) > 1 and sum(c.bytes for c in self.calls) > MOST_BYTES):
            self.calls.pop(0)
            self.overflowed = True

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            idle = not self.is_armed or self._inside or id(module) not in self._roots
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
            with self._own_work:
                self._keep(KeptCall(module, args, kwargs, generators), output)
            self.seconds += start - begin + time.perf_counter() - end
            return output

        return call


def _catch_gradients(kept: KeptCall, output: Any) -> None:
    for place, tensor in enumerate(tensors_of(output)):
        on_gradient(tensor.grad_fn, tensor.output_nr, partial(_keep_gradient, kept.gradients, place))


def _keep_gradient(gradients: dict[int, Tensor], place: int, gradient: Tensor) -> None:
    gradients[place] = gradient if bytes_of(gradient) <= MOST_GRADIENT_BYTES else gradient.new_zeros(0)

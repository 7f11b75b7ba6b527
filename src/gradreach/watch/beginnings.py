"""Which optimizers begin with an empty state at a look's step, as another did at the step before."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

from gradreach.watch.lenses.parameter_prints import Print, prints
from gradreach.watch.own_work import OwnWork
from gradreach.watch.tensors import is_dense_and_real

MOST_FOLLOWED = 16
"""Parameters of one optimizer that are followed to their next step, evenly spaced among all."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A parameter that an optimizer has just stepped for the first time, and the print of what it holds since."""

    parameter: weakref.ref[Tensor]
    optimizer: weakref.ref[Optimizer]
    print: Print

    def goes_on(self, parameter: Tensor, optimizer: Optimizer, now: Print) -> bool:
        """Whether another optimizer steps by this very parameter from where the first one left it."""
        return self.parameter() is parameter and self.optimizer() is not optimizer and self.print == now


class Beginnings:
    """Follows the parameters whose optimizer began at a look's step to the next step by them.

    Where that is made by another optimizer, which begins too, from the very weights that the first one left, they began
    `again`. An optimizer that is made anew for several steps, whose state is emptied, or whose weights are put back
    never comes to that. It listens between two looks alone, and only while there is something to follow.
    """

    def __init__(self, own_work: OwnWork) -> None:
        self._own_work = own_work
        self._begun: dict[int, _Begun] = {}
        self._again: dict[int, weakref.ref[Tensor]] = {}
        self._begins: list[Tensor] = []
        self._handles: tuple[RemovableHandle, ...] = ()

    def looked(self, optimizer: Optimizer, stepped: Sequence[Tensor], blank: Sequence[Tensor]) -> list[Tensor]:
        """At a look an optimizer has stepped these parameters, of which some were `blank`, without a state: those for
        which it has one by now, where they began again after the look before."""
        begun = [p for p in blank if _holds(optimizer, p)]
        some = [p for p in begun[:: max(1, -(-len(begun) // MOST_FOLLOWED))] if is_dense_and_real(p)]
        again = bool(some) and all(id(p) in self._again and self._again[id(p)]() is p for p in some)
        for p in stepped:
            self._again.pop(id(p), None)
            self._begun.pop(id(p), None)
        for p, each in zip(some, prints(some), strict=True):
            self._begun[id(p)] = _Begun(weakref.ref(p), weakref.ref(optimizer), each)
        return begun if again else []

    def listen(self) -> None:
        """Hear of the next step of what began at a look; not to be called from within an optimizer's hook."""
        if self._begun and not self._handles:
            self._handles = (
                register_optimizer_step_pre_hook(self._own_work.hook(self._before_step)),
                register_optimizer_step_post_hook(self._own_work.hook(self._after_step)),
            )

    def rest(self) -> None:
        """Listen no more where nothing is left to follow; not to be called from within an optimizer's hook."""
        if not self._begun:
            self.release()

    def release(self) -> None:
        """Listen no more."""
        for handle in self._handles:
            handle.remove()
        self._handles = ()

    def _before_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._begun:
            return
        parameters = (p for group in optimizer.param_groups for p in group["params"])
        mine = [p for p in parameters if id(p) in self._begun and p.grad is not None and is_dense_and_real(p)]
        begun = [self._begun.pop(id(p)) for p in mine]
        told = zip(mine, begun, prints(mine), strict=True)
        self._begins = [p for p, seen, now in told if seen.goes_on(p, optimizer, now)]
        if computes_anew(args, kwargs):
            self._begins.clear()
        self._begins = blank_ones(optimizer, self._begins)

    def _after_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:  # noqa: ARG002
        self._again |= {id(p): weakref.ref(p) for p in self._begins if _holds(optimizer, p)}
        self._begins.clear()


def blank_ones(optimizer: Optimizer, parameters: Sequence[Tensor]) -> list[Tensor]:
    """The parameters with a gradient for which the optimizer holds nothing yet, or what it made for no step so far."""
    return [
        p for p in parameters if p.grad is not None and (not _holds(optimizer, p) or not _has_counted(optimizer, p))
    ]


def computes_anew(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the step is given a closure, which clears and fills the gradients within it."""
    given: Sequence[Callable[..., Any] | None] = (*args[1:2], kwargs.get("closure"))  # the first is the optimizer
    return any(each is not None for each in given)


def _state(optimizer: Optimizer, parameter: Tensor) -> Mapping[str, Any]:
    state = getattr(optimizer, "state", None)
    mine = state.get(parameter) if isinstance(state, Mapping) else None
    return mine if isinstance(mine, Mapping) else {}


def _holds(optimizer: Optimizer, parameter: Tensor) -> bool:
    """Whether it keeps a tensor for this parameter, beside a count of steps."""
    return any(isinstance(kept, Tensor) for key, kept in _state(optimizer, parameter).items() if key != "step")


def _has_counted(optimizer: Optimizer, parameter: Tensor) -> bool:
    """Whether it has made a step by this parameter; so it is taken where the count is none, or on a device."""
    steps = _state(optimizer, parameter).get("step", 1)
    if isinstance(steps, Tensor):
        return steps.device.type != "cpu" or bool(steps != 0)
    return bool(steps)

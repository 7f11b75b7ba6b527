"""A call of `torch.autograd.grad`, which gives gradients to the script and leaves none in the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from torch import Tensor, nn


class GradCall:
    """The call as the script made it; `has_run` says whether it was done, and `result` what it gave.

    `parameters` are the leaves that are asked for, none where anything else is asked for beside them.
    """

    def __init__(self, real: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.has_run = False
        self.error: BaseException | None = None
        self.result: Any = None
        self._real = real
        self._args, self._kwargs = _read_once(args, kwargs)
        self.parameters = _leaves(self._argument(1, "inputs", ()))
        self._held: list[Tensor | None] | None = None

    @cached_property
    def losses(self) -> tuple[Tensor, ...]:
        """The tensors that the gradients are of; none where one is an edge of the graph."""
        return _tensors(self._argument(0, "outputs", ()))

    @property
    def keeps_graph(self) -> bool:
        """Whether what it gives can be differentiated in turn."""
        return bool(self._argument(4, "create_graph", False))

    @property
    def may_train(self) -> bool:
        """Whether it asks for leaves, and not for the slope at an input, as a penalty or an equation has it."""
        return bool(self.parameters) and not (self.keeps_graph and not self.has_parameters)

    @property
    def has_parameters(self) -> bool:
        """Whether any of the leaves that are asked for is a Parameter."""
        return any(isinstance(each, nn.Parameter) for each in self.parameters)

    @property
    def is_batched(self) -> bool:
        """Whether it is given many gradients to start with at once."""
        return bool(self._argument(7, "is_grads_batched", False))

    @property
    def weights(self) -> Any:
        """The gradients that the script starts the pass with; None for a scalar loss."""
        return self._argument(2, "grad_outputs", None)

    @property
    def gradients(self) -> tuple[Tensor | None, ...]:
        """What the call gave for each of the parameters."""
        given = self.result.values() if type(self.result) is dict else self.result
        return tuple(given or ())

    def run(self) -> Any:
        """Do what the script asked for. What that raises is the script's own, and stands in `error`."""
        self.has_run = True
        lent = self._held
        try:
            if lent is not None:
                self._put(lent)
            self.result = self._real(*self._args, **self._kwargs)
            if lent is not None:
                self._put([None if each is None else each.detach() for each in self.gradients])
        except BaseException as error:
            self.error = error
            raise
        return self.result

    @contextmanager
    def as_backward_leaves_it(self) -> Iterator[None]:
        """A block before and after the run, in which the parameters hold the gradients of this call alone, as if
        backward had left them there. What the script keeps there stands there again during the run, and afterwards."""
        self._held = [parameter.grad for parameter in self.parameters]
        try:
            self._put([None] * len(self.parameters))
            yield
        finally:
            self._put(self._held)
            self._held = None

    def _put(self, gradients: Sequence[Tensor | None]) -> None:
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient

    def _argument(self, place: int, name: str, otherwise: Any) -> Any:
        return self._args[place] if len(self._args) > place else self._kwargs.get(name, otherwise)


def _read_once(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments, with a tuple in the place of an iterator, as `model.parameters()` is one."""
    if len(args) > 1:
        return ((args[0], tuple(args[1]), *args[2:]), kwargs) if isinstance(args[1], Iterator) else (args, kwargs)
    inputs = kwargs.get("inputs")
    return args, {**kwargs, "inputs": tuple(inputs)} if isinstance(inputs, Iterator) else kwargs


def _tensors(given: Any) -> tuple[Tensor, ...]:
    each = (given,) if isinstance(given, Tensor) else tuple(given) if isinstance(given, Sequence) else ()
    return each if all(isinstance(one, Tensor) for one in each) else ()


def _leaves(given: Any) -> tuple[Tensor, ...]:
    if isinstance(given, Tensor) and not given.is_leaf:
        return ()
    each = _tensors(tuple(given.values()) if type(given) is dict else given)
    return each if all(is_trainable(one) for one in each) else ()


def is_trainable(tensor: Tensor) -> bool:
    """Whether a tensor is one that training may move: a Parameter, or a leaf that asks for its gradient."""
    return tensor.is_leaf and tensor.requires_grad and (type(tensor) is Tensor or isinstance(tensor, nn.Parameter))

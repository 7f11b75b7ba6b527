"""Reversible wrappings of the few torch functions that tell what a script does: backward, clipping, loss scaling."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from gradreach.remedies.clip import Clip


@dataclass(frozen=True, slots=True)
class BackwardCall:
    """A call of `torch.autograd.backward`, as the script made it."""

    real: Callable[..., None]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def losses(self) -> tuple[Tensor, ...]:
        """The tensors that the pass starts from."""
        tensors = self.args[0] if self.args else self.kwargs.get("tensors", ())
        return (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)

    @property
    def weights(self) -> Any:
        """The gradients that the script starts the pass with; None for a scalar loss."""
        return self.args[1] if len(self.args) > 1 else self.kwargs.get("grad_tensors")

    def run(self) -> None:
        """Do what the script asked for."""
        self.real(*self.args, **self.kwargs)


@runtime_checkable
class Listener(Protocol):
    """What hears of the wrapped calls."""

    def backward(self, call: BackwardCall) -> None:
        """Run the call; the script waits for it."""

    def clipped(self, kind: Literal["norm", "value"], threshold: float, norm: Any) -> None:
        """The script clipped its gradients: by "norm" (with the norm before clipping) or by "value"."""

    def limited(self, clip: Clip) -> None:
        """A gr.Clip, the script's or a guard's, has clipped, or found nothing to clip."""

    def scaled(self, scaler: Any) -> None:
        """The script scaled a loss with this GradScaler."""

    def scaler_steps(self, scaler: Any, optimizer: Any) -> None:
        """The script is about to have its GradScaler step an optimizer."""

    def compiled(self, target: Any) -> None:
        """The script compiles this model or function."""


class Patches:
    """Wraps on construction, unwraps on `release`; each name is put back as it was."""

    def __init__(self, listener: Listener) -> None:
        self._undo: list[Callable[[], None]] = []
        self._wrap(torch.autograd, "backward", lambda real: _backward(real, listener))
        for module in (torch.nn.utils, torch.nn.utils.clip_grad):
            self._wrap(module, "clip_grad_norm_", lambda real: _clip_norm(real, listener))
            self._wrap(module, "clip_grad_value_", lambda real: _clip_value(real, listener))
        self._wrap(Clip, "apply", lambda real: _clip_apply(real, listener))
        self._wrap(torch.amp.GradScaler, "scale", lambda real: _scale(real, listener))
        self._wrap(torch.amp.GradScaler, "step", lambda real: _scaler_step(real, listener))
        self._wrap(torch, "compile", lambda real: _compile(real, listener))

    def release(self) -> None:
        """Put everything back, the last first."""
        while self._undo:
            self._undo.pop()()

    def _wrap(self, owner: Any, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
        real = getattr(owner, name)
        setattr(owner, name, functools.wraps(real)(make(real)))
        self._undo.append(lambda: setattr(owner, name, real))


def _backward(real: Any, listener: Listener) -> Callable[..., Any]:
    def backward(*args: Any, **kwargs: Any) -> None:
        listener.backward(BackwardCall(real, args, kwargs))

    return backward


def _clip_norm(real: Any, listener: Listener) -> Callable[..., Any]:
    def clip_grad_norm_(parameters: Any, max_norm: float, *args: Any, **kwargs: Any) -> Any:
        norm = real(parameters, max_norm, *args, **kwargs)
        listener.clipped("norm", max_norm, norm)
        return norm

    return clip_grad_norm_


def _clip_value(real: Any, listener: Listener) -> Callable[..., Any]:
    def clip_grad_value_(parameters: Any, clip_value: float, *args: Any, **kwargs: Any) -> Any:
        result = real(parameters, clip_value, *args, **kwargs)
        listener.clipped("value", clip_value, None)
        return result

    return clip_grad_value_


def _clip_apply(real: Any, listener: Listener) -> Callable[..., Any]:
    def apply(self: Clip) -> None:
        real(self)
        listener.limited(self)

    return apply


def _scale(real: Any, listener: Listener) -> Callable[..., Any]:
    def scale(self: Any, outputs: Any) -> Any:
        listener.scaled(self)
        return real(self, outputs)

    return scale


def _scaler_step(real: Any, listener: Listener) -> Callable[..., Any]:
    def step(self: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        listener.scaler_steps(self, optimizer)
        return real(self, optimizer, *args, **kwargs)

    return step


def _compile(real: Any, listener: Listener) -> Callable[..., Any]:
    def compile(*args: Any, **kwargs: Any) -> Any:
        listener.compiled(args[0] if args else kwargs.get("model"))
        return real(*args, **kwargs)

    return compile

"""Reversible wrappings of the few torch functions that tell what a script does: backward, clipping, loss scaling,
loading of states and of data."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from types import GeneratorType
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, dataloader

from gradreach.remedies.clip import Clip
from gradreach.watch.frames import is_by_torch
from gradreach.watch.grad_call import GradCall
from gradreach.watch.home import Home
from gradreach.watch.own_work import OwnWork, is_ours
from gradreach.watch.tracebacks import without_ours


class BackwardCall:
    """A call of `torch.autograd.backward`, as the script made it; `has_run` says whether it was done.

    `losses` are the tensors that the pass starts from; none where it starts from an edge of the graph.
    """

    def __init__(self, real: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.has_run = False
        self.error: BaseException | None = None
        self.losses: tuple[Tensor, ...]
        self._real = real
        tensors = args[0] if args else kwargs.get("tensors", ())
        if isinstance(tensors, Tensor):
            self.losses = (tensors,)
        else:
            tensors = tuple(tensors) if isinstance(tensors, Iterator) else tensors  # it may be read only once
            args, kwargs = ((tensors, *args[1:]), kwargs) if args else (args, {**kwargs, "tensors": tensors})
            each = tuple(tensors) if isinstance(tensors, Sequence) else (tensors,)
            self.losses = each if all(isinstance(tensor, Tensor) for tensor in each) else ()
        self._args, self._kwargs = args, kwargs

    @property
    def weights(self) -> Any:
        """The gradients that the script starts the pass with; None for a scalar loss."""
        return self._args[1] if len(self._args) > 1 else self._kwargs.get("grad_tensors")

    def run(self) -> None:
        """Do what the script asked for. What that raises is the script's own, and stands in `error`."""
        self.has_run = True
        try:
            self._real(*self._args, **self._kwargs)
        except BaseException as error:
            self.error = error
            raise


@runtime_checkable
class Driver(Protocol):
    """What runs the backward passes."""

    def backward(self, call: BackwardCall) -> None:
        """Run the call; the script waits for it."""

    def asked(self, call: GradCall) -> None:
        """Run a call of `torch.autograd.grad`; the script waits for it."""


@runtime_checkable
class Maker(Protocol):
    """What hears where other code is made of the script's, which must meet no hook of ours."""

    def captures(self, *, begins: bool) -> None:
        """The script begins to capture a CUDA graph, or has done so."""

    def replays(self) -> None:
        """The script runs a captured CUDA graph."""

    def hooked(self, tensor: Tensor) -> None:
        """The script hooks this tensor, or has it keep its gradient."""

    def compiles(self, target: Any) -> None:
        """The script is about to compile this model or function; None where it asks for a decorator."""

    def compiled(self, target: Any, made: Any) -> Any:
        """What the script is given for what was made of it."""

    def exports(self, *, begins: bool) -> None:
        """The script begins to export a model, or has done so."""


@runtime_checkable
class Listener(Protocol):
    """What hears of the other calls."""

    def clipped(
        self, kind: Literal["norm", "value"], threshold: float, norm: Any, parameters: Sequence[Tensor]
    ) -> None:
        """The script clipped the gradients of parameters: by "norm" (with the norm before clipping) or by "value"."""

    def clips_by_value(self, threshold: float, parameters: Sequence[Tensor]) -> None:
        """The script is about to clip the gradients of parameters by value."""

    def limited(self, clip: Clip) -> None:
        """A gr.Clip, the script's or a guard's, has clipped, or found nothing to clip."""

    def scaled(self, scaler: Any) -> None:
        """The script scaled a loss with this GradScaler."""

    def scaler_steps(self, scaler: Any, optimizer: Any) -> None:
        """The script is about to have its GradScaler step an optimizer."""

    def loaded(self, module: nn.Module, state: Any, result: Any) -> None:
        """The script had this module load a state, and got this result."""

    def iterates(self, loader: DataLoader[Any], iterator: Any) -> None:
        """The script begins to go through a loader, by this iterator."""

    def runs_out(self, iterator: Any) -> None:
        """A loader's iterator has no more batches for the script."""


class Patches:
    """Wraps on construction, unwraps on `release`; each name is put back as it was.

    All but compiling and exporting, which concern hooks everywhere, is told of `home` alone. What a driver or listener
    raises is `own_work` that failed; what the script's own call raises goes on as if nobody listened, without a frame
    of ours in its traceback.
    """

    def __init__(self, driver: Driver, maker: Maker, listener: Listener, home: Home, own_work: OwnWork) -> None:
        self._undo: list[Callable[[], None]] = []
        wrap, self._tell = self._wrap, _Teller(driver, maker, listener, home, own_work)
        wrap(torch.autograd, "backward", self._tell.backward)
        wrap(torch.autograd, "grad", self._tell.grad)
        wrap(torch.cuda.CUDAGraph, "capture_begin", self._tell.capture_begin)
        wrap(torch.cuda.CUDAGraph, "capture_end", self._tell.capture_end)
        wrap(torch.cuda.CUDAGraph, "replay", self._tell.replay)
        for module in (torch.nn.utils, torch.nn.utils.clip_grad):
            wrap(module, "clip_grad_norm_", self._tell.clip_norm)
            wrap(module, "clip_grad_value_", self._tell.clip_value)
        wrap(Clip, "apply", self._tell.clip_apply)
        wrap(torch.amp.GradScaler, "scale", self._tell.scale)
        wrap(torch.amp.GradScaler, "step", self._tell.scaler_step)
        wrap(torch, "compile", self._tell.compile)
        wrap(torch.export, "export", self._tell.export)
        wrap(torch.Tensor, "register_hook", self._tell.hook)
        wrap(torch.Tensor, "retain_grad", self._tell.hook)
        wrap(nn.Module, "load_state_dict", self._tell.load)
        wrap(DataLoader, "__iter__", self._tell.iterate)
        wrap(dataloader._BaseDataLoaderIter, "__next__", self._tell.next)

    def release(self) -> None:
        """Put everything back, the last first; where the script itself has wrapped ours, ours only passes on."""
        self._tell.is_listened_to = False
        while self._undo:
            self._undo.pop()()

    def _wrap(self, owner: Any, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
        real, is_inherited = getattr(owner, name), name not in vars(owner)
        told = make(real)

        @functools.wraps(real)
        def ours(*args: Any, **kwargs: Any) -> Any:
            try:
                return told(*args, **kwargs)
            except BaseException as error:
                error.__traceback__ = without_ours(error.__traceback__)
                raise

        setattr(owner, name, ours)

        def undo() -> None:
            if getattr(owner, name) is not ours:
                return
            if is_inherited:
                delattr(owner, name)
            else:
                setattr(owner, name, real)

        self._undo.append(undo)


class _Teller:
    """Makes of each torch function one that does the same, and tells driver or listener while `is_listened_to`."""

    def __init__(self, driver: Driver, maker: Maker, listener: Listener, home: Home, own_work: OwnWork) -> None:
        self.is_listened_to = True
        self.is_capturing = False
        self._driver = driver
        self._maker = maker
        self._listener = listener
        self._home = home
        self._own_work = own_work

    def backward(self, real: Any) -> Callable[..., Any]:
        def backward(*args: Any, **kwargs: Any) -> None:
            call = BackwardCall(real, args, kwargs)
            try:
                if self._may_tell() and self._home.passes():
                    self._driver.backward(call)
            except BaseException as error:
                if error is call.error or not is_ours(error):
                    raise
                self._own_work.tell(error)
            if not call.has_run:
                call.run()

        return backward

    def grad(self, real: Any) -> Callable[..., Any]:
        def grad(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or not self._may_tell():
                return real(*args, **kwargs)
            call = GradCall(real, args, kwargs)
            try:
                if self._home.is_here() or (call.may_train and self._home.passes()):
                    self._driver.asked(call)
            except BaseException as error:
                if error is call.error or not is_ours(error):
                    raise
                self._own_work.tell(error)
            return call.result if call.has_run else call.run()

        return grad

    def capture_begin(self, real: Any) -> Callable[..., Any]:
        def capture_begin(*args: Any, **kwargs: Any) -> Any:
            self._do_anywhere(lambda: self._maker.captures(begins=True))
            self.is_capturing = True
            return real(*args, **kwargs)

        return capture_begin

    def capture_end(self, real: Any) -> Callable[..., Any]:
        def capture_end(*args: Any, **kwargs: Any) -> Any:
            try:
                return real(*args, **kwargs)
            finally:
                self.is_capturing = False
                self._do_anywhere(lambda: self._maker.captures(begins=False))

        return capture_end

    def replay(self, real: Any) -> Callable[..., Any]:
        def replay(*args: Any, **kwargs: Any) -> Any:
            if not is_by_torch(sys._getframe()):  # the graphs that torch makes itself lie within passes
                self._do(self._maker.replays)
            return real(*args, **kwargs)

        return replay

    def clip_norm(self, real: Any) -> Callable[..., Any]:
        def clip_grad_norm_(*args: Any, **kwargs: Any) -> Any:
            clipped, args, kwargs = _parameters_kept(args, kwargs)
            norm = real(*args, **kwargs)
            self._do(lambda: self._listener.clipped("norm", _second(args, kwargs, "max_norm"), norm, clipped))
            return norm

        return clip_grad_norm_

    def clip_value(self, real: Any) -> Callable[..., Any]:
        def clip_grad_value_(*args: Any, **kwargs: Any) -> Any:
            clipped, args, kwargs = _parameters_kept(args, kwargs)
            threshold = _second(args, kwargs, "clip_value")
            self._do(lambda: self._listener.clips_by_value(threshold, clipped))
            result = real(*args, **kwargs)
            self._do(lambda: self._listener.clipped("value", threshold, None, clipped))
            return result

        return clip_grad_value_

    def clip_apply(self, real: Any) -> Callable[..., Any]:
        def apply(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            self._do(lambda: self._listener.limited(args[0]))
            return result

        return apply

    def scale(self, real: Any) -> Callable[..., Any]:
        def scale(*args: Any, **kwargs: Any) -> Any:
            self._do(lambda: self._listener.scaled(args[0]))
            return real(*args, **kwargs)

        return scale

    def scaler_step(self, real: Any) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            try:
                if self._may_tell_here():  # not as own work: a guard that stands before the step is asked for
                    self._listener.scaler_steps(args[0], _second(args, kwargs, "optimizer"))
            except Exception as error:
                if not is_ours(error):
                    raise
                self._own_work.tell(error)
            return real(*args, **kwargs)

        return step

    def compile(self, real: Any) -> Callable[..., Any]:
        def compile(*args: Any, **kwargs: Any) -> Any:
            target = args[0] if args else kwargs.get("model")
            self._do_anywhere(lambda: self._maker.compiles(target))
            made = [real(*args, **kwargs)]
            self._do_anywhere(lambda: made.append(self._maker.compiled(target, made[0])))
            return made[-1]

        return compile

    def export(self, real: Any) -> Callable[..., Any]:
        def export(*args: Any, **kwargs: Any) -> Any:
            self._do_anywhere(lambda: self._maker.exports(begins=True))
            try:
                return real(*args, **kwargs)
            finally:
                self._do_anywhere(lambda: self._maker.exports(begins=False))

        return export

    def hook(self, real: Any) -> Callable[..., Any]:
        def hook(*args: Any, **kwargs: Any) -> Any:
            self._do(lambda: self._maker.hooked(args[0]))
            return real(*args, **kwargs)

        return hook

    def load(self, real: Any) -> Callable[..., Any]:
        def load_state_dict(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            module = args[0] if args else kwargs["self"]
            self._do(lambda: self._listener.loaded(module, _second(args, kwargs, "state_dict"), result))
            return result

        return load_state_dict

    def iterate(self, real: Any) -> Callable[..., Any]:
        def iterate(*args: Any, **kwargs: Any) -> Any:
            iterator = real(*args, **kwargs)
            self._do(lambda: self._listener.iterates(args[0], iterator))
            return iterator

        return iterate

    def next(self, real: Any) -> Callable[..., Any]:
        def following(*args: Any, **kwargs: Any) -> Any:
            try:
                return real(*args, **kwargs)
            except StopIteration:
                self._do(lambda: self._listener.runs_out(args[0]))
                raise

        return following

    def _do(self, tell: Callable[[], None]) -> None:
        if self._home.is_here():
            self._do_anywhere(tell)

    def _do_anywhere(self, tell: Callable[[], None]) -> None:
        if self._may_tell():
            with self._own_work:
                tell()

    def _may_tell_here(self) -> bool:
        return self._may_tell() and self._home.is_here()

    def _may_tell(self) -> bool:
        """Not where our own work calls what is wrapped, not while a CUDA graph is captured, in which no number may be
        read, and not where watching has ended."""
        is_asleep = self.is_capturing or self._own_work.has_given_up
        return self.is_listened_to and not is_asleep and not self._own_work.is_running


def _second(args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Any:
    """The second argument of a call, which may have been given by its name."""
    return args[1] if len(args) > 1 else kwargs.get(name)


def _parameters_kept(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Tensor, ...], tuple[Any, ...], dict[str, Any]]:
    """The parameters that a clipping call is given, and its arguments, with a new generator in the place of one, for
    torch tells generators from lists."""
    given = args[0] if args else kwargs.get("parameters", ())
    if isinstance(given, Tensor):
        return (given,), args, kwargs
    if isinstance(given, Iterator):
        kept = tuple(given)
        again = (each for each in kept) if isinstance(given, GeneratorType) else iter(kept)
        if args:
            return kept, (again, *args[1:]), kwargs
        return kept, args, {**kwargs, "parameters": again}
    return tuple(given) if isinstance(given, Sequence) else (), args, kwargs

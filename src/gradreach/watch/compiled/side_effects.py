"""What a call may leave behind in the objects that it can reach, taken before and put back after."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from torch import Tensor, nn

from gradreach.watch.models import modules_of

MOST_CONTAINERS = 20_000
"""Of more containers, the first are taken."""


@dataclass(frozen=True, slots=True)
class HeldValues:
    """A container of the script's, an object's own attributes among them, and what it held at one time."""

    container: Any
    values: Any

    def put_back(self, stand_in: Callable[[Any], Any]) -> None:
        """Have it hold these values again, each by what `stand_in` makes of it; what it holds anyway is not touched."""
        there = self.container
        if isinstance(there, dict):
            kind = OrderedDict if isinstance(there, OrderedDict) else dict
            for key in [key for key in there if key not in self.values]:
                kind.__delitem__(there, key)
            for key, value in self.values.items():
                new = stand_in(value)
                if key not in there or dict.__getitem__(there, key) is not new:
                    kind.__setitem__(there, key, new)
        elif not _holds_the_same(there, self.values):
            there.clear()
            (there.update if isinstance(there, set) else there.extend)(self.values)


@dataclass(frozen=True, slots=True)
class ScriptState:
    """All that was held at one time, and the numbers of the buffers at that time, by identity."""

    held: tuple[HeldValues, ...]
    buffers: Mapping[int, Tensor]

    def put_back(self, stand_in: Callable[[Any], Any] = lambda value: value) -> None:
        """Have every container hold what it held then."""
        for each in self.held:
            each.put_back(stand_in)

    def put_buffers_back(self) -> None:
        """Have copies stand in the buffers' places, as these were then, for what writes into them; the buffers
        themselves are not touched."""
        for each in self.held:
            for name, value in each.values.items() if isinstance(each.values, dict) else ():
                if id(value) in self.buffers:
                    each.container[name] = self.buffers[id(value)]


def state_behind(call: Callable[..., Any], arguments: Iterable[Any], *, buffers: bool) -> ScriptState:
    """What the objects hold that a call can reach at once: the modules, its own object, what it closes over and the
    globals that it names; with copies of the modules' `buffers` where asked for."""
    held: list[HeldValues] = []
    copies: dict[int, Tensor] = {}
    seen: set[int] = set()
    for owner in _reached(call, arguments):
        for container in _containers(owner):
            if id(container) not in seen and len(held) < MOST_CONTAINERS:
                seen.add(id(container))
                held.append(HeldValues(container, _copied(container)))
        if buffers and isinstance(owner, nn.Module):
            copies |= {id(b): b.detach().clone() for b in owner._buffers.values() if b is not None}
    return ScriptState(tuple(held), copies)


def modules_behind(call: Callable[..., Any], arguments: Iterable[Any] = ()) -> Iterator[nn.Module]:
    """The modules that a call can reach at once, with all within them."""
    return (owner for owner in _reached(call, arguments) if isinstance(owner, nn.Module))


def _reached(call: Callable[..., Any], arguments: Iterable[Any]) -> Iterator[Any]:
    pending, seen = [call, *arguments], set()
    while pending:
        value = pending.pop(0)
        if id(value) in seen or isinstance(value, (Tensor, type, ModuleType)):
            continue
        seen.add(id(value))
        if isinstance(value, MethodType):
            pending += [value.__self__, value.__func__]
        elif isinstance(value, FunctionType):
            pending += [] if _is_of_torch(value) else _free_values(value)
        elif isinstance(value, nn.Module):
            for _, module in modules_of(value):
                seen.add(id(module))
                yield module
                pending.append(type(module).forward)
        elif _is_plain(value):
            yield value
        elif not _is_of_torch(type(value)):
            inside = getattr(value, "__dict__", None)
            if type(inside) is dict:
                yield value
                pending += [each for each in inside.values() if isinstance(each, nn.Module)]


def _free_values(function: FunctionType) -> list[Any]:
    """What a function closes over, and the globals that it names, here and in functions within it."""
    values = []
    for cell in function.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:  # not yet set
            continue
    named = (function.__globals__.get(name) for name in _names(function.__code__))
    return values + [value for value in named if _is_followed(value, function)]


def _is_followed(value: Any, function: FunctionType) -> bool:
    """Whether a global that a function names is looked into: not what other files define."""
    if isinstance(value, FunctionType):
        return value.__module__ == function.__module__
    return isinstance(value, nn.Module) or _is_plain(value)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_of_torch(defined: Any) -> bool:
    """Whether a function or class is one of torch's or Python's own, whose state is no script's."""
    return defined.__module__ is None or defined.__module__.partition(".")[0] in ("torch", "builtins")


def _containers(owner: Any) -> Iterator[Any]:
    if _is_plain(owner):
        yield owner
        return
    inside = owner.__dict__
    yield inside
    yield from (value for value in inside.values() if _is_plain(value))


def _copied(container: Any) -> Any:
    """The same values in a container of Python's own, without a call of the script's methods."""
    kind = next(own for own in (dict, list, set, deque) if isinstance(container, own))
    return dict(dict.items(container)) if kind is dict else kind(container)


def _is_plain(value: Any) -> bool:
    return type(value) in (list, set, deque) or isinstance(value, dict)


def _holds_the_same(one: Any, other: Any) -> bool:
    if isinstance(one, set):
        return bool(one == other)
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))

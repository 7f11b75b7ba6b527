"""The ways through a function, as its bytecode tells: which lines must have run, and what is read later."""

from __future__ import annotations

import dis
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import CodeType

_ENDS = ("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE")
_LEAPS = ("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_ABSOLUTE")
"""Instructions after which the next one does not follow; JUMP_IF_… and POP_JUMP_… have other names."""

_VARIABLE = ("FAST", "NAME", "GLOBAL", "DEREF", "CLOSURE", "FROM_DICT")

Stop = Callable[[int], bool]


@dataclass(frozen=True)
class Ways:
    """The instructions of one code object, and which may follow which; what handles exceptions is left out."""

    code: CodeType

    @cached_property
    def instructions(self) -> tuple[dis.Instruction, ...]:
        """All of them, in order."""
        return tuple(each for each in dis.get_instructions(self.code) if each.opname not in ("EXTENDED_ARG", "CACHE"))

    @cached_property
    def _places(self) -> list[int]:
        return [each.offset for each in self.instructions]

    def after(self, place: int) -> tuple[int, ...]:
        """The places of the instructions that may come next."""
        at = self._at(place)
        each = self.instructions[at]
        following = []
        if not each.opname.startswith((*_ENDS, *_LEAPS)) and at + 1 < len(self.instructions):
            following.append(self.instructions[at + 1].offset)
        if (each.opcode in dis.hasjrel or each.opcode in dis.hasjabs) and isinstance(each.argval, int):
            following.append(self._places[min(bisect_left(self._places, each.argval), len(self._places) - 1)])
        return tuple(following)

    def leads(self, starts: Iterable[int], to: Stop, *, not_by: Stop = lambda _: False) -> bool:
        """Whether there is a way from one of these places to one that is wanted, by none that is shut."""
        pending = list(dict.fromkeys(starts))
        seen = set(pending)
        for place in pending:  # grows while it is walked
            if to(place):
                return True
            if not not_by(place):
                new = [each for each in self.after(place) if each not in seen]
                seen.update(new)
                pending += new
        return False

    def stores(self, name: str) -> list[int]:
        """The places where a variable gets a value."""
        return [each.offset for each in self.instructions if name in _stored(each)]

    def is_end(self, place: int) -> bool:
        """Whether the function ends there."""
        return self._is(place).opname.startswith(_ENDS)

    def is_read_after(self, place: int, name: str, *, before: int | None = None) -> bool:
        """Whether what a variable holds at a place may be read later; `before` another place is come to."""

        def reads(there: int) -> bool:
            return name in _loaded(self._is(there))

        def ends(there: int) -> bool:
            return there == before or name in _stored(self._is(there))

        return self.leads(self.after(place), reads, not_by=ends)

    def repeats(self, place: int) -> bool:
        """Whether a place stands in a loop."""
        return self.leads(self.after(place), lambda each: each == place)

    def _at(self, place: int) -> int:
        return min(bisect_left(self._places, place), len(self._places) - 1)

    def _is(self, place: int) -> dis.Instruction:
        return self.instructions[self._at(place)]


@lru_cache(maxsize=256)
def ways(code: CodeType) -> Ways:
    """The ways through one code object."""
    return Ways(code)


def has_run_before(code: CodeType, line: int, at: int, name: str) -> bool:
    """Whether a line must have run on what a variable holds by the time that the run stands `at` a place: there is no
    way there from where it got its value but by that line."""
    through = ways(code)
    stores = through.stores(name)
    starts = [each for place in stores for each in through.after(place)]
    if not stores or name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        starts.append(through.instructions[0].offset)

    def is_there(place: int) -> bool:
        return place == at

    return through.leads(starts, is_there) and not through.leads(starts, is_there, not_by=lambda each: each == line)


def runs_next(code: CodeType, line: int, at: int, name: str) -> bool:
    """Whether a line must run on what a variable holds `at` a place before the run comes to that place again, or to its
    end."""
    through = ways(code)
    stores = set(through.stores(name))
    ends = through.leads(
        through.after(at),
        lambda each: each == at or each in stores or through.is_end(each),
        not_by=lambda each: each == line,
    )
    return not ends and through.leads(through.after(at), lambda each: each == line)


def _stored(each: dis.Instruction) -> tuple[str, ...]:
    """The variables that an instruction sets or deletes."""
    names = _names(each)
    if each.opname.startswith("STORE_FAST_LOAD"):
        return names[:1]
    return names if each.opname.startswith(("STORE", "DELETE")) else ()


def _loaded(each: dis.Instruction) -> tuple[str, ...]:
    """The variables that an instruction reads."""
    names = _names(each)
    if each.opname.startswith("STORE_FAST_LOAD"):
        return names[1:]
    return names if each.opname.startswith("LOAD") else ()


def _names(each: dis.Instruction) -> tuple[str, ...]:
    if not any(kind in each.opname for kind in _VARIABLE):
        return ()
    return tuple(map(str, each.argval)) if isinstance(each.argval, tuple) else (str(each.argval),)

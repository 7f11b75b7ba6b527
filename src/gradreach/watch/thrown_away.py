"""Lines that make a tensor and throw it away at once: an operation that changes nothing, as a statement of its own."""

from __future__ import annotations

import ast
import dis
import linecache
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from types import BuiltinFunctionType, CodeType, ModuleType, NoneType
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

_SIGNS = frozenset(("+", "-", "*", "/", "@", "**", "%"))
_POINTWISE = (
    *("abs", "neg", "exp", "log1p", "log2", "log10", "sqrt", "rsqrt", "square", "reciprocal", "sin", "cos"),
    *("tan", "sign", "round", "floor", "ceil", "trunc", "nan_to_num", "clamp", "clip", "clamp_min", "clamp_max"),
    *("sub", "mul", "div", "pow", "lerp", "addcmul", "addcdiv", "matmul", "bmm", "mm", "tanh", "sigmoid", "relu"),
    *("relu6", "softmax", "log_softmax", "softmin", "softplus", "softsign", "silu", "gelu", "elu", "selu", "celu"),
    *("leaky_relu", "mish", "hardtanh", "hardsigmoid", "hardswish", "hardshrink", "softshrink", "tanhshrink"),
    *("logsigmoid", "threshold", "glu", "prelu", "normalize", "layer_norm", "group_norm", "dropout", "dropout1d"),
    *("dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "masked_fill", "masked_scatter"),
    *("index_fill", "index_add", "index_copy", "scatter", "scatter_add", "where", "tril", "triu"),
)
RESHAPING = frozenset(
    (
        *("view", "reshape", "permute", "transpose", "squeeze", "unsqueeze", "flatten", "unflatten", "expand"),
        *("expand_as", "repeat", "repeat_interleave", "tile", "flip", "fliplr", "flipud", "roll", "movedim"),
        *("moveaxis", "swapaxes", "swapdims", "narrow", "cat", "concat", "stack", "pad"),
    )
)
"""Operations whose result has another shape than what they are given, or its parts in another order."""

PURE = frozenset((*_POINTWISE, *RESHAPING, "detach"))
"""Functions and methods of torch's that change nothing of what they are given, by the name without an underscore."""

_CACHE, _POP_TOP, _BINARY_OP = (dis.opmap.get(name, 0) for name in ("CACHE", "POP_TOP", "BINARY_OP"))

_OF_TORCH = (torch, torch.nn.functional)

Variables = Callable[[str], Any]
"""The value of a variable by its name; None where there is none."""


@dataclass(frozen=True, slots=True)
class ThrownAway:
    """One such statement: the place of its last instruction, the number of its line, its text, and the sign or name of
    its operation."""

    offset: int
    number: int
    text: str
    operation: str
    tree: ast.expr

    def source(self, variables: Variables) -> str:
        """The first variable that is a tensor, of those that the statement works on or on a part of; empty where there
        is none, or the result of a call comes before it."""
        return self._worked_on(variables)[1]

    def subject(self, variables: Variables) -> str:
        """What the statement would change, were its result kept there: `x`, or `p.data`; empty where it works on a
        part of its source, or on something else."""
        part, name = self._worked_on(variables)
        is_whole = isinstance(part, ast.Name) or (
            isinstance(part, ast.Attribute) and part.attr == "data" and isinstance(part.value, ast.Name)
        )
        return ast.unparse(part) if part and is_whole and type(variables(name)) in (Tensor, Parameter) else ""

    def _worked_on(self, variables: Variables) -> tuple[ast.expr | None, str]:
        for part in _operands(self.tree, variables):
            name = _root(part)
            kind = type(variables(name))
            if issubclass(kind, Tensor):
                return part, name
            if isinstance(part, ast.Call) and not issubclass(kind, (ModuleType, BuiltinFunctionType, NoneType, type)):
                break
        return None, ""


@lru_cache(maxsize=4096)
def thrown_away(code: CodeType) -> Mapping[int, ThrownAway]:
    """Those of one code object, by their place; none where the source cannot be read."""
    found: dict[int, ThrownAway] = {}
    if not _throws_away(code):
        return found
    for made, then in pairwise(each for each in dis.get_instructions(code) if each.opname != "EXTENDED_ARG"):
        if then.opname == "POP_TOP" and _may_be_pure(made):
            text = _source(code, made)
            tree, number = _parsed(text), made.positions.lineno if made.positions else None
            operation = _operation(made, tree)
            if tree is not None and number is not None and operation:
                found[made.offset] = ThrownAway(made.offset, number, text, operation, tree)
    return found


@lru_cache(maxsize=4096)
def instruction_at(code: CodeType, last: int) -> int:
    """The place of the instruction that a frame's `f_lasti` stands in: it may point behind it."""
    places = [each.offset for each in dis.get_instructions(code)]
    return places[max(bisect_right(places, last) - 1, 0)]


def tries_around(code: CodeType, place: int) -> frozenset[int]:
    """The `try` statements that an instruction stands in, by the place of what handles their exceptions; a `with`
    handles none."""
    known = {each.offset: each for each in dis.get_instructions(code)}
    places, entries, found = sorted(known), dis.Bytecode(code).exception_entries, set()  # type: ignore[attr-defined]
    seen: set[int] = set()
    inner = next((each.target for each in entries if each.start <= place < each.end), None)
    while inner is not None and inner not in seen:
        seen.add(inner)
        behind = places[bisect_right(places, inner) :][:1]
        if known[inner].opname == "PUSH_EXC_INFO" and known[behind[0]].opname != "WITH_EXCEPT_START":
            found.add(inner)
        inner = next((each.target for each in entries if each.start <= inner < each.end), None)
    return frozenset(found)


def _throws_away(code: CodeType) -> bool:
    """Whether there can be such a statement at all, at a glance."""
    plain = [each for each in code.co_code[::2] if each not in (_CACHE, dis.EXTENDED_ARG)]
    made = {before for before, then in pairwise(plain) if then == _POP_TOP}
    return _BINARY_OP in made or bool(PURE.intersection(code.co_names) and made)


def _may_be_pure(made: dis.Instruction) -> bool:
    if made.opname == "BINARY_OP":
        return made.argrepr in _SIGNS
    return made.opname.startswith("CALL") and "INTRINSIC" not in made.opname


def _source(code: CodeType, made: dis.Instruction) -> str:
    """The text of what an instruction computes, on one line; empty where it cannot be read."""
    at = made.positions
    if at is None or at.lineno is None or at.end_lineno is None or at.col_offset is None or at.end_col_offset is None:
        return ""
    lines = [line.encode() for line in linecache.getlines(code.co_filename)[at.lineno - 1 : at.end_lineno]]
    if not lines:
        return ""
    lines[-1] = lines[-1][: at.end_col_offset]
    lines[0] = lines[0][at.col_offset :]
    text = b"".join(lines).decode(errors="replace")
    if len(lines) > 1:
        tree = _parsed(text)
        return "" if tree is None else ast.unparse(tree)  # a comment may stand at the end of a line
    return text.strip()


def _parsed(text: str) -> ast.expr | None:
    """An expression as a tree; None where the text is none."""
    try:
        return ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, ValueError):
        return None


def _operation(made: dis.Instruction, tree: ast.expr | None) -> str:
    """The sign or name of what is thrown away; empty where it may change something."""
    if isinstance(tree, ast.BinOp) and made.opname == "BINARY_OP":
        return made.argrepr
    if not isinstance(tree, ast.Call) or made.opname == "BINARY_OP":
        return ""
    name = _name(tree.func)
    asked = any(each.arg in (None, "inplace", "out") for each in tree.keywords)
    constants = [each.value for each in tree.args if isinstance(each, ast.Constant)]
    is_other = any(each is True or isinstance(each, str) for each in constants)  # in place, or no function of torch's
    return name if name in PURE and not asked and not is_other else ""


def _name(called: ast.expr) -> str:
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""


def _operands(tree: ast.expr, variables: Variables) -> Iterator[ast.expr]:
    """What an expression is computed from, from left to right: of a method its tensor, of a function of torch's what it
    is given, of any other function nothing."""
    if isinstance(tree, ast.BinOp):
        for operand in (tree.left, tree.right):
            yield from _operands(operand, variables) if isinstance(operand, ast.BinOp) else (operand,)
    elif isinstance(tree, ast.Call):
        function = _in_modules(tree.func, variables)
        if function is not None and any(function is getattr(each, _name(tree.func), None) for each in _OF_TORCH):
            yield from tree.args
        elif function is None and isinstance(tree.func, ast.Attribute):
            yield tree.func.value


def _in_modules(part: ast.expr, variables: Variables) -> Any:
    """What a variable, or an attribute of modules, stands for; None of any other expression."""
    if isinstance(part, ast.Attribute):
        owner = _in_modules(part.value, variables)
        return vars(owner).get(part.attr) if isinstance(owner, ModuleType) else None
    return variables(part.id) if isinstance(part, ast.Name) else None


def _root(part: ast.expr) -> str:
    """The variable that a chain of attributes, indices and calls begins with."""
    while not isinstance(part, ast.Name):
        if isinstance(part, (ast.Attribute, ast.Subscript, ast.Starred)):
            part = part.value
        elif isinstance(part, ast.Call):
            part = part.func
        elif isinstance(part, ast.BinOp):
            part = part.left
        else:
            return ""
    return part.id

"""The script's own line of an operation: of the running frames, or found by its name in the source."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType

from gradreach.watch.frames import is_library_file, line_of
from gradreach.watch.nonfinite.operations import key_of

_CALLED: dict[str, frozenset[str]] = {
    "ctcloss": frozenset({"ctc_loss"}),
    "linalgeigh": frozenset({"eigh", "symeig"}),
    "linalgsvd": frozenset({"svd"}),
    "linalgvectornorm": frozenset({"norm", "vector_norm"}),
    "logsoftmax": frozenset({"log_softmax", "cross_entropy"}),
    "mseloss": frozenset({"mse_loss"}),
    "nllloss": frozenset({"nll_loss", "cross_entropy"}),
    "smoothl1loss": frozenset({"smooth_l1_loss"}),
    "binarycrossentropy": frozenset({"binary_cross_entropy"}),
    "bcewithlogitsloss": frozenset({"binary_cross_entropy_with_logits"}),
    "kldiv": frozenset({"kl_div"}),
}
_SIGNS: dict[str, tuple[type[ast.operator], ...]] = {
    "add": (ast.Add,),
    "div": (ast.Div,),
    "mul": (ast.Mult,),
    "pow": (ast.Pow,),
    "sub": (ast.Sub,),
}


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One line of the script: its place as `frames.line_of` tells it, and its text."""

    source: str
    code: str

    @staticmethod
    def of(file: str, number: int) -> SourceLine:
        """The line of a file; its text is empty where the file cannot be read."""
        return SourceLine(line_of(file, number), " ".join(linecache.getline(file, number).split()))


def line_running(frame: FrameType | None, last: FrameType) -> SourceLine | None:
    """The innermost line of the script's own code among the running frames, none of those from `last` on outwards."""
    while frame is not None and frame is not last:
        if not is_library_file(frame.f_code.co_filename):
            return SourceLine.of(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None


def line_of_call(called_from: tuple[CodeType, int] | None) -> SourceLine | None:
    """The script's line that called a model; None where a library called it."""
    if called_from is None or is_library_file(called_from[0].co_filename):
        return None
    return SourceLine.of(called_from[0].co_filename, called_from[1])


def line_between(name: str, frame: FrameType | None, called_from: tuple[CodeType, int] | None) -> SourceLine | None:
    """The one line between the last call of a model and backward where an operation of this name stands, or in the
    functions of the same file that are called there; None where there is none, or more than one.

    `frame` called backward, `called_from` is the code and line that called the model.
    """
    if frame is None or is_library_file(frame.f_code.co_filename):
        return None
    file = frame.f_code.co_filename
    tree = _parsed(file)
    if tree is None:
        return None
    after = called_from[1] if called_from is not None and called_from[0] is frame.f_code else 0
    start = list(_between(_body_of(tree, frame.f_code), after, frame.f_lineno))
    key = key_of(name)
    objects = frozenset(_objects(tree, key))
    found = {node.lineno for body in _reachable(tree, start) for node in _uses(body, key, objects)}
    return SourceLine.of(file, found.pop()) if len(found) == 1 else None


@lru_cache(maxsize=8)
def _parsed(file: str) -> ast.Module | None:
    lines = linecache.getlines(file)
    try:
        return ast.parse("".join(lines)) if lines else None
    except (SyntaxError, ValueError):
        return None


Body = Sequence[ast.stmt]


def _body_of(tree: ast.Module, code: CodeType) -> Body:
    """The statements of a function, or of the file itself."""
    if code.co_name == "<module>":
        return [s for s in tree.body if not isinstance(s, (ast.FunctionDef, ast.ClassDef))]
    inside = (n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))
    own = [n for n in inside if n.name == code.co_name and n.lineno <= code.co_firstlineno + len(n.decorator_list)]
    return max(own, key=lambda n: n.lineno).body if own else []


def _between(body: Body, after: int, last: int) -> Iterator[ast.stmt]:
    """The statements from the line `after` to the line `last`; of branches that exclude each other the one taken."""
    for statement in body:
        end = statement.end_lineno or statement.lineno
        if end < after or statement.lineno > last:
            continue
        if isinstance(statement, ast.If):
            taken = [part for part in (statement.body, statement.orelse) if part and _holds(part, after)]
            for part in taken or (statement.body, statement.orelse):
                yield from _between(part, after, last)
        elif isinstance(statement, (ast.For, ast.While, ast.With, ast.Try)):
            yield from _between(statement.body, after, last)
        else:
            yield statement


def _holds(body: Body, line: int) -> bool:
    return body[0].lineno <= line <= (body[-1].end_lineno or body[-1].lineno)


def _reachable(tree: ast.Module, start: Body) -> list[Body]:
    """These statements, and those of the functions of the file that they call, but for the models' own."""
    functions = {n.name: n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))}
    models = {id(f) for c in ast.walk(tree) if isinstance(c, ast.ClassDef) for f in c.body if _is_forward(f)}
    bodies: list[Body] = [start]
    seen: set[str] = set()
    for body in bodies:  # grows while it is walked
        for called in _called(body):
            function = functions.get(called)
            if function is not None and called not in seen and id(function) not in models:
                seen.add(called)
                bodies.append(function.body)
    return bodies


def _is_forward(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name in ("forward", "__call__")


def _walk(body: Body) -> Iterator[ast.AST]:
    return (node for statement in body for node in ast.walk(statement))


def _called(body: Body) -> Iterator[str]:
    for node in _walk(body):
        if isinstance(node, ast.Call):
            yield _name(node.func)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _objects(tree: ast.Module, key: str) -> Iterator[str]:
    """The names that the file gives to modules of the operation, as in `ctc = nn.CTCLoss()`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and key_of(_name(node.value.func)) == key:
            yield from (_name(target) for target in node.targets if isinstance(target, (ast.Name, ast.Attribute)))


def _uses(body: Body, key: str, objects: frozenset[str]) -> Iterator[ast.expr]:
    """Calls of the operation by its name or by one of `objects`, and its sign between two values."""
    names, signs = _CALLED.get(key, frozenset()) | objects, _SIGNS.get(key, ())
    for node in _walk(body):
        if isinstance(node, ast.Call):
            called = _name(node.func)
            if called in names or called.rstrip("_").replace("_", "").lower() == key:
                yield node
        elif isinstance(node, ast.BinOp) and (isinstance(node.op, signs) or (key == "sqrt" and _is_root(node))):
            yield node


def _is_root(node: ast.BinOp) -> bool:
    return isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant) and node.right.value == 0.5

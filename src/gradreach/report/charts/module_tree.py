"""The module tree of a model with its findings: dotted paths folded where alike, within what a page can show."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from gradreach.facts.statistics import known
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.depth import DepthLook

MOST = 60
"""Nodes that a page shows; what a subtree holds beyond is counted."""

DEEPEST = 30
"""Levels of nesting that are told apart; what a path names below stays one name."""

_RANK: dict[Severity | None, int] = {"error": 0, "warning": 1, "info": 2, None: 3}


@dataclass(frozen=True, slots=True)
class Node:
    """One module, or several neighbours of one list that are alike (`name` "0–11").

    `low` and `high` span the gradient rms of the modules within, None where none was seen; `modules` counts them.
    `findings` are places in the list of findings that stand at this very node, `severity` is the worst of those here
    and below. `hidden` counts the modules below that are not among `children`.
    """

    name: str
    kind: str = ""
    low: float | None = None
    high: float | None = None
    modules: int = 0
    severity: Severity | None = None
    findings: tuple[int, ...] = ()
    children: tuple[Node, ...] = ()
    hidden: int = 0


@dataclass(slots=True)
class _Open:
    """A node while the tree grows."""

    name: str
    look: DepthLook | None = None
    findings: list[int] = field(default_factory=list)
    children: dict[str, _Open] = field(default_factory=dict)


def tree(looks: Sequence[DepthLook], findings: Sequence[Finding], most: int = MOST) -> Node:
    """The tree of the modules seen, each finding at the module it names or the nearest one above that was seen.

    The root's name is empty. At most `most` nodes below it are kept: those with findings first, then the outer ones.
    """
    root = _Open("")
    for look in looks:
        _reach(root, _path(look.module)).look = look
    for place, finding in enumerate(findings):
        if module := finding.where.get("module"):
            _nearest(root, _path(str(module))).findings.append(place)
    return _pruned(_closed(root, [finding.severity for finding in findings]), most)


def bar(node: Node, root: Node) -> tuple[float, float] | None:
    """Where the node's range of gradient rms lies in that of the whole tree, on a log axis: start and width in percent.

    None where no gradient was seen.
    """
    if node.low is None or node.high is None or root.low is None or root.high is None:
        return None
    first, last = math.log10(root.low), math.log10(root.high)
    across = max(last - first, 1.0)
    start, end = ((math.log10(value) - first) / across * 100 for value in (node.low, node.high))
    return round(start, 1), round(end - start, 1)


def _path(module: str) -> list[str]:
    return module.split(".", DEEPEST) if module else []


def _reach(node: _Open, path: Sequence[str]) -> _Open:
    for name in path:
        node = node.children.setdefault(name, _Open(name))
    return node


def _nearest(node: _Open, path: Sequence[str]) -> _Open:
    for name in path:
        if name not in node.children:
            return node
        node = node.children[name]
    return node


def _closed(node: _Open, severities: Sequence[Severity]) -> Node:
    """The frozen tree: lists folded, and what only holds one other thing joined with it."""
    children = _folded([_closed(child, severities) for child in node.children.values()])
    if len(children) == 1 and node.name and node.look is None and not node.findings:
        return replace(children[0], name=f"{node.name}.{children[0].name}")
    rms = [] if node.look is None else [value for value in known([node.look.grad_rms]) if value > 0]
    values = [*rms, *known(value for child in children for value in (child.low, child.high))]
    here = [severities[place] for place in node.findings]
    return Node(
        node.name,
        node.look.kind if node.look is not None else "",
        min(values, default=None),
        max(values, default=None),
        sum(child.modules for child in children) + (node.look is not None),
        _worst([*here, *(child.severity for child in children)]),
        tuple(node.findings),
        tuple(children),
    )


def _worst(severities: Iterable[Severity | None]) -> Severity | None:
    return min(severities, key=_RANK.__getitem__, default=None)


def _folded(children: Sequence[Node]) -> list[Node]:
    """Neighbours of a numbered list that are alike, and bear no finding, as one."""
    folded: list[Node] = []
    for _, run in groupby(children, key=_likeness):
        alike = list(run)
        first, last = _number(alike[0]), _number(alike[-1])
        if len(alike) < 3 or alike[0].severity is not None or not first:
            folded += alike
        else:
            joined = _joined(alike)
            folded.append(replace(joined, name=f"{first}–{last}{joined.name.removeprefix(first)}"))
    return folded


def _number(node: Node) -> str:
    """The place in a numbered list that a node's name begins with; empty where it has none."""
    head = node.name.partition(".")[0]
    return head if head.isdecimal() else ""


def _likeness(node: Node) -> tuple[object, ...]:
    """What two neighbours must share to be alike: kinds and names all the way down, and what was found."""
    number = _number(node)
    below = tuple((child.name, _likeness(child)) for child in node.children)
    return (bool(number), node.name.removeprefix(number), node.kind, node.severity, below)


def _joined(alike: Sequence[Node]) -> Node:
    """Alike nodes as one: their ranges joined, their modules added, the same of all that is below."""
    below = zip(*(node.children for node in alike), strict=True)
    return replace(
        alike[0],
        low=min(known(node.low for node in alike), default=None),
        high=max(known(node.high for node in alike), default=None),
        modules=sum(node.modules for node in alike),
        children=tuple(_joined(column) for column in below),
    )


def _pruned(root: Node, most: int) -> Node:
    """The tree with at most `most` nodes below its root: those with findings first, then level by level."""
    kept: set[int] = set()
    for only_found in (True, False):
        waiting = deque([root])
        while waiting and len(kept) < most:
            node = waiting.popleft()
            for child in node.children:
                if (child.severity is not None or not only_found) and len(kept) < most:
                    kept.add(id(child))
            waiting.extend(child for child in node.children if id(child) in kept)
    return _only(root, kept)


def _only(node: Node, kept: set[int]) -> Node:
    """`node` with the kept ones below it; what is left out is counted."""
    children = tuple(_only(child, kept) for child in node.children if id(child) in kept)
    hidden = sum(child.modules for child in node.children if id(child) not in kept)
    return replace(node, children=children, hidden=hidden)

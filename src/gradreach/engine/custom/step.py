"""A recurrence made from any step, and the graph of one call of the step, for its adjoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import (
    tree_flatten,
    tree_leaves,
    tree_map,
    tree_unflatten,
)

from gradreach.engine.custom.form import HALF, StateForm, name_of, named, outline, shown, varies

AT_FIRST = "make these agree in dtype; half precision is cast to float32 here, other tensors of the step are not"
LATER = "it must run on any number of rows: pass what belongs to a row as a part of x or state"
IN_FLOAT64 = "it must run on any number of rows, and in float64: register every tensor of the module as a buffer"
OFF = {torch.float32: 1e-2, torch.float64: 1e-6}
"""Relative difference up to which a step run again among other rows gave the same state: more than rounding makes (TF32
included), less than a mean over the rows, a dropout mask or a counter."""


StepFunction = Callable[[Mapping[str, Tensor], Any, Sequence[Tensor]], list[Tensor]]
"""The step as a function of its parameters, x and the leaves of the state, to the leaves of the next state."""


@dataclass(frozen=True)
class Cell:
    """A recurrence s_t = step(x_t, s_{t−1}) of one's own.

    `step(x, state)` returns the next state alone. A state is any pytree of tensors with leaves (B, …), of the same
    structure, shapes and dtypes after the step as before; x is a tensor or pytree of leaves (B, …). Integer leaves
    carry no adjoint. An nn.Module is called as module(x, state), and its parameters that require a gradient are the W
    of gradients, lag share and truncation bias; a function has none, whatever it closes over. A row's next state must
    depend on that row's x and state alone, whatever the number of rows, and be the same at every call: no batch
    normalisation in training mode, no dropout, no tensor of (B, …) that is not in x or state. The module's mode,
    buffers and `.grad`, and torch's generators, are left as they were; its forward hooks run.

    Float16 and bfloat16 leaves, parameters and buffers are cast to float32 for the whole computation; a function must
    then close over float32.

    `linear` says that each entry of the next state is that entry of the state times a factor, plus a term, and that x
    alone decides both. The run and its adjoint are then found for all steps at once, by a scan, with a few calls of the
    step on many steps and rows each; where the step is not so, the run raises ValueError.

    Raises TypeError where `step` is no callable, or runs whole sequences as nn.GRU does.

    >>> import torch
    >>> from gradreach.engine.custom.autograd import reach_map
    >>> from gradreach.engine.custom.step import Cell
    >>> from gradreach.engine.custom.unroll import unroll
    >>> from gradreach.engine.reach_curve import curve
    >>> leaky = Cell(lambda x, state: {"h": 0.5 * state["h"] + x})
    >>> run = unroll(leaky, torch.randn(6, 2, 3), {"h": torch.zeros(2, 3)})
    >>> [round(r, 6) for r in curve(reach_map(run, {"h": torch.ones(6, 2, 3)}, anchors=[5]))]
    [1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125]
    """

    step: Callable[[Any, Any], Any]
    linear: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.step, nn.RNNBase):
            raise TypeError(
                f"step: expected one step of a recurrence, got {type(self.step).__name__}, which runs whole sequences; "
                "give that layer to gr.reach itself, or nn.RNNCell, nn.GRUCell or nn.LSTMCell to Cell"
            )
        if not callable(self.step):
            raise TypeError(f"step: expected a function or an nn.Module, got {type(self.step).__name__}")


@dataclass(frozen=True)
class CellRun:
    """A cell run over a whole sequence; nothing in it carries a graph.

    `x` has leaves (T, B, …). `states` is a pytree like the state with leaves (T + 1, B, …): [t] before step t, [t + 1]
    after it. `parameters` and `buffers` are the module's, none for a function.
    """

    cell: Cell
    x: Any
    states: Any
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]

    @property
    def size(self) -> tuple[int, int]:
        """(T, B)."""
        T, B = tree_leaves(self.x)[0].shape[:2]
        return T, B

    @cached_property
    def form(self) -> StateForm:
        leaves, spec = tree_flatten(self.states)
        shapes = tuple(tuple(leaf.shape[2:]) for leaf in leaves)
        return StateForm(spec, shapes, tuple(leaf.dtype for leaf in leaves), leaves[0].device)

    def each(self, select: Callable[[Tensor], Tensor]) -> CellRun:
        """The same run with `select` applied to every leaf of x and of the states."""
        return replace(self, x=tree_map(select, self.x), states=tree_map(select, self.states))


@dataclass(frozen=True, slots=True)
class StepGraph:
    """The graph of one call of the step: the leaves that vary, of x, of the state before it and of the state after."""

    x: list[Tensor]
    before: list[Tensor]
    after: list[Tensor]

    @staticmethod
    def of(run: CellRun, call: StepFunction, k: slice | Tensor, parameters: Mapping[str, Tensor]) -> StepGraph:
        """Steps k of all rows, as steps · rows rows of one call."""
        inputs, spec = tree_flatten(run.x)
        x = [_input(leaf[k]) for leaf in inputs]
        before = [_input(leaf[:-1][k]) for leaf in tree_leaves(run.states)]
        after = call(parameters, tree_unflatten(x, spec), before)
        return StepGraph([leaf for leaf in x if leaf.requires_grad], run.form.varying(before), run.form.varying(after))

    def off(self, run: CellRun, k: slice | Tensor) -> float:
        """How far the states after these steps are from those of the run, relative to their size."""
        form = run.form
        known = form.join([leaf[1:][k].flatten(0, 1) for leaf in form.varying(tree_leaves(run.states))])
        off = (form.join(self.after).detach() - known).where(known.isfinite(), 0.0)
        size = torch.linalg.vector_norm(known.where(known.isfinite(), 0.0), dtype=torch.float64)
        return float(torch.linalg.vector_norm(off, dtype=torch.float64) / size.clamp(min=1e-300))

    def check(self, run: CellRun, k: slice | Tensor, tolerance: float) -> None:
        """Raise ValueError where the states after these steps are not those of the run."""
        rows, relative = len(self.after[0]), self.off(run, k)
        if not relative <= tolerance:
            raise ValueError(
                "step: expected each row's next state to depend on that row's x and state alone, and to be the same at "
                f"every call; called on {rows} rows, it differs from the run's by {relative:.1e}. Put batch "
                "normalisation into eval mode, decide by row (torch.where), and keep no count or memory in the step"
            )

    def back(self, form: StateForm, cotangent: Tensor, to: Sequence[Tensor], *, again: bool = False) -> list[Tensor]:
        """The cotangent of the state after, carried to the tensors of `to`; `again` keeps the graph for another."""
        parts = zip(self.after, form.split(cotangent.flatten(0, -2)), strict=True)
        pairs = [(leaf, part) for leaf, part in parts if leaf.requires_grad]
        if not pairs:
            raise ValueError(
                "step: expected a state that gradients flow back through, got one cut off by detach or no_grad"
            )
        try:
            outputs, grads = zip(*pairs, strict=True)
            return list(torch.autograd.grad(outputs, to, grads, retain_graph=again, materialize_grads=True))
        except RuntimeError as error:
            raise ValueError(f"step: expected operations that autograd can go back through: {error}") from error


def caller(run: CellRun, why: str) -> StepFunction:
    """The step of a run, on clones of what it is given and checked; `why` says what to do where it fails."""
    module, form = module_of(run.cell), run.form

    def call(parameters: Mapping[str, Tensor], x: Any, before: Sequence[Tensor]) -> list[Tensor]:
        rows = len(before[0])
        given = tree_map(torch.clone, (x, tree_unflatten(before, form.spec)))  # the step may write on what it is given
        buffers = {name: each.clone() for name, each in run.buffers.items()}
        try:
            after = (
                run.cell.step(*given) if module is None else functional_call(module, {**parameters, **buffers}, given)
            )
        except Exception as error:
            dtypes = {name_of(each.dtype) for each in parameters.values()}
            seen = [f"{name} {shown(leaf)}" for name, leaf in [*named("x", given[0]), *named("state", given[1])]]
            seen += [f"{' and '.join(sorted(dtypes))} parameters"] if dtypes else []
            raise ValueError(f"step: failed on {', '.join(seen)}: {type(error).__name__}: {error}; {why}") from error
        return _next_leaves(form, after, rows)

    return call


def _next_leaves(form: StateForm, after: Any, rows: int) -> list[Tensor]:
    """The leaves of what a step returned, checked against the state that it was given."""
    try:
        leaves: list[Any] = form.spec.flatten_up_to(after)
    except ValueError:
        leaves = []
    if not leaves or not all(isinstance(leaf, Tensor) for leaf in leaves):
        wrap = "; where that is (output, state), wrap it in a module whose forward returns module(x, state)[1]"
        wanted = outline(tree_unflatten([f"(B, {', '.join(map(str, shape))})" for shape in form.shapes], form.spec))
        raise ValueError(
            f"step: expected the next state alone, built like the state given, {wanted}, got {outline(after)}"
            + (wrap if isinstance(after, tuple) and len(after) == 2 else "")
        )
    leaves = [leaf.to(dtype) if leaf.dtype in HALF else leaf for leaf, dtype in zip(leaves, form.dtypes, strict=True)]
    for n, (leaf, shape, dtype) in enumerate(zip(leaves, form.shapes, form.dtypes, strict=True)):
        if leaf.shape != (rows, *shape) or leaf.dtype != dtype or leaf.device != form.device:
            name = named("state", tree_unflatten(leaves, form.spec))[n][0]
            wanted = f"{name_of(dtype)} {(rows, *shape)} on {form.device}"
            raise ValueError(f"step: expected {name} as it was given, {wanted}, got {shown(leaf)} on {leaf.device}")
    return leaves


@contextmanager
def apart(device: torch.device) -> Iterator[None]:
    """With gradients, at full precision, and with the random numbers of whoever calls left to them."""
    devices = [] if device.type == "cpu" else [device]
    with (
        torch.random.fork_rng(devices, device_type="cuda" if device.type == "cpu" else device.type),
        torch.autocast(device.type, enabled=False),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        yield


def module_of(cell: Cell) -> nn.Module | None:
    """The step where it is a module; one that is compiled would be compiled again for every number of rows."""
    step = getattr(cell.step, "_orig_mod", cell.step)
    return step if isinstance(step, nn.Module) else None


def _input(leaf: Tensor) -> Tensor:
    """(steps, rows, …) as (steps · rows, …), at which a graph may start."""
    return leaf.flatten(0, 1).detach().requires_grad_(varies(leaf.dtype))

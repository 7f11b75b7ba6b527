"""A recurrence made from any step, run over a sequence; and the graph of one call of the step, for its adjoints."""

from __future__ import annotations

import math
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

from gradreach.engine.custom.form import HALF, StateForm, name_of, named, outline, own, refuse_nan, shown, varies

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
    then close over float32. Raises TypeError where `step` is no callable, or runs whole sequences as nn.GRU does.

    >>> import torch
    >>> from gradreach.engine.custom.autograd import reach_map
    >>> from gradreach.engine.custom.step import Cell, unroll
    >>> from gradreach.engine.reach_curve import curve
    >>> leaky = Cell(lambda x, state: {"h": 0.5 * state["h"] + x})
    >>> run = unroll(leaky, torch.randn(6, 2, 3), {"h": torch.zeros(2, 3)})
    >>> [round(r, 6) for r in curve(reach_map(run, {"h": torch.ones(6, 2, 3)}, anchors=[5]))]
    [1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125]
    """

    step: Callable[[Any, Any], Any]

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


@torch.no_grad()
def unroll(cell: Cell, x: Any, state: Any) -> CellRun:
    """Run a cell over x, leaves (T, B, …), from the initial state, leaves (B, …).

    Raises TypeError where a leaf is no tensor; ValueError where sizes, devices or what the step returns do not fit,
    where a NaN is given or appears, or where the step draws random numbers.
    """
    module = module_of(cell)
    parameters = {} if module is None else dict(module.named_parameters())
    T, device = _check(x, state, parameters)
    with apart(device):
        x, state = tree_map(own, x), tree_map(own, state)
        states = tree_map(lambda leaf: leaf.new_empty((T + 1, *leaf.shape)), state)
        buffers = {} if module is None else {name: own(each).clone() for name, each in module.named_buffers()}
        run = CellRun(cell, x, states, {name: own(each) for name, each in parameters.items()}, buffers)
        call, generators, after = caller(run, AT_FIRST), _generators(device), tree_leaves(state)
        for t in range(T + 1):
            for whole, leaf in zip(tree_leaves(states), after, strict=True):
                whole[t] = leaf.detach()
            if t < T:
                before = [leaf[t] for leaf in tree_leaves(states)]
                after = call(run.parameters, tree_map(lambda leaf, t=t: leaf[t], x), before)
        drawn = any(not torch.equal(*pair) for pair in zip(generators, _generators(device), strict=True))
    if drawn:
        raise ValueError(
            "step: expected the same state at every call, but it draws random numbers, as dropout does; put the module "
            "into eval mode, or draw beforehand and give the step what was drawn as a part of x"
        )
    refuse_nan(named("state", states), "state number {} of the run, 0 the initial one; look at fewer steps")
    return run


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

    def check(self, run: CellRun, k: slice | Tensor, tolerance: float) -> None:
        """Raise ValueError where the states after these steps are not those of the run."""
        form, rows = run.form, len(self.after[0])
        known = form.join([leaf[1:][k].flatten(0, 1) for leaf in form.varying(tree_leaves(run.states))])
        off = (form.join(self.after).detach() - known).where(known.isfinite(), 0.0)
        size = torch.linalg.vector_norm(known.where(known.isfinite(), 0.0), dtype=torch.float64)
        relative = float(torch.linalg.vector_norm(off, dtype=torch.float64) / size.clamp(min=1e-300))
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


def _check(x: Any, state: Any, parameters: Mapping[str, Tensor]) -> tuple[int, torch.device]:
    """T and the device that all is on; raises where anything given does not fit."""
    inputs, states = named("x", x), named("state", state)
    for name, leaf in [*inputs, *states]:
        if not isinstance(leaf, Tensor):
            known = "tuples, lists, dicts and what torch.utils._pytree.register_pytree_node knows"
            raise TypeError(f"{name}: expected a tensor, or a pytree of tensors ({known}), got {type(leaf).__name__}")
    if not inputs:
        raise ValueError("x: expected at least one tensor, got none; give a step without input torch.zeros(T, B, 0)")
    if not any(varies(leaf.dtype) and math.prod(leaf.shape[1:]) for _, leaf in states):
        raise ValueError(
            "state: expected a floating or complex tensor, (B, …), got none; there is nothing to carry back"
        )
    like = inputs[0][1]
    if like.dim() < 2 or 0 in like.shape[:2]:
        raise ValueError(f"x: expected (T, B, …) with T ≥ 1 steps and B ≥ 1 rows, got {tuple(like.shape)}")
    T, B = like.shape[:2]
    for name, leaf in [*inputs, *states]:
        lead, letters = ((T, B), "T, B") if name.startswith("x") else ((B,), "B")
        if leaf.shape[: len(lead)] != lead:
            raise ValueError(f"{name}: expected ({letters}, …) with T = {T}, B = {B}, got {tuple(leaf.shape)}")
    weights = [(f"step's parameter {name}", each) for name, each in parameters.items()]
    for name, leaf in [*inputs, *states, *weights]:
        if leaf.device != like.device:
            raise ValueError(f"{name}: expected on {like.device} as {inputs[0][0]} is, got on {leaf.device}; move it")
    refuse_nan(inputs, "step {}")
    refuse_nan(states, "row {}")
    refuse_nan(weights, "entry {} of its first dimension")
    return T, like.device


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


def _generators(device: torch.device) -> list[Tensor]:
    own = [] if device.type == "cpu" else [torch.get_device_module(device).get_rng_state(device)]
    return [torch.get_rng_state(), *own]


def module_of(cell: Cell) -> nn.Module | None:
    """The step where it is a module; one that is compiled would be compiled again for every number of rows."""
    step = getattr(cell.step, "_orig_mod", cell.step)
    return step if isinstance(step, nn.Module) else None


def _input(leaf: Tensor) -> Tensor:
    """(steps, rows, …) as (steps · rows, …), at which a graph may start."""
    return leaf.flatten(0, 1).detach().requires_grad_(varies(leaf.dtype))

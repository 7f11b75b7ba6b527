"""A recurrence made from any step, run over a sequence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from gradreach.engine.custom.form import named, own, refuse_nan, varies
from gradreach.engine.custom.linear import fill_
from gradreach.engine.custom.step import AT_FIRST, Cell, CellRun, apart, caller, module_of


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
        for whole, leaf in zip(tree_leaves(states), tree_leaves(state), strict=True):
            whole[0] = leaf.detach()
        generators = _generators(device)
        (fill_ if cell.linear else _step_by_step)(run)
        drawn = any(not torch.equal(*pair) for pair in zip(generators, _generators(device), strict=True))
    if drawn:
        raise ValueError(
            "step: expected the same state at every call, but it draws random numbers, as dropout does; put the module "
            "into eval mode, or draw beforehand and give the step what was drawn as a part of x"
        )
    refuse_nan(named("state", states), "state number {} of the run, 0 the initial one; look at fewer steps")
    return run


def _step_by_step(run: CellRun) -> None:
    """Fill the states of a run from the initial one, in place."""
    call, states = caller(run, AT_FIRST), tree_leaves(run.states)
    for t in range(run.size[0]):
        after = call(run.parameters, tree_map(lambda leaf, t=t: leaf[t], run.x), [leaf[t] for leaf in states])
        for whole, leaf in zip(states, after, strict=True):
            whole[t + 1] = leaf.detach()


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


def _generators(device: torch.device) -> list[Tensor]:
    own = [] if device.type == "cpu" else [torch.get_device_module(device).get_rng_state(device)]
    return [torch.get_rng_state(), *own]

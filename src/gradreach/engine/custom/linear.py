"""A recurrence of one's own that is linear in its state, each entry by a factor of its own: all steps at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from gradreach.engine.custom.form import name_of, named, varies
from gradreach.engine.custom.step import LATER, CellRun, StepGraph, caller
from gradreach.engine.linear_recurrence import accumulate_

_ROWS = 2**12
"""Steps · rows of one call of the step: as many as keep its graph small beside the states."""
_OFF = {torch.float32: 1e-4, torch.float64: 1e-9}
"""Relative difference up to which the step, called on the states found, leads from each to the next."""


def fill_(run: CellRun) -> None:
    """Fill the states of a run from the initial one, in place.

    At a state of 0 the step gives its term b, and the gradient of the sum its factors a. Raises ValueError where the
    state has integer leaves, or the step is not linear in it, entry by entry.
    """
    for name, leaf in named("state", run.states):
        if not varies(leaf.dtype):
            raise ValueError(
                f"{name}: expected a floating or complex tensor beside linear=True, got {name_of(leaf.dtype)}"
            )
    call, states = caller(run, LATER), tree_leaves(run.states)
    at_zero = CellRun(run.cell, run.x, tree_map(torch.zeros_like, run.states), run.parameters, run.buffers)
    factors = [torch.empty_like(leaf[1:]) for leaf in states]
    for s in _stretches(run):
        local = StepGraph.of(at_zero, call, s, run.parameters)
        for whole, made in zip(states, local.after, strict=True):
            whole[1:][s] = made.detach().view_as(whole[1:][s])
        for whole, back in zip(factors, _factors(run, local), strict=True):
            whole[s] = back.view_as(whole[s]).conj()
    for a, whole in zip(factors, states, strict=True):
        accumulate_(a, whole)
    for s in _stretches(run):
        off = StepGraph.of(run, call, s, run.parameters).off(run, s)
        if not off <= _OFF[run.form.dtype]:
            raise ValueError(
                "step: expected one that is linear in the state beside linear=True, each entry of the state multiplied "
                f"by a factor that x alone decides; the states found so are off by {off:.1e}. Leave linear=True out"
            )


def sweep(
    run: CellRun, error: Float[Tensor, "T B S"], grads_x: Sequence[Tensor]
) -> tuple[Float[Tensor, "T1 B S"], list[Tensor]]:
    """δ of the state before each step and after the last, and the gradients of the parameters; writes those of x."""
    form, call = run.form, caller(run, LATER)
    parameters = {name: each.detach().requires_grad_() for name, each in run.parameters.items()}
    gradients = [torch.zeros_like(each) for each in run.parameters.values()]
    deltas = form.split(torch.cat([torch.zeros_like(error[:1]), error]))
    factors = [torch.empty_like(leaf[1:]) for leaf in deltas]
    for s in _stretches(run):
        for whole, back in zip(factors, _factors(run, StepGraph.of(run, call, s, run.parameters)), strict=True):
            whole[s] = back.view_as(whole[s])
    for a, whole in zip(factors, deltas, strict=True):
        accumulate_(a, whole, reverse=True)
    delta = form.join(deltas)
    for s in _stretches(run):
        local = StepGraph.of(run, call, s, parameters)
        found = local.back(form, delta[1:][s], [*parameters.values(), *(local.x if grads_x else ())])
        for whole, part in zip(gradients, found, strict=False):
            whole += part
        for whole, part in zip(grads_x, found[len(gradients) :], strict=True):
            whole[s] = part.view_as(whole[s])
    return delta, gradients


def _stretches(run: CellRun) -> Iterator[slice]:
    (T, B) = run.size
    length = max(1, _ROWS // B)
    return (slice(t, min(t + length, T)) for t in range(0, T, length))


def _factors(run: CellRun, local: StepGraph) -> list[Tensor]:
    """What the adjoint of each entry of the state is multiplied by in these steps, the conjugate of the entry's own."""
    ones = run.form.join([torch.ones_like(leaf) for leaf in local.after])
    return local.back(run.form, ones, local.before)

"""Run the closed form beside a stock recurrent module, from the same inputs, weights, state and dropout draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine.call_checks import State
from gradreach.engine.cells.cell import CellWeights, StockCell
from gradreach.engine.cells.registry import cell_of
from gradreach.engine.layout import Layout, layout_of
from gradreach.engine.scan import UNREMEDIED, Remedies, Unroll, last_state, unroll


@dataclass(frozen=True, slots=True)
class Replay:
    """One module's forward pass in the closed form.

    `unrolls` runs over layers, then directions, as torch's h_n does. `noise[l]` is what dropout multiplied layer l's
    output with, (T, B, D·P), None where it drew nothing. `output`, `h_n`, `c_n` are in the module's own layout, in the
    dtype of the computation: float64 where the module's weights are, else float32. `why_inexact` says why the replay is
    known to differ from the module; empty where nothing is known to. `names` ends each parameter's name:
    "_l0_reverse" and the like, "" for a cell.
    """

    cell: StockCell
    unrolls: tuple[Unroll, ...]
    directions: int
    noise: tuple[Float[Tensor, "T B F"] | None, ...]
    output: Tensor | PackedSequence
    h_n: Tensor
    c_n: Tensor | None
    layout: Layout
    names: tuple[str, ...]
    why_inexact: str = ""

    @property
    def kind(self) -> str:
        return self.cell.name


@dataclass(frozen=True, slots=True)
class Stack:
    """What a module is made of, whatever its class: the weights of every layer and direction, and its dropout."""

    cell: StockCell
    weights: tuple[CellWeights, ...]
    names: tuple[str, ...]
    directions: int = 1
    dropout: float = 0.0
    remedies: Remedies = UNREMEDIED


@dataclass(frozen=True, slots=True)
class SomeRows:
    """Which rows of a batch `of` so many were taken; dropout is drawn for all of them. Not those of packed calls."""

    of: int
    taken: Int[Tensor, " R"]


@torch.no_grad()
def replay(
    module: nn.Module,
    x: Tensor | PackedSequence,
    hx: State = None,
    *,
    generator_state: Tensor | None = None,
    without_dropout: bool = False,
    rows: SomeRows | None = None,
) -> Replay:
    """Run nn.RNN, nn.GRU or nn.LSTM again in the closed form, from the input and state that it was called with.

    `generator_state` is torch.get_rng_state() from just before the module's own forward; it matters where dropout
    between layers is active. The draws come from a generator of our own, so no generator of the script is touched;
    there are none `without_dropout`. Where x holds some of the rows of that call, `rows` says which.
    Raises TypeError for any other module.
    """
    if not isinstance(module, nn.RNNBase):
        raise TypeError(
            f"module: expected nn.RNN, nn.GRU or nn.LSTM, got {type(module).__name__}; "
            "use replay_cells for cells, curve_from_norms for any other recurrence"
        )
    layout = layout_of(x, batch_first=module.batch_first)
    T = layout.sequence_in(x).shape[0]
    stack = stack_of(module)
    stack = replace(stack, dropout=0.0) if without_dropout else stack
    return _run(stack, layout, x, hx, [(generator_state, T)], rows)


@torch.no_grad()
def replay_cells(
    module: nn.Module,
    inputs: Sequence[Tensor],
    states: Sequence[State],
    *,
    generator_states: Sequence[Tensor | None] | None = None,
    rows: SomeRows | None = None,
) -> Replay:
    """Stitch the calls of a cell, or of a stock layer fed chunk by chunk, to one sequence.

    `inputs` and `states` are what each call was given; states[0] starts the run, the others (as many as are known; None
    is zeros, as the module takes it) are checked against the states that follow: a difference over 1e-5 relative is
    told in `why_inexact`. A cell's sequence is laid out (T, B, H), its states (1, B, H). Raises ValueError on no calls
    or a bidirectional layer.
    """
    if not inputs:
        raise ValueError("inputs: expected the input of at least one call, got none; record the calls first")
    stack = stack_of(module)
    if stack.directions == 2:
        raise ValueError("module: expected one direction, got a bidirectional layer; replay each call by itself")
    if isinstance(module, nn.RNNBase):
        x = torch.cat(list(inputs), dim=1 if module.batch_first and inputs[0].dim() == 3 else 0)
        layout = layout_of(x, batch_first=module.batch_first)
        lengths = [layout.sequence_in(each).shape[0] for each in inputs]
        given = list(states)
    else:
        x = torch.stack(list(inputs))
        layout = layout_of(x)
        lengths = [1] * len(inputs)
        given = [with_layer(state) for state in states]
    draws = list(zip(generator_states or [None] * len(inputs), lengths, strict=True))
    run = _run(stack, layout, x, given[0] if given else None, draws, rows)
    broken = _first_break(run, given, lengths)
    if broken is None:
        return run
    return replace(run, why_inexact=f"the state was changed between calls, first before call {broken}")


def stack_of(module: nn.Module) -> Stack:
    """The weights that the module's forward really uses, detached; those that are not float64 become float32.

    Raises TypeError for a module that is no recurrent layer or cell that the engine knows.
    """
    if isinstance(module, nn.RNNCellBase):
        parts = (module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh)
        return Stack(cell_of(module), (CellWeights(*(None if p is None else _own(p) for p in parts)),), ("",))
    if not isinstance(module, nn.RNNBase):
        raise TypeError(f"module: expected a stock recurrent layer or cell, got {type(module).__name__}")
    if is_parametrized(module):
        module._update_flat_weights()  # an optimizer's step since the last call has not reached that list
    names = names_of(module)
    weights = tuple(weights_of(module, name).each(_own) for name in names)
    dropout = float(module.dropout) if module.training else 0.0
    remedies = getattr(module, "remedies", UNREMEDIED)
    return Stack(cell_of(module), weights, names, 2 if module.bidirectional else 1, dropout, remedies)


def names_of(module: nn.RNNBase) -> tuple[str, ...]:
    """What ends the parameters' names of each layer and direction, in the order of h_n: _l0, _l0_reverse, …"""
    ends = ("", "_reverse") if module.bidirectional else ("",)
    return tuple(f"_l{layer}{end}" for layer in range(module.num_layers) for end in ends)


def weights_of(module: nn.RNNBase, name: str) -> CellWeights:
    """The very tensors that the module's forward uses for the layer and direction of that name."""
    flat = dict(zip(module._flat_weights_names, module._flat_weights, strict=True))
    stock = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    gains = (getattr(module, part + name, None) for part in ("gain_ih", "gain_hh"))
    return CellWeights(*(flat.get(part + name) for part in stock), *gains)  # type: ignore[arg-type]


def _own(weight: Tensor) -> Tensor:
    return weight.detach().to(torch.float64 if weight.dtype == torch.float64 else torch.float32)


def _run(
    stack: Stack,
    layout: Layout,
    x: Tensor | PackedSequence,
    hx: State,
    draws: list[tuple[Tensor | None, int]],
    rows: SomeRows | None,
) -> Replay:
    cell, w = stack.cell, stack.weights[0]
    like, drawn_as = w.w_ih, x.data.dtype
    data = layout.sequence_in(x).detach().to(like)
    H = w.w_ih.shape[0] // cell.gates
    sizes = (H if w.w_hr is None else w.w_hr.shape[0], H)
    h_0, c_0 = _states(layout, hx, data, len(stack.weights), sizes, cell.carries_c)
    noise_of = _noise(stack, layout, drawn_as, like, draws, rows)
    depth = len(stack.weights) // stack.directions
    unrolls: list[Unroll] = []
    noise: list[Tensor | None] = []
    with torch.autocast(like.device.type, enabled=False):
        for layer in range(depth):
            ends = []
            for d in range(stack.directions):
                n = layer * stack.directions + d
                c = None if c_0 is None else c_0[n]
                run = unroll(
                    cell,
                    stack.weights[n],
                    data,
                    h_0[n],
                    c,
                    sizes=layout.sizes,
                    reverse=d == 1,
                    remedies=stack.remedies,
                )
                unrolls.append(run)
                ends.append(run.in_data_order(run.h[1:]))
            data = ends[0] if len(ends) == 1 else torch.cat(ends, dim=-1)
            if layer < depth - 1:
                noise.append(noise_of(data))
                data = data if noise[-1] is None else data * noise[-1]
    output = layout.sequence_out(data)
    h_n = layout.state_out(torch.stack([last_state(run, run.h) for run in unrolls]))
    c_n = (
        None
        if c_0 is None
        else layout.state_out(torch.stack([last_state(run, cast(Tensor, run.c)) for run in unrolls]))
    )
    missed = stack.dropout > 0.0 and any(each is None for each in noise)
    why = "dropout between layers could not be drawn again" if missed else ""
    return Replay(cell, tuple(unrolls), stack.directions, tuple(noise), output, h_n, c_n, layout, stack.names, why)


def initial_states(
    module: nn.RNNBase, layout: Layout, hx: State, data: Float[Tensor, "T B F"]
) -> tuple[Float[Tensor, "L B P"], Float[Tensor, "L B H"] | None]:
    """h_0 and c_0 of a call, with rows in the engine's order, like `data` in dtype and device; None becomes zeros."""
    count = module.num_layers * (2 if module.bidirectional else 1)
    sizes = (module.proj_size or module.hidden_size, module.hidden_size)
    return _states(layout, hx, data, count, sizes, cell_of(module).carries_c)


def _states(
    layout: Layout, hx: State, data: Tensor, count: int, sizes: tuple[int, int], carries_c: bool
) -> tuple[Tensor, Tensor | None]:
    given = hx if isinstance(hx, tuple) else (hx, None)
    h_0, c_0 = (
        data.new_zeros((count, data.shape[1], size)) if state is None else layout.state_in(state).to(data)
        for state, size in zip(given, sizes, strict=True)
    )
    return h_0, c_0 if carries_c else None


def _noise(
    stack: Stack,
    layout: Layout,
    drawn_as: torch.dtype,
    like: Tensor,
    draws: list[tuple[Tensor | None, int]],
    rows: SomeRows | None,
) -> Callable[[Tensor], Tensor | None]:
    """What draws one layer's dropout noise after another, as the module itself did: Bernoulli(1 − p) / (1 − p)."""
    p = stack.dropout
    if p == 0.0:
        return lambda _: None
    if p == 1.0:
        return torch.zeros_like
    if like.device.type != "cpu" or any(state is None for state, _ in draws):
        return lambda _: None  # cuDNN keeps its dropout states to itself
    generators = [(torch.Generator(), length) for _, length in draws]
    for (generator, _), (state, _) in zip(generators, draws, strict=True):
        generator.set_state(cast(Tensor, state))

    def draw(data: Tensor) -> Tensor:
        if layout.packed is not None:
            shapes: list[tuple[int, ...]] = [(sum(layout.sizes or ()), data.shape[-1])]
        else:
            batch = data.shape[1] if rows is None else rows.of
            shapes = [(length, batch, data.shape[2]) for _, length in generators]
        parts = [
            torch.empty(shape, dtype=drawn_as, device="cpu").bernoulli_(1 - p, generator=generator).div_(1 - p)
            for shape, (generator, _) in zip(shapes, generators, strict=True)
        ]
        whole = torch.cat(parts).to(data)
        if rows is not None:
            return whole[:, rows.taken]
        return whole if layout.packed is None else layout.sequence_in(whole)

    return draw


def with_layer(state: State) -> State:
    """The state of a cell, (B, H), as that of a layer, (1, B, H)."""
    if state is None:
        return None
    if isinstance(state, tuple):
        return state[0].unsqueeze(0), state[1].unsqueeze(0)
    return state.unsqueeze(0)


def _first_break(run: Replay, given: Sequence[State], lengths: Sequence[int]) -> int | None:
    """The first call whose given state is not the one that the calls before it lead to."""
    t = 0
    for call, (state, length) in enumerate(zip(given, lengths, strict=False)):
        parts = state if isinstance(state, tuple) else (state,)
        for n, part in enumerate(parts):
            here = torch.stack([cast(Tensor, u.c if n else u.h)[t] for u in run.unrolls])
            there = torch.zeros_like(here) if part is None else run.layout.state_in(part.detach()).to(here)
            eps = 1e-7 if part is None else torch.finfo(part.dtype).eps
            rounding = 4 * eps * here.numel() ** 0.5  # a small state is a difference of numbers of size 1
            if not bool((here - there).norm() <= max(1e-5, 4 * eps) * here.norm() + rounding):
                return call
        t += length
    return None

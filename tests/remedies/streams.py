"""Steps of many kinds with random sequences, and their truncated gradients from the definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

import gradreach as gr
from gradreach.engine.custom.step import Cell

INPUTS, H = 3, 4


class Memory(nn.Module):
    """A model with a nested state: a GRU cell over tokens and features, a leaky trace and a count of steps."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.cell, self.head = nn.Embedding(5, INPUTS), nn.GRUCell(2 * INPUTS, H), nn.Linear(2 * H, H)

    def forward(self, x: Any, state: Any) -> Any:
        B = x["token"].shape[1]
        like = self.head.weight
        if state is None:
            zero = like.new_zeros(B, H)
            state = {"h": zero, "more": (zero, torch.zeros(B, dtype=torch.long))}
        h, (trace, count) = state["h"], state["more"]
        outputs = []
        for token, feature in zip(x["token"], x["feature"], strict=True):
            h = self.cell(torch.cat([self.embedding(token), feature], -1), h)
            trace, count = 0.9 * trace + torch.tanh(h), count + 1
            outputs.append(self.head(torch.cat([h, trace], -1)))
        return {"y": torch.stack(outputs)}, {"h": h, "more": (trace, count)}


class Leaky(nn.Module):
    """One step of a state in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Linear(INPUTS + H, H)

    def forward(self, x: Tensor, state: Any) -> Any:
        a = torch.tanh(self.w(torch.cat([x, state["a"]], -1)))
        return {"a": a, "b": 0.8 * state["b"] + a * state["b"].cos()}


@dataclass(frozen=True)
class Stream:
    """A step, the same as a function over all steps of x, and x; time at `dim`."""

    step: Any
    whole: Callable[[Any, Any], Any]
    x: Any
    state: Any
    dim: int
    T: int
    B: int

    @property
    def parameters(self) -> list[Tensor]:
        module = self.step.step if isinstance(self.step, Cell) else self.step
        return list(module.parameters())

    def take(self, tree: Any, start: int, stop: int) -> Any:
        return tree_map(lambda leaf: leaf.narrow(self.dim, start, stop - start), tree)

    def loss(self, output: Any, start: int) -> Tensor:
        """Nonlinear, different at every step; a sum over steps."""
        total = torch.zeros((), dtype=torch.float64)
        for leaf in tree_leaves(output):
            time = torch.arange(start, start + leaf.shape[self.dim], dtype=leaf.dtype)
            weight = (1 + (time * 0.7).sin()).view([-1 if i == self.dim else 1 for i in range(leaf.dim())])
            total = total + (weight * (leaf - 0.3) ** 2).sum()
        return total

    def defined(self, bounds: Sequence[tuple[int, int]], ahead: int) -> list[Tensor]:
        """Σ over windows of the gradient of their loss, the graph cut k2 − k1 steps ahead of the window."""
        loss = torch.zeros((), dtype=torch.float64)
        for start, stop in bounds:
            first, state = max(0, start - ahead), self.state
            if first > 0:
                with torch.no_grad():
                    _, state = self.whole(self.take(self.x, 0, first), state)
            output, _ = self.whole(self.take(self.x, first, stop), state)
            loss = loss + self.loss(self.take(output, start - first, stop - first), start)
        return list(torch.autograd.grad(loss, self.parameters, allow_unused=True))

    def gathered(self) -> list[Tensor]:
        return [p.grad for p in self.parameters]


def cell_loop(cell: Callable[[Any, Any], Any], dim: int, pick: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def whole(x: Tensor, state: Any) -> Any:
        outputs = []
        for t in range(x.shape[dim]):
            state = cell(x.select(dim, t), state)
            outputs.append(pick(state))
        return tree_map(lambda *each: torch.stack(each, dim), *outputs), state

    return whole


LAYERS: dict[str, Callable[..., nn.RNNBase]] = {
    "RNN": nn.RNN,
    "GRU": nn.GRU,
    "LSTM": nn.LSTM,
    "gr.GRU": gr.nn.GRU,
    "gr.LSTM": gr.nn.LSTM,
}
CELLS: dict[str, Callable[..., nn.RNNCellBase]] = {
    "RNNCell": nn.RNNCell,
    "GRUCell": nn.GRUCell,
    "LSTMCell": nn.LSTMCell,
}
KINDS = [*LAYERS, *CELLS, "Cell", "Memory"]


@st.composite
def streams(draw: st.DrawFn, most: int = 13) -> Stream:
    kind = draw(st.sampled_from(KINDS))
    T, B = draw(st.integers(1, most)), draw(st.integers(1, 3))
    torch.manual_seed(draw(st.integers(0, 10**6)))
    return stream(kind, T, B, dim=draw(st.integers(0, 1)), layers=draw(st.integers(1, 2)))


def stream(kind: str, T: int, B: int, dim: int = 0, layers: int = 1) -> Stream:
    shape = (T, B, INPUTS) if dim == 0 else (B, T, INPUTS)
    x = torch.randn(shape, dtype=torch.float64)
    if kind in LAYERS:
        layer = LAYERS[kind](INPUTS, H, layers, batch_first=dim == 1, dtype=torch.float64)
        return Stream(layer, layer, x, None, dim, T, B)
    if kind in CELLS:
        cell = CELLS[kind](INPUTS, H, dtype=torch.float64)
        first = (lambda s: s[0]) if kind == "LSTMCell" else (lambda s: s)
        return Stream(cell, cell_loop(cell, dim, first), x, None, dim, T, B)
    if kind == "Cell":
        leaky = Leaky().double()
        state = {"a": torch.randn(B, H, dtype=torch.float64), "b": torch.randn(B, H, dtype=torch.float64)}
        return Stream(Cell(leaky), cell_loop(leaky, dim, lambda s: s), x, state, dim, T, B)
    memory = Memory().double()
    mixed = {"token": torch.randint(5, (T, B)), "feature": torch.randn(T, B, INPUTS, dtype=torch.float64)}
    return Stream(memory, memory, mixed, None, 0, T, B)


def windows(T: int, k1: int) -> list[tuple[int, int]]:
    return [(start, min(start + k1, T)) for start in range(0, T, k1)]


def equal(ours: Sequence[Tensor | None], theirs: Sequence[Tensor | None], tolerance: float = 1e-10) -> bool:
    """Equal up to `tolerance` of the largest."""
    pairs = [
        (torch.zeros(()) if a is None else a, torch.zeros(()) if b is None else b)
        for a, b in zip(ours, theirs, strict=True)
    ]
    size = max(float(b.abs().max()) for _, b in pairs)
    return all(float((a - b).abs().max()) <= tolerance * max(size, 1e-12) for a, b in pairs)

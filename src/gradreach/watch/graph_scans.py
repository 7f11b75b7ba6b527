"""Recurrences h_t = a_t h_{t−1} + b_t that a script computes at once, by a scan along the axis of time.

With A_t, the product of all factors up to t, the state is h_t = A_t Σ_k b_k / A_k: a cumulative sum, multiplied by A,
of what was divided by it; or the same in logarithms. So ∂h_t/∂h_k = A_t / A_k, entry by entry, and the graph keeps A.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from gradreach.watch.graph_loops import shape_of
from gradreach.watch.tensors import is_without_memory
from gradreach.watch.topology import Output, Topology

MOST_STEPS = 4096
"""Of a longer scan the last steps are followed."""

_CUMULATIVE = {"CumsumBackward0", "CumprodBackward0"}
_WAY = 16
"""Operations before a value among which the product of the factors is sought."""


@dataclass(frozen=True)
class GraphScan:
    """One scan: its states, with time as the axis `dim`, and log A_t of each of their entries."""

    states: Output
    dim: int
    log_factors: Tensor

    @property
    def steps(self) -> int:
        """The length of the sequence."""
        return self.log_factors.shape[self.dim]

    @torch.no_grad()
    def errors(self, topology: Topology, losses: Sequence[Tensor], weights: Any) -> ScanErrors | None:
        """The local errors at the states; None where no gradient arrives. It is what reaches the output of the scan:
        there the states do not follow from one another."""
        edge = GradientEdge(topology.nodes[self.states.node], self.states.number)
        with torch.enable_grad():
            (arriving,) = torch.autograd.grad(losses, [edge], weights, retain_graph=True, allow_unused=True)
        if arriving is None:
            return None
        both = (each.movedim(self.dim, 0)[-MOST_STEPS:] for each in (arriving.double(), self.log_factors))
        return ScanErrors(*both)


@dataclass(frozen=True)
class ScanErrors:
    """Local errors at the states of a scan, and log A_t, both with time as the first axis and entries as the last."""

    errors: Tensor
    log_factors: Tensor

    def sizes(self) -> list[float]:
        """‖e_t‖ at every step."""
        return _sizes(self.errors)

    def adjoints(self) -> list[float]:
        """‖δ_t‖ at every step: δ_t = e_t + A_{t+1} / A_t δ_{t+1}."""
        delta, sizes = torch.zeros_like(self.errors[0]), []
        ratios = self.log_factors.diff(dim=0, append=self.log_factors[-1:]).exp()
        for error, ratio in zip(self.errors.flip(0), ratios.flip(0), strict=True):
            delta = error + ratio * delta
            sizes += _sizes(delta[None])
        return sizes[::-1]

    def carried(self, t: int) -> list[float]:
        """‖δ_{t→k}‖ at the steps before t, the nearest first."""
        return _sizes(self.errors[t] * (self.log_factors[t] - self.log_factors[:t]).exp())[::-1]


def _sizes(rows: Tensor) -> list[float]:
    """Of each step the mean of the 2-norm over the last axis."""
    norms: list[float] = torch.linalg.vector_norm(rows, dim=-1).flatten(1).mean(1).tolist()
    return norms


def graph_scans(topology: Topology) -> Iterator[GraphScan]:
    """The scans in a graph, the one nearest the loss first."""
    for number in topology.order:
        name = topology.names[number]
        if name in ("LogcumsumexpBackward0", "CumsumBackward0"):
            found = _in_logarithms(topology, number) if name.startswith("Log") else _by_product(topology, number)
            if found is not None:
                yield found


@torch.no_grad()
def _in_logarithms(topology: Topology, number: int) -> GraphScan | None:
    """h = exp(a + logcumsumexp(log b − a)), a = cumsum(log factors)."""
    node = topology.nodes[number]
    for total in topology.uses[number]:
        if topology.names[total.node] == "AddBackward0" and _shares_a_product(topology, number, total.node):
            for use in topology.uses[total.node]:
                if topology.names[use.node] == "ExpBackward0":
                    state = topology.nodes[use.node]._saved_result
                    return _scan(
                        topology, use.node, node._saved_dim, state.double().log() - node._saved_result.double()
                    )
    return None


@torch.no_grad()
def _by_product(topology: Topology, number: int) -> GraphScan | None:
    """h = A cumsum(b / A), A = cumprod(factors) or exp(cumsum(log factors))."""
    for use in topology.uses[number]:
        if topology.names[use.node] == "MulBackward0" and _shares_a_product(topology, number, use.node):
            product = topology.nodes[use.node]
            factors = product._saved_self if use.operand == 1 else product._saved_other
            if factors is not None and not is_without_memory(factors):
                return _scan(topology, use.node, topology.nodes[number]._saved_dim, factors.double().log())
    return None


def _scan(topology: Topology, number: int, dim: int, log_factors: Tensor) -> GraphScan | None:
    shape = shape_of(topology, Output(number, 0))
    dim = dim if dim < len(shape) else dim - 2**64  # a negative number, as torch keeps it
    if not shape or log_factors.dim() != len(shape) or not bool(log_factors.isfinite().all()):
        return None
    return GraphScan(Output(number, 0), dim % len(shape), log_factors.expand(shape))


def _shares_a_product(topology: Topology, scan: int, joined: int) -> bool:
    """Whether what a scan sums up, and what it is joined with afterwards, hold one and the same cumulative product."""
    beside = [fed.node for fed in topology.feeds[joined] if fed is not None and fed.node != scan]
    within = [fed.node for fed in topology.feeds[scan] if fed is not None]
    return bool(_products_before(topology, beside) & _products_before(topology, within))


def _products_before(topology: Topology, numbers: list[int]) -> set[int]:
    """The cumulative sums and products among the first few operations before these."""
    found: set[int] = set()
    pending = list(numbers)
    for number in pending:  # grows while it is walked
        if topology.names[number] in _CUMULATIVE:
            found.add(number)
        elif len(pending) < _WAY:
            pending += [fed.node for fed in topology.feeds[number] if fed is not None and fed.node not in pending]
    return found

"""What the recurrence engine costs, beside its rivals in the same run: the reach map against autograd and against its
bare matrix products, the layers against torch.nn and a loop over cells, layers that run all steps at once against
those that cannot, orthogonal training against torch and geotorch.

Rivals take turns in one process; a ratio compares two times of the same turn. Peak memory is of a process of its own
for each. The tables go to stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from timing import Work, against, in_turns, peak_memory, table
from torch import Tensor, nn

import gradreach as gr
from gradreach.engine.reach_map import reach_map
from gradreach.engine.replay import replay

FAMILIES = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
CELLS = {"RNN": nn.RNNCell, "GRU": nn.GRUCell, "LSTM": nn.LSTMCell}
OURS = {"RNN": gr.nn.RNN, "GRU": gr.nn.GRU, "LSTM": gr.nn.LSTM}


@dataclass(frozen=True)
class Case:
    """Rivals that do the same work; `ours` names the one whose time stands above every ratio."""

    title: str
    ours: str
    rivals: dict[str, Callable[[], Work]]
    repeats: int = 7


def reach_case(kind: str, T: int, B: int = 8, H: int = 128) -> Case:
    """The map for all t. Autograd goes back from every t over one unrolled loop (where an LSTM's c_k also gets what
    reaches it through h_k); the products are A ← A W, and dW_ℓ = gᵀ h besides for the lag shares and biases."""
    torch.manual_seed(0)
    layer, x, error = FAMILIES[kind](H, H), torch.randn(T, B, H), torch.randn(T, B, H)
    run = replay(layer, x).unrolls[0]
    W = run.weights.w_hh
    adjoints, states = torch.randn(T * B, W.shape[0]), torch.randn(T * B, H)
    carried, dW = torch.empty(T * B, H), torch.zeros_like(W)

    def products(both: bool) -> Work:
        def work() -> None:
            for lag in range(T):
                n = (T - lag) * B
                torch.mm(adjoints[:n], W, out=carried[:n])
                if both:
                    dW.addmm_(adjoints[:n].t(), states[:n])

        return work

    return Case(
        f"reach map, {kind}, T {T}, B {B}, H {H}",
        "map",
        {
            "map": lambda: lambda: reach_map(run, error, anchors=range(T), shares=False),
            "map, shares and biases": lambda: lambda: reach_map(run, error, anchors=range(T)),
            "T autograd passes": lambda: autograd_map(kind, layer, x, error),
            "bare products of the map": lambda: products(False),
            "bare products of both": lambda: products(True),
        },
        repeats=5 if T <= 256 else 1,
    )


def autograd_map(kind: str, layer: nn.RNNBase, x: Tensor, error: Tensor) -> Work:
    cell = CELLS[kind](x.shape[-1], layer.hidden_size)
    cell.load_state_dict({name[:-3]: p for name, p in layer.named_parameters()})

    def work() -> Tensor:
        T, B, H = error.shape
        state = torch.zeros(B, H, requires_grad=True)
        states = [(state, state) if kind == "LSTM" else (state,)]
        for t in range(T):
            after = cell(x[t], states[-1] if kind == "LSTM" else states[-1][0])
            states.append(after if kind == "LSTM" else (after,))
        R = torch.zeros(T, T)
        for t in range(T):
            # c of the same step goes into h: the joint norm of (h, c) needs the states one by one
            wanted = [s for pair in states[1 : t + 2] for s in pair]
            grads = torch.autograd.grad(states[t + 1][0], wanted, error[t], retain_graph=True, allow_unused=True)
            grads = [torch.zeros_like(state) if g is None else g for g in grads]
            joint = torch.stack(grads).unflatten(0, (t + 1, -1)).transpose(1, 2).flatten(2)  # (k, B, H or 2H)
            R[t, : t + 1] = joint.norm(dim=-1).mean(-1)
        return R

    return work


def layer_case(kind: str, T: int, B: int, H: int) -> Case:
    """Forward and backward with gradients of every weight and of the input (size H)."""
    torch.manual_seed(0)
    stock, x, error = FAMILIES[kind](H, H), torch.randn(T, B, H, requires_grad=True), torch.randn(T, B, H)

    def run(make: Callable[..., nn.RNNBase], **remedies: object) -> Callable[[], Work]:
        def prepared() -> Work:
            layer = make(H, H, **remedies)
            layer.load_state_dict(stock.state_dict(), strict=False)

            def work() -> None:
                layer.zero_grad()
                x.grad = None
                layer(x)[0].backward(error)

            return work

        return prepared

    ours = OURS[kind]
    return Case(
        f"layer, {kind}, T {T}, B {B}, H {H}",
        "gr.nn",
        {
            "gr.nn": run(ours),
            "gr.nn, keep_adjoint": run(ours, keep_adjoint=True),
            "gr.nn, clip_state_grad": run(ours, clip_state_grad=1.0),
            "gr.nn, skip": run(ours, skip=8),
            "torch.nn": run(FAMILIES[kind]),
            "loop over cells": lambda: cell_loop(kind, stock, x, error),
        },
    )


def at_once_case(T: int, B: int, H: int) -> Case:
    """Forward and backward of layers whose gates do not look at the state, which run all steps at once, beside those
    that cannot. A shortcut longer than the sequence changes nothing but that the plain loop runs."""
    torch.manual_seed(0)
    x, error = torch.randn(T, B, H, requires_grad=True), torch.randn(T, B, H)

    def run(make: Callable[..., nn.RNNBase], **remedies: object) -> Callable[[], Work]:
        def prepared() -> Work:
            layer = make(H, H, **remedies)

            def work() -> None:
                layer.zero_grad()
                x.grad = None
                layer(x)[0].backward(error)

            return work

        return prepared

    return Case(
        f"all steps at once, T {T}, B {B}, H {H}",
        "gr.nn.MinGRU",
        {
            "gr.nn.MinGRU": run(gr.nn.MinGRU),
            "gr.nn.MinGRU, step by step": run(gr.nn.MinGRU, skip=T + 1),
            "gr.nn.MinLSTM": run(gr.nn.MinLSTM),
            "gr.nn.GRU": run(gr.nn.GRU),
            "torch.nn.GRU": run(nn.GRU),
        },
    )


def cell_loop(kind: str, stock: nn.RNNBase, x: Tensor, error: Tensor) -> Work:
    cell = CELLS[kind](x.shape[-1], stock.hidden_size)
    cell.load_state_dict({name[:-3]: p for name, p in stock.named_parameters()})

    def work() -> None:
        cell.zero_grad()
        x.grad = None
        state, outputs = None, []
        for step in x:
            state = cell(step, state)
            outputs.append(state[0] if kind == "LSTM" else state)
        torch.stack(outputs).backward(error)

    return work


def vanishing_case(kind: str, T: int = 400, B: int = 32, H: int = 128) -> Case:
    """Forward and backward of a loss on the last step, whose adjoints end among the subnormal numbers; and the same
    with these taken for 0."""
    torch.manual_seed(0)
    stock, x = FAMILIES[kind](H, H), torch.randn(T, B, H)

    def run(make: Callable[..., nn.RNNBase], *, flush: bool = False) -> Callable[[], Work]:
        def prepared() -> Work:
            layer = make(H, H)
            layer.load_state_dict(stock.state_dict())

            def work() -> None:
                layer.zero_grad()
                torch.set_flush_denormal(flush)
                layer(x)[0][-1].square().sum().backward()
                torch.set_flush_denormal(False)

            return work

        return prepared

    rivals = {
        "gr.nn": run(OURS[kind]),
        "torch.nn": run(FAMILIES[kind]),
        "gr.nn, flushed": run(OURS[kind], flush=True),
        "torch.nn, flushed": run(FAMILIES[kind], flush=True),
    }
    return Case(f"vanishing, loss on the last step, {kind}, T {T}, B {B}, H {H}", "gr.nn", rivals)


def vanishing_reach_case(T: int = 256, B: int = 8, H: int = 128, inputs: int = 32) -> Case:
    """gr.reach of an RNN as torch starts it, whose gradient vanishes, and of one whose gradient does not."""
    torch.manual_seed(0)
    default, orthogonal = nn.RNN(inputs, H), gr.nn.RNN(inputs, H, init="orthogonal", nonlinearity="relu")
    x, error = torch.randn(T, B, inputs), torch.randn(T, B, H)
    rivals = {
        "it vanishes": lambda: lambda: gr.reach(default, x, error, anchors="all"),
        "it does not": lambda: lambda: gr.reach(orthogonal, x, error, anchors="all"),
    }
    return Case(f"gr.reach where the gradient vanishes, RNN, T {T}, B {B}, H {H}", "it vanishes", rivals)


def sampled_reach_case(T: int, B: int = 8, H: int = 128) -> Case:
    """gr.reach as it is, from a sample of the steps, and of all steps: a GRU, a loss at every step."""
    torch.manual_seed(0)
    layer, x, error = nn.GRU(32, H), torch.randn(T, B, 32), torch.randn(T, B, H)
    rivals = {
        "a sample of 64 steps": lambda: lambda: gr.reach(layer, x, error),
        "every step": lambda: lambda: gr.reach(layer, x, error, anchors="all"),
    }
    return Case(f"gr.reach of a sample, GRU, T {T}, B {B}, H {H}", "a sample of 64 steps", rivals, repeats=3)


def orthogonal_case(T: int, B: int, H: int) -> Case:
    """A whole training step of a tanh RNN: forward, backward, Adam."""
    torch.manual_seed(0)
    x, error = torch.randn(T, B, H), torch.randn(T, B, H)

    def step(layer: nn.RNNBase) -> Work:
        optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)

        def work() -> None:
            optimizer.zero_grad()
            layer(x)[0].backward(error)
            optimizer.step()

        return work

    def parametrized(how: Callable[[nn.RNNBase], object]) -> Callable[[], Work]:
        def prepared() -> Work:
            layer = nn.RNN(H, H)
            how(layer)
            return step(layer)

        return prepared

    own = torch.nn.utils.parametrizations.orthogonal
    rivals = {
        "gr.nn, orthogonal": lambda: step(gr.nn.RNN(H, H, orthogonal=True)),
        "torch.nn, free": lambda: step(nn.RNN(H, H)),
        "torch, matrix_exp": parametrized(lambda layer: own(layer, "weight_hh_l0", "matrix_exp")),
        "torch, cayley": parametrized(lambda layer: own(layer, "weight_hh_l0", "cayley")),
        "torch, householder": parametrized(lambda layer: own(layer, "weight_hh_l0", "householder")),
    }
    try:
        import geotorch
    except ImportError:
        print("geotorch is not installed: it is left out (pip install geotorch).", file=sys.stderr)
    else:
        rivals["geotorch"] = parametrized(lambda layer: geotorch.orthogonal(layer, "weight_hh_l0"))
    return Case(f"orthogonal training step, RNN, T {T}, B {B}, H {H}", "gr.nn, orthogonal", rivals)


def cases(quick: bool) -> Iterator[Case]:
    for kind in FAMILIES:
        for T in (64, 256) if quick else (64, 256, 1024):
            yield reach_case(kind, T)
    for kind in FAMILIES:
        for T, B, H in ((100, 64, 128), (784, 64, 128), (35, 20, 200), (512, 8, 64)):
            yield layer_case(kind, T, B, H)
        yield vanishing_case(kind)
    yield vanishing_reach_case()
    for T in (256, 1024):
        yield sampled_reach_case(T)
    for T, B, H in ((4096, 8, 64), (4096, 8, 128), (4096, 32, 64)):
        yield at_once_case(T, B, H)
    for T, B, H in ((100, 64, 128), (35, 20, 200)):
        yield orthogonal_case(T, B, H)


def memory_of(case: Case, rival: str, quick: bool) -> str:
    """Peak memory of one rival, in a process of its own."""
    command = [sys.executable, __file__, "--memory", case.title, rival, *(["--quick"] if quick else [])]
    # whatever is freed goes back to the system at once, so that what is held is what is used
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave T 1024 out; 3 turns")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose title holds this text")
    parser.add_argument("--memory", nargs=2, metavar=("CASE", "RIVAL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    for case in cases(arguments.quick):
        if arguments.memory:
            if case.title == arguments.memory[0]:
                work = case.rivals[arguments.memory[1]]()
                work()
                raised = peak_memory(work)
                print("–" if raised is None else f"{raised:.0f}")
                return
            continue
        if arguments.only not in case.title:
            continue
        print(case.title, file=sys.stderr, flush=True)
        rivals = {name: make() for name, make in case.rivals.items()}
        seconds = in_turns(rivals, min(case.repeats, 3) if arguments.quick else case.repeats)
        rows = [(*row, memory_of(case, row[0], arguments.quick)) for row in against(seconds, case.ours)]
        print(f"\n{case.title}; {torch.get_num_threads()} thread(s), median (min–max)")
        print(table([("", "ms", f"{case.ours} ÷ this", "peak MiB"), *rows]), flush=True)


if __name__ == "__main__":
    main()

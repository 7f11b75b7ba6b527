import itertools
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from gradreach.record.byte_sizes import bytes_of
from gradreach.remedies.tbptt import memory as module
from gradreach.remedies.tbptt.batch_layout import BatchLayout
from gradreach.remedies.tbptt.bptt import bptt
from gradreach.remedies.tbptt.outside import Outside
from gradreach.remedies.tbptt.plan import Plan, plans
from gradreach.remedies.tbptt.recurrence import Recurrence
from gradreach.remedies.tbptt.replay import replayed
from gradreach.remedies.tbptt.segment import Segment
from gradreach.remedies.tbptt.tbptt import tbptt
from gradreach.remedies.tbptt.trees import module_of
from tests.remedies.streams import KINDS, Stream, equal, stream, streams


def options(each: Stream) -> dict[str, Any]:
    return {"step": each.step, "dim": None if isinstance(each.step, nn.RNNBase) else each.dim}


@settings(max_examples=60)
@given(streams(most=30))
def test_gradients_and_numbers_are_those_of_full_bptt(each: Stream) -> None:
    inputs = [
        leaf.requires_grad_()
        for leaf in tree_leaves((each.x, each.state))
        if leaf is not None and leaf.is_floating_point()
    ]
    wanted = [*each.parameters, *inputs]

    def through(output: Any, state: Any) -> list[Tensor]:
        ends = sum((leaf**2).sum() for leaf in tree_leaves(state) if leaf.requires_grad)
        return list(torch.autograd.grad(each.loss(output, 0) + ends, wanted, allow_unused=True))

    ours, theirs = bptt(each.x, state=each.state, **options(each)), each.whole(each.x, each.state)
    assert equal([leaf.detach() for leaf in tree_leaves(ours)], [leaf.detach() for leaf in tree_leaves(theirs)])
    assert equal(through(*ours), through(*theirs))


def test_the_gradient_may_come_back_again_and_again() -> None:
    torch.manual_seed(0)
    layer, x = nn.GRU(3, 4, 2, dropout=0.5, dtype=torch.float64), torch.randn(20, 2, 3, dtype=torch.float64)
    output, _ = bptt(x, step=layer)
    weights, error = list(layer.parameters()), output.square().sum()
    once = torch.autograd.grad(error, weights, retain_graph=True)
    parts = [torch.autograd.grad(each.square().sum(), weights, retain_graph=True) for each in output]
    assert equal([sum(each) for each in zip(*parts, strict=True)], once)
    assert equal(torch.autograd.grad(error, weights), once)


def test_second_derivatives_are_those_of_full_bptt() -> None:
    cell, x, found = nn.GRUCell(3, 4, dtype=torch.float64), torch.randn(20, 2, 3, dtype=torch.float64), []
    for step in (cell, None):
        output = bptt(x, step=cell)[0] if step is not None else torch.stack(states(cell, x))
        (first,) = torch.autograd.grad(output.square().sum(), cell.weight_hh, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), list(cell.parameters())))
    assert equal(*found)


def states(cell: nn.GRUCell, x: Tensor) -> list[Tensor]:
    kept = [cell(x[0])]
    for x_t in x[1:]:
        kept.append(cell(x_t, kept[-1]))
    return kept


def test_a_carry_gives_its_last_state() -> None:
    layer, x = nn.LSTM(3, 4), torch.randn(20, 2, 3)
    last = list(tbptt(x, k1=3, k2=9, step=layer))[-1]
    assert torch.equal(bptt(x, step=layer, state=last.carry)[0], bptt(x, step=layer, state=last.state)[0])
    with pytest.raises(TypeError, match=r"state: .*window\.carry or window\.state"):
        bptt(x, step=layer, state=last)


class Dropped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.rnn, self.head = nn.BatchNorm1d(3), nn.LSTM(3, 32, 2, dropout=0.3), nn.Linear(32, 5)

    def forward(self, x: Tensor, state: Any) -> Any:
        output, state = self.rnn(self.norm(x.flatten(0, 1)).view_as(x), state)
        return self.head(output), state


def test_dropout_and_running_statistics_are_those_of_the_segments_bit_for_bit() -> None:
    x, found = torch.randn(100, 4, 3), []
    for checkpointed in (True, False):
        torch.manual_seed(0)
        model = Dropped()
        if checkpointed:
            output, _ = bptt(x, step=model)
        else:
            outputs, state = [], None
            for part in x.split(10):
                out, state = model(part, state)
                outputs.append(out)
            output = torch.cat(outputs)
        output.square().mean().backward()
        found.append((output, torch.get_rng_state(), *model.buffers(), *(p.grad for p in model.parameters())))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


MODELS = {
    "LSTM": lambda: nn.LSTM(3, 32),
    "RNN": lambda: nn.RNN(3, 32),
    "GRU": lambda: nn.GRU(3, 32, 2),
    "cell": lambda: nn.LSTMCell(3, 32),
    "model": Dropped,
}


def held(x: Tensor, step: Any, memory: int | str | None) -> int:
    """Bytes at the peak of a forward and backward pass."""
    with module.LiveBytes() as live:
        output, _ = bptt(x, step=step, memory=memory)
        output.backward(torch.ones_like(output))
    return live.peak


def least(x: Tensor, step: Any) -> int:
    """The least memory, as the refusal of too little names it."""
    with pytest.raises(ValueError, match="memory: expected at least") as told:
        bptt(x, step=step, memory=1000)
    return int(str(told.value).split("(")[1].split()[0])


@pytest.mark.slow(6, "counts every live tensor of a long backward pass")
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("T", [40, 400])
def test_the_tensors_stay_under_the_limit(kind: str, T: int) -> None:
    torch.manual_seed(0)
    step, x = MODELS[kind](), torch.randn(T, 4, 3)
    everything, lowest = held(x, step, 10**9), least(x, step)
    for limit in (lowest, (lowest + everything) // 2):
        if limit >= lowest:
            assert held(x, step, limit) <= limit


GROWTH = """
import gc, sys, torch
from pathlib import Path
from gradreach.remedies.tbptt.batch_layout import BatchLayout
from gradreach.remedies.tbptt.bptt import bptt
from gradreach.remedies.tbptt.plan import Plan, plans
from gradreach.remedies.tbptt.outside import Outside
from gradreach.remedies.tbptt.recurrence import Recurrence
from gradreach.remedies.tbptt.replay import replayed
from gradreach.remedies.tbptt.segment import Segment

def resident(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) * 1024

def through(x, memory):
    output = bptt(x, step=layer, memory=memory)[0] if memory else layer(x)[0]
    output.square().mean().backward()

torch.set_num_threads(1)
layer, x = torch.nn.GRU(8, 32), torch.randn(4000, 8, 8)
for memory in (None, 10**9):
    through(x[:64], memory)
bptt(x[:64], step=layer)[0].sum().backward()
try:
    bptt(x, step=layer, memory=1)
except ValueError as refusal:
    least = int(str(refusal).split("(")[1].split()[0])
gc.collect()
memory = int(float(sys.argv[1]) * least)
Path("/proc/self/clear_refs").write_text("5")
before = resident("VmRSS")
through(x, memory)
print(least, resident("VmHWM") - before)
"""
"""Prints the least memory and the growth of the process with a multiple of it, or by plain BPTT for 0."""


@pytest.mark.slow(15, "trains in three processes")
@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the peak of a process starts anew on Linux alone"
)
def test_the_process_grows_by_no_more_than_was_asked_for() -> None:
    def grown(share: float) -> float:
        """In units of the least memory."""
        command = [sys.executable, "-c", GROWTH, str(share)]
        lowest, growth = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
        return growth / lowest

    assert grown(1) <= 1.1
    assert grown(2) <= 2.2
    assert grown(0) > 3  # so that staying under it takes more than luck


def test_nothing_is_run_again_where_all_fits_and_everything_once_elsewhere() -> None:
    class Counted(nn.GRU):
        steps = 0

        def forward(self, x: Tensor, hx: Any = None) -> Any:
            self.steps += len(x)
            return super().forward(x, hx)

    step, x, extra = Counted(3, 32), torch.randn(600, 4, 3), []
    for limit in (least(x, step), 5_000_000, 10**9):
        output, _ = bptt(x, step=step, memory=limit)
        step.steps = 0
        output.sum().backward()
        extra.append(step.steps)
    assert extra[0] >= 600
    assert extra[1:] == [600, 0]


@settings(max_examples=40)
@given(streams(most=30), st.sampled_from([(12, 6, 2), (8, 4, 2, 1), (5,), (9, 3), (1,)]))
def test_gradients_through_several_levels_are_those_of_full_bptt(each: Stream, spans: tuple[int, ...]) -> None:
    recurrence = Recurrence.of(each.step, each.x, BatchLayout(dim=options(each)["dim"]))
    sequence = Segment.of(each.x, recurrence.dim)
    outside = Outside.of(recurrence, sequence, each.state, each.step)
    module_, wanted = module_of(each.step), each.parameters
    ours = replayed(recurrence, sequence, each.state, Plan(spans), outside, module_)
    theirs = each.whole(each.x, each.state)
    assert equal([leaf.detach() for leaf in tree_leaves(ours)], [leaf.detach() for leaf in tree_leaves(theirs)])
    found = [torch.autograd.grad(each.loss(output, 0), wanted, allow_unused=True) for output, _ in (ours, theirs)]
    assert equal(*found)


def test_hooks_of_weights_see_the_whole_gradient_once() -> None:
    layer, x = nn.GRU(3, 4, dtype=torch.float64), torch.randn(20, 2, 3, dtype=torch.float64)
    for parameter in layer.parameters():
        parameter.register_hook(lambda gradient: gradient.clamp(-0.1, 0.1) * 2)
    errors = [output.square().sum() for output in (bptt(x, step=layer)[0], layer(x)[0])]
    assert equal(*(torch.autograd.grad(error, list(layer.parameters())) for error in errors))
    assert all(len(parameter._backward_hooks) == 1 for parameter in layer.parameters())


def test_gradients_go_to_tensors_that_a_step_takes_from_outside() -> None:
    cell, x = nn.GRUCell(3, 4, dtype=torch.float64), torch.randn(20, 2, 3, dtype=torch.float64)
    leaf, found = torch.randn(2, 4, dtype=torch.float64, requires_grad=True), []
    context = (leaf * 2).tanh()

    def step(x: Tensor, state: Any) -> Any:
        outputs = []
        for x_t in x:
            state = cell(x_t, state) + context
            outputs.append(state)
        return torch.stack(outputs), state

    for output, _ in (bptt(x, step=step, state=context), step(x, context)):
        wanted = [leaf, context, *cell.parameters()]
        found.append(torch.autograd.grad(output.square().sum(), wanted, retain_graph=True))
    assert equal(*found)


def test_a_function_that_takes_other_weights_later_is_told_so() -> None:
    early, late = nn.GRU(3, 3), nn.GRU(3, 3)

    def step(x: Tensor, state: Any) -> Any:
        return (early if (x[0] < 10).all() else late)(x, state)

    output, _ = bptt(torch.arange(20.0).view(20, 1, 1).expand(20, 2, 3), step=step)
    with pytest.raises(RuntimeError, match="step: expected to use the same parameters at every step"):
        output.sum().backward()


def test_autocast_is_the_same_when_run_again() -> None:
    torch.manual_seed(0)
    cell, x, found = nn.GRUCell(3, 4), torch.randn(20, 2, 3), []
    for through in (lambda: bptt(x, step=cell)[0], lambda: torch.stack(states(cell, x))):
        with torch.autocast("cpu", torch.bfloat16):
            output = through()
        found.append((output, *torch.autograd.grad(output.float().square().sum(), list(cell.parameters()))))
    assert [leaf.dtype for leaf in found[0]] == [leaf.dtype for leaf in found[1]]
    assert all(torch.allclose(a.float(), b.float(), rtol=0.05, atol=0.05) for a, b in zip(*found, strict=True))


@given(st.integers(2, 5000))
def test_plans_split_every_span_evenly(T: int) -> None:
    for levels, same in enumerate(plans(T, None), 1):
        lengths = [plan.length for plan in same]
        assert lengths == sorted(set(lengths), reverse=True)
        for plan in same:
            assert len(plan.spans) == levels
            assert all(longer % shorter == 0 for longer, shorter in itertools.pairwise(plan.spans))
            assert plan.length < T
    assert min(plan.states(T) for same in plans(T, 1) for plan in same) <= 4 * math.log2(T) + 2


@pytest.mark.parametrize("kind", KINDS)
def test_choosing_leaves_everything_as_it_was(kind: str) -> None:
    torch.manual_seed(0)
    each = stream(kind, 20, 2)
    draws, buffers = torch.get_rng_state(), [b.clone() for b in getattr(each.step, "buffers", list)()]
    bptt(each.x, state=each.state, memory="1GB", **options(each))
    assert torch.equal(draws, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(buffers, getattr(each.step, "buffers", list)(), strict=True))
    assert all(p.grad is None for p in each.parameters)


@given(
    st.integers(1, 10**6),
    st.sampled_from(
        [
            ("", 1),
            ("B", 1),
            ("kB", 1e3),
            ("MB", 1e6),
            (" GB", 1e9),
            ("mb", 1e6),
            ("TB", 1e12),
            ("Mib", 2**20),
            ("GiB", 2**30),
        ]
    ),
)
def test_memory_is_read_as_it_is_written(number: int, unit: tuple[str, float]) -> None:
    assert bytes_of(f"{number}{unit[0]}") == number * unit[1]
    assert bytes_of(number) == number


@pytest.mark.parametrize("memory", [0, -5, "much", "12 TBs", ""])
def test_memory_that_says_nothing_is_refused(memory: int | str) -> None:
    with pytest.raises(ValueError, match="memory: expected a number of bytes"):
        bptt(torch.randn(4, 2, 3), step=nn.RNN(3, 4), memory=memory)


@pytest.mark.parametrize("memory", [True, 1.5, b"1"])
def test_memory_of_another_type_is_refused(memory: Any) -> None:
    with pytest.raises(TypeError, match="memory: expected a number of bytes"):
        bytes_of(memory)


@pytest.mark.parametrize("T", [1, 2, 3])
def test_the_least_is_enough_for_few_steps(T: int) -> None:
    layer, x = nn.GRU(3, 4), torch.randn(T, 2, 3)
    assert torch.allclose(bptt(x, step=layer, memory=least(x, layer))[0], layer(x)[0])


def test_the_least_figure_is_readable() -> None:
    with pytest.raises(ValueError, match=r"at least [\d.]+ MB \(\d+ bytes\) .* got 1 kB; raise it"):
        bptt(torch.randn(40, 2, 3), step=nn.RNN(3, 4), memory="1kB")


def test_without_gradients_it_runs_once() -> None:
    layer, x = nn.RNN(3, 4), torch.randn(20, 2, 3)
    with torch.no_grad():
        output, state = bptt(x, step=layer, memory=10)
        theirs = layer(x)
    assert torch.equal(output, theirs[0])
    assert torch.equal(state, theirs[1])

"""The training loop that the three models share: text in, one JSON line of figures out."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pydoc_data import topics

import torch
from torch import Tensor, nn

FIRST_TIMED = 50


def characters() -> tuple[Tensor, int]:
    """CPython's own help text as character indices, shape (N,), and the size of the alphabet."""
    text = "".join(topics.topics[name] for name in sorted(topics.topics))
    index = {c: i for i, c in enumerate(sorted(set(text)))}
    return torch.tensor([index[c] for c in text]), len(index)


def windows(text: Tensor, batch: int, length: int) -> Tensor:
    """A batch of windows from random places of the text, shape (B, length + 1)."""
    starts = torch.randint(0, len(text) - length - 1, (batch, 1))
    return text[starts + torch.arange(length + 1)]


def options() -> argparse.Namespace:
    """The command line of every script here."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--watch", choices=["nothing", "histograms", "anomaly"], default="nothing")
    return parser.parse_args()


def train(model: nn.Module, loss_of_batch: Callable[[], Tensor], arguments: argparse.Namespace) -> None:
    """Adam with a clipped norm; prints the mean seconds of a step, by the clock and of the processor, those before
    `FIRST_TIMED` left out."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    torch.autograd.set_detect_anomaly(arguments.watch == "anomaly")
    after_backward = gradient_histograms(model) if arguments.watch == "histograms" else None
    began, loss = (time.perf_counter(), time.process_time()), torch.tensor(float("nan"))
    for step in range(arguments.steps):
        if step == FIRST_TIMED:
            began = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        loss = loss_of_batch()
        loss.backward()
        if after_backward is not None:
            after_backward(step)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    wall, processor = time.perf_counter() - began[0], time.process_time() - began[1]
    timed = arguments.steps - FIRST_TIMED
    print(json.dumps({"wall_per_step": wall / timed, "cpu_per_step": processor / timed, "loss": loss.item()}))


def gradient_histograms(model: nn.Module) -> Callable[[int], None]:
    """TensorBoard's usual use: a histogram of every parameter's gradient, written under runs/."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter("runs")

    def write(step: int) -> None:
        for name, parameter in model.named_parameters():
            writer.add_histogram(name, parameter.grad, step)

    return write

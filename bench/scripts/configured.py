"""One training of a language model, set up in one of the ways in which people train: figures of every step as JSON.

`--setup` is a name of SETUPS; with several processes it is to be started by torchrun, and each trains on its share of
the rows of the same batches. Rank 0 writes `--out`: the losses, the global norms of the gradients as the script itself
sums them over all ranks, the seconds of each step, and the peak memory in MiB.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.utils.checkpoint import checkpoint
from training import characters, windows

SETUPS = {
    "eager": 1,
    "compile": 1,
    "compile reduce-overhead": 1,
    "compiled step": 1,
    "amp bf16": 1,
    "amp fp16 scaler": 1,
    "checkpointing": 1,
    "autograd.grad": 1,
    "ddp": 2,
    "fsdp2": 2,
    "tensor parallel": 2,
    "ddp compile": 2,
    "fsdp2 compile bf16": 2,
    "spawn": 2,
}
"""Each way to train, and its number of processes."""

ROWS, LENGTH = 16, 48


class LSTMModel(nn.Module):
    def __init__(self, alphabet: int) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(alphabet, 64), nn.LSTM(64, 128, batch_first=True)
        self.middle = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 128))
        self.output = nn.Linear(128, alphabet)
        self.checkpoints = False

    def forward(self, tokens: Tensor) -> Tensor:
        hidden, _ = self.lstm(self.embedding(tokens))
        middle = checkpoint(self.middle, hidden, use_reentrant=False) if self.checkpoints else self.middle(hidden)
        return self.output(hidden + middle)


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.middle = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        h = self.first(x)
        x = x + self.attention(h, h, h, attn_mask=mask, need_weights=False)[0]
        return x + self.middle(self.second(x))


class GPT(nn.Module):
    def __init__(self, alphabet: int) -> None:
        super().__init__()
        self.embedding, self.place = nn.Embedding(alphabet, 96), nn.Embedding(LENGTH, 96)
        self.blocks = nn.ModuleList(Block(96) for _ in range(3))
        self.output = nn.Linear(96, alphabet)
        self.checkpoints = False

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = torch.full((length, length), float("-inf")).triu(1)
        x = self.embedding(tokens) + self.place(torch.arange(length))
        for block in self.blocks:
            x = checkpoint(block, x, mask, use_reentrant=False) if self.checkpoints else block(x, mask)
        return self.output(x)


def prepared(model: nn.Module, setup: str) -> nn.Module:
    """The model as this way to train has it."""
    if setup == "checkpointing":
        model.checkpoints = True
    if setup.startswith("fsdp2"):
        half = MixedPrecisionPolicy(param_dtype=torch.bfloat16) if "bf16" in setup else MixedPrecisionPolicy()
        for part in getattr(model, "blocks", ()):
            fully_shard(part, mp_policy=half)
        fully_shard(model, mp_policy=half)
    if setup == "tensor parallel":
        plan = {"output": ColwiseParallel(output_layouts=Replicate())}
        for name, part in model.named_modules():
            if name.endswith("middle"):
                plan |= {f"{name}.0": ColwiseParallel(), f"{name}.2": RowwiseParallel()}
                assert isinstance(part, nn.Sequential)
        parallelize_module(model, init_device_mesh("cpu", (dist.get_world_size(),)), plan)
    if setup in ("ddp", "spawn", "ddp compile"):
        model = nn.parallel.DistributedDataParallel(model)
    if "compile" in setup and setup != "compiled step":
        model = torch.compile(model, mode="reduce-overhead" if "reduce" in setup else None)
    return model


def global_norm(parameters: list[nn.Parameter], scale: float) -> float:
    """The norm of the whole gradient, of sharded parts put together."""
    squares = 0.0
    for parameter in parameters:
        gradient = parameter.grad
        gradient = gradient.full_tensor() if isinstance(gradient, DTensor) else gradient
        squares += float(gradient.double().square().sum())
    return squares**0.5 / scale


def train(model_name: str, setup: str, steps: int, out: Path) -> None:
    """The loop, and what it writes at its end."""
    torch.manual_seed(0)
    text, alphabet = characters()
    model = {"lstm": LSTMModel, "gpt": GPT}[model_name](alphabet)
    parts = dist.get_world_size() if dist.is_initialized() and setup != "tensor parallel" else 1
    rank = dist.get_rank() if dist.is_initialized() else 0
    called = prepared(model, setup)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, 1e-3)
    scaler = torch.amp.GradScaler("cpu", enabled="scaler" in setup, init_scale=2.0**12)
    dtype = {"amp bf16": torch.bfloat16, "amp fp16 scaler": torch.float16}.get(setup)

    def loss_of(tokens: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=dtype) if dtype is not None else contextlib.nullcontext():
            scores = called(tokens[:, :-1]).float().flatten(0, 1)
        return nn.functional.cross_entropy(scores, tokens[:, 1:].flatten())

    def whole_pass(tokens: Tensor) -> Tensor:
        loss = loss_of(tokens)
        loss.backward()
        return loss.detach()

    if setup == "compiled step":
        whole_pass = torch.compile(whole_pass)
    losses, norms, seconds = [], [], []
    for _ in range(steps):
        tokens = windows(text, ROWS, LENGTH)
        tokens = tokens[rank::parts] if parts > 1 else tokens
        began = time.perf_counter()
        optimizer.zero_grad()
        if setup == "compiled step":
            loss = whole_pass(tokens)
        elif setup == "autograd.grad":
            loss = loss_of(tokens)
            for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                parameter.grad = gradient
        else:
            loss = loss_of(tokens)
            scaler.scale(loss).backward()
        pause = time.perf_counter()
        norms.append(global_norm(parameters, scaler.get_scale() if scaler.is_enabled() else 1.0))
        again = time.perf_counter()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - again + pause - began)
    if rank == 0:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        figures = {"losses": losses, "norms": norms, "seconds": seconds, "peak": peak}
        out.write_text(json.dumps(figures), encoding="utf-8")


def spawned(rank: int, arguments: argparse.Namespace) -> None:
    """One process of those that the script starts itself."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": arguments.port}
    started(arguments)


def started(arguments: argparse.Namespace) -> None:
    """Train, with the other processes where there are any."""
    torch.set_num_threads(1)
    if "fp16" in arguments.setup:  # oneDNN has no LSTM in float16
        torch.backends.mkldnn.enabled = False
    if SETUPS[arguments.setup] > 1:
        dist.init_process_group("gloo")
    train(arguments.model, arguments.setup, arguments.steps, arguments.out)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["lstm", "gpt"], required=True)
    parser.add_argument("--setup", choices=SETUPS, required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--port", default="29571")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.setup == "spawn":
        torch.multiprocessing.spawn(spawned, (arguments,), nprocs=2)
    else:
        started(arguments)

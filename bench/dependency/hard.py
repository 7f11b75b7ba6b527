"""Does the level hold where it is hardest? Streams that repeat themselves, few sequences, unlearned near inputs.

Every run has a task, data and a model of its own. What is said of lags from `nothing` on is a false alarm.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from intervals import said
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from work import Work, spread_out

from gradreach.score.dependency import dependency

H, FLIPS = 32, 1000
ALPHA = 0.05
SAID, SHARE = 0.01, 0.01
"""From this q and share on a rule may speak."""

LOOKS = 8
LABELS = 8

Data = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Case:
    """`draw` gives inputs (N, T) or (N, T, f) and targets (N, T) classes or (N, T, 1); nothing lies from a lag on."""

    draw: Callable[[int, Generator], Callable[[int], Data]]
    nothing: int
    sequences: int = 64
    last: bool = False
    distinct: int = 0
    steps: int = 0
    padded: bool = False
    looks: int = LOOKS


def table_of(order: int, V: int, T: int, keeps: float = 1.0) -> Callable[[int, Generator], Callable[[int], Data]]:
    """Tokens that follow from the `order` before, by a random table, in a share `keeps` of the steps; the next one is
    to be said."""

    def begin(_: int, g: Generator) -> Callable[[int], Data]:
        table = torch.randint(V, (V,) * order, generator=g)

        def draw(N: int) -> Data:
            s = torch.randint(V, (N, T + 1), generator=g)
            follows = torch.rand((N, T + 1), generator=g) < keeps
            for t in range(order, T + 1):
                past = tuple(s[:, t - k] for k in range(1, order + 1))
                s[:, t] = torch.where(follows[:, t], table[past], s[:, t])
            return s[:, :-1], s[:, 1:]

        return draw

    return begin


def wave(f: int, T: int) -> Callable[[int, Generator], Callable[[int], Data]]:
    """Sines of one period and any phase; the next value is to be said."""

    def begin(_: int, g: Generator) -> Callable[[int], Data]:
        omega = 0.1 + torch.rand(f, generator=g)

        def draw(N: int) -> Data:
            phase = 6.2832 * torch.rand((N, 1, f), generator=g)
            x = torch.sin(omega * torch.arange(T + 1).reshape(1, -1, 1) + phase)
            return x[:, :-1], x[:, 1:, :1]

        return draw

    return begin


def real(
    f: int, T: int, target: Callable[[Tensor, Generator], Tensor], rho: float = 0.0, signs: bool = False
) -> Callable[[int, Generator], Callable[[int], Data]]:
    """`f` independent chains x_t = ρ x_{t−1} + √(1 − ρ²) ε_t, or random signs, and a target made of them."""

    def begin(_: int, g: Generator) -> Callable[[int], Data]:
        def draw(N: int) -> Data:
            x = torch.randn((N, T, f), generator=g)
            for t in range(1, T):
                x[:, t] = rho * x[:, t - 1] + (1 - rho**2) ** 0.5 * x[:, t]
            x = x.sign() if signs else x
            return x, target(x, g)

        return draw

    return begin


def windows(
    f: int, T: int, series: int, target: Callable[[Tensor, Generator], Tensor]
) -> Callable[[int, Generator], Callable[[int], Data]]:
    """Windows that begin anywhere in one series, a walk of `f` coordinates."""

    def begin(_: int, g: Generator) -> Callable[[int], Data]:
        x, y = real(f, series, target, 0.95)(1, g)(1)

        def draw(N: int) -> Data:
            places = torch.randint(series - T, (N, 1), generator=g) + torch.arange(T)
            return x[0][places], y[0][places]

        return draw

    return begin


def slow(x: Tensor, g: Generator) -> Tensor:
    """Noise that stays for long."""
    return real(1, x.shape[1], noise, 0.9)(1, g)(1)[0].expand(len(x), -1, -1)


def present(x: Tensor, _: Generator) -> Tensor:
    return x[..., :1]


def both(x: Tensor, _: Generator) -> Tensor:
    return x[..., :1] * x[..., 1:2]


def waves(x: Tensor, _: Generator) -> Tensor:
    return torch.sin(2.0 * x[..., :1]) + (x[..., 1:2] > 0.5).float()


def noise(x: Tensor, g: Generator) -> Tensor:
    return torch.randn((*x.shape[:2], 1), generator=g)


def tailed(x: Tensor, g: Generator) -> Tensor:
    normal = torch.randn((*x.shape[:2], 2), generator=g)
    return normal[..., :1] / normal[..., 1:].abs().clamp_min(0.02)


def near(x: Tensor, g: Generator) -> Tensor:
    before = torch.cat([x[:, :1], x[:, :-1]], 1)
    return x[..., :1] - 0.5 * before[..., :1] + noise(x, g)


CASES = {
    "cycles of pairs, untrained": Case(table_of(2, 30, 50), 2),
    "cycles of pairs, 60 steps": Case(table_of(2, 30, 50), 2, steps=60),
    "cycles of pairs, last step": Case(table_of(2, 30, 50), 2, 256, last=True),
    "cycles of tokens, untrained": Case(table_of(1, 30, 50), 1),
    "pairs and chance, untrained": Case(table_of(2, 12, 50, 0.8), 2),
    "pairs and chance, 60 steps": Case(table_of(2, 12, 50, 0.8), 2, steps=60),
    "tokens and chance, untrained": Case(table_of(1, 30, 50, 0.8), 1),
    "sines, untrained": Case(wave(1, 50), 2),
    "three sines, untrained": Case(wave(3, 50), 2),
    "8 sequences again, noise": Case(real(4, 30, noise), 1, 128, distinct=8),
    "16 sequences again, noise": Case(real(4, 30, noise), 1, 128, distinct=16),
    "32 sequences again, noise": Case(real(4, 30, noise), 1, 128, distinct=32),
    "64 sequences again, noise": Case(real(4, 30, noise), 1, 256, distinct=64),
    "64 again, noise, last step": Case(real(4, 30, noise), 1, 512, distinct=64, last=True),
    "64 again, noise, last step, 40 steps": Case(real(4, 30, noise), 1, 512, distinct=64, last=True, steps=40),
    "32 again, noise, 60 steps": Case(real(4, 30, noise), 1, 128, distinct=32, steps=60),
    "windows of 1500 steps, noise": Case(windows(2, 30, 1500, noise), 1, 128),
    "windows of 1500 steps, slow noise, last step": Case(windows(2, 30, 1500, slow), 1, 256, last=True),
    "windows of 6000 steps, noise": Case(windows(2, 30, 6000, noise), 1, 128),
    "windows of 6000 steps, slow noise, last step": Case(windows(2, 30, 6000, slow), 1, 512, last=True),
    "present, 8 wide, last step": Case(real(8, 30, present), 1, 512, last=True, looks=32),
    "present, 2 wide, last step": Case(real(2, 30, present), 1, 256, last=True),
    "present, 24 wide, last step": Case(real(24, 30, present), 1, 512, last=True),
    "present, 8 wide, every step": Case(real(8, 30, present), 1),
    "present, 24 wide, every step": Case(real(24, 30, present), 1),
    "present, AR(1) 0.9, last step": Case(real(8, 30, present, 0.9), 1, 512, last=True),
    "xor, 8 signs, last step": Case(real(8, 30, both, signs=True), 1, 512, last=True),
    "xor, 8 signs, every step": Case(real(8, 30, both, signs=True), 1),
    "product, 8 wide, every step": Case(real(8, 30, both), 1),
    "product, AR(1) 0.9, every step": Case(real(4, 30, both, 0.9), 1),
    "waves, AR(1) 0.9, every step": Case(real(4, 30, waves, 0.9), 1),
    "waves, 4 wide, last step": Case(real(4, 30, waves), 1, 512, last=True),
    "heavy tails, every step": Case(real(4, 30, tailed), 1),
    "heavy tails, last step": Case(real(4, 30, tailed), 1, 256, last=True),
    "padded, near": Case(real(4, 30, near), 2, padded=True),
    "padded, noise, last step": Case(real(4, 30, noise), 1, 256, padded=True, last=True),
    "noise, last step": Case(real(8, 30, noise), 1, 256, last=True),
}


class Net(nn.Module):
    """A GRU with a readout at every step."""

    def __init__(self, x: Tensor, y: Tensor, classes: int) -> None:
        super().__init__()
        self.embed = None if x.is_floating_point() else nn.Embedding(classes, 16)
        self.body = nn.GRU(16 if self.embed else x.shape[-1], H, batch_first=True)
        self.head = nn.Linear(H, classes if not y.is_floating_point() else 1)

    def states(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x if self.embed is None else self.embed(x))[0]
        return out


def measure(job: tuple[str, int]) -> dict[str, Any]:
    """One run: what was said of lags at which there is nothing, and what of nearer ones."""
    name, run = job
    case = CASES[name]
    torch.manual_seed(run)
    g = torch.Generator().manual_seed(run)
    draw = case.draw(case.sequences, g)
    x, y = draw(1)
    classes = 0 if x.is_floating_point() else 64
    net = Net(x, y, classes)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    each = case.sequences // case.looks
    whole = draw(case.distinct) if case.distinct else None
    for step in range(case.steps):
        _look(net, *_batch(case, draw, whole, each, step))
        optimizer.step()
    seen, groups = [], []
    for i in range(case.looks):
        which = (
            torch.arange(each * i, each * (i + 1)) % case.distinct if case.distinct else torch.arange(each) + each * i
        )
        x, y = _batch(case, draw, whole, each, i)
        scored = _scored(case, x, g)
        seen.append(_look(net, x, y, scored))
        groups.append(which)
        if case.steps:
            optimizer.step()
    errors, given, states = (list(part) for part in zip(*seen, strict=True))
    began = time.perf_counter()
    found = dependency(errors, given, states, groups=groups, flips=FLIPS, seed=run)
    seconds = time.perf_counter() - began
    null = [lag for lag in found.lags if lag.until >= case.nothing and lag.lag >= case.nothing]
    return {
        "case": name, "run": run, "tested": len(found.lags), "why_not": found.why_not, "seconds": seconds,
        "wrong": [[lag.lag, lag.until, lag.q, lag.share] for lag in null if lag.q <= ALPHA],
        "p": [[lag.lag, lag.p] for lag in null],
        "near": [[lag.lag, lag.until, lag.q, lag.share] for lag in found.lags if lag not in null and lag.q <= ALPHA],
        "detectable": sorted(lag.detectable for lag in found.lags)[len(found.lags) // 2] if found.lags else None,
    }  # fmt: skip


def _batch(case: Case, draw: Callable[[int], Data], whole: Data | None, each: int, step: int) -> Data:
    if whole is None:
        return draw(each)
    which = torch.arange(each * step, each * (step + 1)) % case.distinct
    return whole[0][which], whole[1][which]


def _scored(case: Case, x: Tensor, g: Generator) -> Tensor:
    N, T = x.shape[:2]
    ends = torch.randint(T // 2, T, (N, 1), generator=g) if case.padded else torch.full((N, 1), T - 1)
    steps = torch.arange(T).expand(N, T)
    return steps == ends if case.last else steps <= ends


def _look(net: Net, x: Tensor, y: Tensor, scored: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    net.zero_grad()
    states = net.states(x)
    states.retain_grad()
    scored = torch.ones(x.shape[:2], dtype=torch.bool) if scored is None else scored
    score = F.mse_loss if y.is_floating_point() else F.cross_entropy
    score(net.head(states)[scored], y[scored]).backward()
    assert states.grad is not None
    return states.grad, x, states.detach()


def run(work: Work) -> Iterator[dict[str, Any]]:
    """All rows, with progress."""
    runs = 2 if work.quick else 1000 if work.full else 200
    jobs = [(name, run) for name in CASES for run in range(runs) if work.filter in name]
    for done, row in enumerate(spread_out(measure, jobs, work.jobs), 1):
        if done % 50 == 0:
            print(f"hard {done}/{len(jobs)}: {row['case']}", file=sys.stderr, flush=True)
        yield row


def tables(rows: list[dict[str, Any]]) -> dict[str, list[list[str]]]:
    """`hard`: a row a case, and one of them all."""
    head = ["case", "runs", "not tested", "a false q ≤ 0.05, share ≥ 1 %, %", "a false q ≤ 0.01, share ≥ 1 %, %",
            "a q ≤ 0.05 of any share, %", "bands with p ≤ 0.05, %", "detectable share, median %"]  # fmt: skip
    cases = {name: [row for row in rows if row["case"] == name] for name in dict.fromkeys(row["case"] for row in rows)}
    return {"hard": [head, *(_summed(name, each) for name, each in cases.items()), _summed("all", rows)]}


def _summed(name: str, rows: list[dict[str, Any]]) -> list[str]:
    n = len(rows)
    spoke = [
        sum(any(q <= limit and share >= least for _, _, q, share in row["wrong"]) for row in rows)
        for limit, least in ((ALPHA, SHARE), (SAID, SHARE), (ALPHA, 0.0))
    ]
    p = [p for row in rows for _, p in row["p"]]
    detectable = sorted(row["detectable"] for row in rows if row["detectable"] is not None)
    return [
        name, str(n), str(sum(not row["tested"] for row in rows)), *(said(each, n) for each in spoke),
        f"{100 * sum(each <= ALPHA for each in p) / len(p):.1f}" if p else "–",
        f"{100 * detectable[len(detectable) // 2]:.1f}" if detectable else "–",
    ]  # fmt: skip

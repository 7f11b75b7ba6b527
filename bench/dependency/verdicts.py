"""Whole trainings, watched from the first step under the default budget: what is said of them, and what is true.

Beside gr.observe stand the two rules in common use, on the same trainings:
"loss curve": vanishing where the mean loss of the last tenth of the steps is less than 10 % under that of the first;
"norm < 1e-7": vanishing where on any step the mean |∂L/∂w| over the recurrent weights W_hh is under 1e-7 (the rule
VanishingGradient of SageMaker Debugger, on the tensor in question), or the batch mean of ‖∂L/∂x_0‖ is (what the first
step's input gets; per sequence, of the loss summed over the batch).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import inputs
import models
import tasks
import torch
from intervals import said
from work import Work, spread_out

import gradreach as gr

Truth = Literal["vanishing", "short", "learned", "nothing"]
CODES = ("GR401", "GR402", "GR403")
FALSE: dict[Truth, tuple[str, ...]] = {
    "vanishing": ("GR401", "GR403"),
    "short": ("GR402",),
    "learned": ("GR402",),
    "nothing": ("GR402", "GR403"),
}
"""What must not be said. Of a vanishing gradient GR402 must be said, of all others it must not."""

STEPS, BATCH, H = 200, 64, 32
LITTLE, TINY = 0.1, 1e-7
BLOCK, PATIENCE = 100, 60
"""An LSTM that is to have learned the task gets so many steps at a time, so often at most."""


@dataclass(frozen=True)
class Case:
    """A task, a model, and what is true of its training; `T` or what else gives the task its length."""

    task: tasks.Task
    model: str
    truth: Truth


def cases(quick: bool) -> list[Case]:
    """The truth table."""
    if quick:
        return [
            Case(tasks.adding(100), "RNN", "vanishing"),
            Case(tasks.short("iid tokens", 48), "LSTM", "short"),
        ]
    far = [tasks.adding(100), tasks.adding(200), tasks.copying(100), tasks.order(100), tasks.agreement(12)]
    near = [tasks.near_sum(kind, 64) for kind in ("iid tokens", "sticky tokens", "text")]
    near += [tasks.short(kind, 64) for kind in ("iid tokens", "sticky tokens")]
    none = [
        tasks.independent(inputs.KINDS[kind], target, where, 64)
        for kind, target, where in (
            ("iid tokens", "noise", "every step"), ("sticky tokens", "near", "every step"),
            ("AR(1) 0.9", "near", "every step"), ("AR(1) 0.9", "near product", "last step"),
            ("text", "near", "last step"),
        )
    ]  # fmt: skip
    learned = [tasks.adding(50), tasks.order(50), tasks.agreement(6), tasks.short("iid tokens", 64)]
    return [
        *(Case(task, "RNN", "vanishing") for task in far),
        *(Case(task, model, "short") for task in near for model in ("RNN", "LSTM")),
        *(Case(task, model, "nothing") for task in none for model in ("RNN", "LSTM")),
        *(Case(task, "LSTM", "learned") for task in learned),
    ]


def measure(seed: int, case: Case) -> dict[str, Any]:
    """One training, twice from the same seed: watched, and plain under the rules of others."""
    torch.manual_seed(seed)
    net = models.Net(case.model, case.task, H)
    g = torch.Generator().manual_seed(seed)
    taught, reached = _taught(net, case.task, g) if case.truth == "learned" else (0, True)
    weights, drawn = {k: v.clone() for k, v in net.state_dict().items()}, g.get_state()

    began = time.perf_counter()
    with gr.observe(net) as watch:
        losses = models.train(net, case.task, STEPS, BATCH, g)
    report = watch.report()
    seconds = time.perf_counter() - began

    net.load_state_dict(weights)
    g.set_state(drawn)
    again, tiny_weights, tiny_input = _rivals(net, case.task, g)
    return {
        "task": case.task.name, "model": case.model, "truth": case.truth, "seed": seed, "taught": taught,
        "learned": reached, "loss": [losses[0], losses[-1]], "same": again == losses, "seconds": seconds,
        "codes": sorted({f.code for f in report.findings} & set(CODES)),
        "evidence": [{"code": f.code, **f.evidence} for f in report.findings if f.code in CODES],
        "looks": len(report.record.looks),
        "sequences": max((d.sequences for d in report.record.dependency), default=0),
        "why_not": "; ".join(dict.fromkeys(d.why_not for d in report.record.dependency if d.why_not)),
        "loss curve": _mean(losses[-STEPS // 10 :]) > (1 - LITTLE) * _mean(losses[: STEPS // 10]),
        "norm of W_hh": tiny_weights, "norm at x_0": tiny_input,
    }  # fmt: skip


def _taught(net: models.Net, task: tasks.Task, g: torch.Generator) -> tuple[int, bool]:
    """Train until the task is learned, from gates open for as long as it is: the steps it took, and whether it was."""
    gr.init.chrono_(net.body, t_max=task.draw(1, g).x.shape[1])
    for block in range(1, PATIENCE + 1):
        if _mean(models.train(net, task, BLOCK, BATCH, g, rate=3e-3)[-10:]) < task.learned:
            return block * BLOCK, True
    return PATIENCE * BLOCK, False


def _rivals(net: models.Net, task: tasks.Task, g: torch.Generator) -> tuple[list[float], bool, bool]:
    """The losses, whether mean |∂L/∂W_hh| was under `TINY` on any step, and whether the batch mean of ‖∂L/∂x_0‖ was."""
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses, weights, first = [], [], []
    entered: list[torch.Tensor] = []
    hook = net.body.register_forward_pre_hook(partial(_entering, entered))
    for _ in range(STEPS):
        losses.append(models.step(net, task.draw(BATCH, g), optimizer))
        weights.append(float(net.body.weight_hh_l0.grad.abs().mean()))
        (x,) = entered
        assert x.grad is not None
        first.append(float(BATCH * x.grad[:, 0].norm(dim=-1).mean()))
    hook.remove()
    return losses, min(weights) < TINY, min(first) < TINY


def _entering(entered: list[torch.Tensor], _: torch.nn.Module, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    x = args[0] if args[0].requires_grad else args[0].clone().requires_grad_()
    x.retain_grad()
    entered[:] = [x]
    return (x,)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _one(job: tuple[int, int, bool]) -> dict[str, Any]:
    seed, index, quick = job
    return measure(seed, cases(quick)[index])


def run(work: Work) -> Iterator[dict[str, Any]]:
    """All rows, with progress."""
    chosen = cases(work.quick)
    seeds = 1 if work.quick else 10 if work.full else 5
    jobs = [
        (seed, index, work.quick)
        for index, case in enumerate(chosen)
        for seed in range(seeds)
        if work.filter in f"{case.task.name}, {case.model}, {case.truth}"
    ]
    for done, row in enumerate(spread_out(_one, jobs, work.jobs), 1):
        print(f"verdict {done}/{len(jobs)}: {_told(row)}", file=sys.stderr, flush=True)
        yield row


def _told(row: dict[str, Any]) -> str:
    said = " ".join(row["codes"]) or row["why_not"] or "silent"
    changed = "" if row["same"] else "; WATCHED AND PLAIN DIFFER"
    return (
        f"{row['task']}, {row['model']} ({row['truth']}): {said}; {row['looks']} looks, {row['sequences']} sequences, "
        f"loss {row['loss'][0]:.3g} → {row['loss'][1]:.3g}, {row['seconds']:.1f} s{changed}"
    )


def tables(rows: list[dict[str, Any]]) -> dict[str, list[list[str]]]:
    """`verdict`: a row a case; `confusion`: how often each rule says vanishing where it is, and where it is not."""
    held = [row for row in rows if row["learned"]]
    keys = list(dict.fromkeys((row["task"], row["model"], row["truth"]) for row in held))
    heads = ["task", "model", "truth", "runs", *CODES, "none of them", "wrong", *RULES]
    body = [[*key, *_case([r for r in held if (r["task"], r["model"], r["truth"]) == key])] for key in keys]
    true, false = ([row for row in held if (row["truth"] == "vanishing") == is_so] for is_so in (True, False))
    confusion = [
        [name, *(said(sum(map(rule, group)), len(group)) for group in (true, false))]
        for name, rule in RULES_ALL.items()
    ]
    return {
        "verdict": [heads, *body],
        "confusion": [["rule", f"says vanishing where it is, % of {len(true)}", f"where it is not, % of {len(false)}"],
                      *confusion],
    }  # fmt: skip


Rule = Callable[[dict[str, Any]], bool]
RULES: dict[str, Rule] = {
    "loss curve": lambda row: bool(row["loss curve"]),
    "mean |∂L/∂W_hh| < 1e-7": lambda row: bool(row["norm of W_hh"]),
    "‖∂L/∂x_0‖ < 1e-7": lambda row: bool(row["norm at x_0"]),
}
RULES_ALL: dict[str, Rule] = {"gradreach: GR402": lambda row: "GR402" in row["codes"], **RULES}


def _case(rows: list[dict[str, Any]]) -> list[str]:
    counts = [str(sum(code in row["codes"] for row in rows)) for code in CODES]
    silent = str(sum(not row["codes"] for row in rows))
    wrong = str(sum(_wrong(row) for row in rows))
    return [str(len(rows)), *counts, silent, wrong, *(str(sum(map(rule, rows))) for rule in RULES.values())]


def _wrong(row: dict[str, Any]) -> bool:
    """Something was said that is not so, or GR402 was not where it should have been."""
    missed = row["truth"] == "vanishing" and "GR402" not in row["codes"]
    return missed or bool(set(FALSE[row["truth"]]) & set(row["codes"]))

"""Watching one's own loop: `observe` around it, `diagnose` without any training."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.facts.wording import count
from gradreach.record.byte_sizes import bytes_of
from gradreach.record.schema import Outcome, Record
from gradreach.record.sinks.recorder import Recorder
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.record.store import rank_file, read
from gradreach.report.report import Report
from gradreach.watch.budget import Budget
from gradreach.watch.launch.launch import describe_run
from gradreach.watch.nonfinite.kept_calls import Generators
from gradreach.watch.session import Session

_active: list[Watch] = []

_TAKES = "diagnose calls loss_fn(model(x), y) for each (x, y) of batches"


class Watch:
    """A watch over one model while its `with` block runs; `report()` may be asked for during or after it.

    >>> import torch, gradreach as gr
    >>> model = torch.nn.Linear(3, 1)
    >>> with gr.observe(model) as watch:
    ...     for _ in range(3):
    ...         model(torch.ones(2, 3)).sum().backward()
    >>> len(watch.record().steps)
    3
    """

    def __init__(self, model: nn.Module, out: Path, budget: Budget, memory: int | None = None) -> None:
        self.out = out
        self._model = model
        self._budget = budget
        self._memory = memory
        self._began = time.perf_counter()
        self._session: Session | None = None
        self._recorder: Recorder | None = None

    def __enter__(self) -> Watch:
        if _active:
            raise RuntimeError("observe: another watch is on in this process; leave its `with` block first")
        device = next((p.device.type for p in self._model.parameters()), "cpu")
        run = describe_run(_running(), (), device)
        self._recorder = Recorder(run, [SqliteSink(rank_file(self.out, run.rank), run)])
        self._session = Session(self._recorder, self._budget, only=self._model, memory=self._memory)
        _active.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _active.remove(self)
        assert self._session is not None
        assert self._recorder is not None
        self._session.close()
        seconds = time.perf_counter() - self._began
        if error is None:
            self._recorder.write(Outcome("finished", 0, seconds=seconds))
        else:
            self._recorder.write(Outcome("raised", 1, f"{type(error).__name__}: {error}", seconds))
        self._recorder.close()

    def __repr__(self) -> str:
        state = "not begun" if self._session is None else "on" if self in _active else "ended"
        passes = 0 if self._session is None else self._session.count
        seen = count(passes, "backward pass", "backward passes")
        return f"<gradreach.Watch of {type(self._model).__name__}, {state}: {seen}, in {self.out}>"

    def record(self) -> Record:
        """All that was seen so far. Raises RuntimeError before the `with` block is entered."""
        if self._session is None:
            raise RuntimeError("watch: nothing was watched yet; ask within its `with` block, or after it")
        if self in _active:
            self._session.flush()
        return read(self.out)

    def report(self) -> Report:
        """Findings, verdict and figures of what was seen so far. Raises RuntimeError before the `with` block."""
        return Report.of(self.record())


def observe(
    model: nn.Module,
    *,
    budget: float = 0.02,
    every: int | None = None,
    memory: int | str | None = None,
    out: str | Path | None = None,
) -> Watch:
    """Watch every backward pass of `model` in the `with` block; the training is bit for bit the same, watched or not.

    `budget` is the share of the wall time that watching may cost; `every` watches each n-th step instead. `memory`
    is what a look may take beside the script's own, in bytes or as "500MB" (default: a quarter of what the process
    holds at its peak); what has no room is looked at in part. The record goes to the folder `out` (default: a temporary
    one). Raises TypeError for anything but a module, ValueError for a budget outside (0, 1], an `every` under 1 or a
    `memory` that is no size, OSError where `out` cannot be written.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}: pass the model that you train")
    room = None if memory is None else bytes_of(memory)
    folder = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="gradreach-"))
    return Watch(model, folder, Budget(budget, every), room)


def diagnose(
    model: nn.Module, batches: Iterable[Any], loss_fn: Callable[..., Tensor], *, out: str | Path | None = None
) -> Report:
    """Look at a model's weights as they stand, without training: every batch is watched, nothing is changed.

    Each batch is `(x, y)`; `loss_fn(model(x), y)` is a scalar. Gradients, buffers, train/eval mode and generators are
    put back as they were. Raises ValueError where there is no batch, one is no pair, or a loss is no scalar tensor.

    >>> import torch, gradreach as gr
    >>> model = torch.nn.RNN(3, 8)
    >>> batch = (torch.randn(5, 2, 3), torch.zeros(5, 2, 8))
    >>> report = gr.diagnose(model, [batch], lambda out, y: torch.nn.functional.mse_loss(out[0], y))
    >>> report.record.looks[0].time[0].T
    5
    """
    gradients = [(p, p.grad) for p in model.parameters()]
    buffers = [(b, b.detach().clone()) for b in model.buffers()]
    generators = Generators.now()
    seen = 0
    try:
        with observe(model, every=1, out=out) as watch:
            for batch in batches:
                x, y = _pair(batch)
                model.zero_grad(set_to_none=True)
                _loss(model(x), y, loss_fn).backward()
                seen += 1
    finally:
        generators.restore()
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
        for parameter, gradient in gradients:
            parameter.grad = gradient
    if seen == 0:
        raise ValueError("batches must hold at least one (x, y) pair, got none")
    return watch.report()


def _pair(batch: Any) -> tuple[Any, Any]:
    """A batch as (x, y). Raises ValueError for anything else."""
    if not isinstance(batch, Sequence) or len(batch) != 2:
        form = f"a {type(batch).__name__}"
        got = f"{form} of {len(batch)}" if isinstance(batch, Sequence | Mapping) else form
        raise ValueError(f"{_TAKES}, got {got}: make pairs of it, as by ((b[0], b[1:]) for b in batches)")
    return batch[0], batch[1]


def _loss(output: Any, y: Any, loss_fn: Callable[..., Tensor]) -> Tensor:
    """The loss of one batch, a scalar. Raises ValueError for another, and what `loss_fn` raises with a note."""
    try:
        loss = loss_fn(output, y)
    except Exception as error:
        if not isinstance(output, Tensor):
            form = type(output).__name__
            error.add_note(
                f"{_TAKES}, and model(x) gave a {form}: take the tensor out of it, as by output[0], in loss_fn"
            )
        raise
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        shape = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise ValueError(f"loss_fn must return a scalar tensor, got {shape}: reduce it, as by .mean()")
    return loss


def _running() -> str:
    """The script that runs, or that it is a notebook."""
    script = sys.argv[0] if sys.argv else ""
    return "notebook" if Path(script).stem in ("ipykernel_launcher", "ipython") else script or "python"

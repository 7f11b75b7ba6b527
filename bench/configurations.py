"""What is seen of a training in each of the ways in which people train, and what it costs there.

Each way is run plain and under `gradreach run`, a process each (or two, by torchrun or started by the script itself).
The table says for each: the exit code; whether the losses are the unwatched ones, bit for bit; which recurrent layers
the report tells of, and their horizon; the largest relative error of a global norm beside what the script itself sums
over all ranks, and that of the first step beside the single process's; a step's time beside the plain one's, by the
median past the tenth; and what the peak memory grew by, in MiB.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

SCRIPT = Path(__file__).parent / "scripts" / "configured.py"
MODELS = ("lstm", "gpt")
LATE = 10


@dataclass(frozen=True, slots=True)
class Trained:
    """One run: its exit code, what it wrote of its steps, and gradreach's report of it."""

    code: int
    figures: dict[str, Any]
    report: dict[str, Any]


def setups() -> dict[str, int]:
    """The ways to train, by the script's own list."""
    text = SCRIPT.read_text(encoding="utf-8")
    listed: dict[str, int] = eval(text[text.index("SETUPS = ") + 9 : text.index("}") + 1])
    return listed


def free_port() -> str:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


def trained(model: str, setup: str, processes: int, steps: int, watched: bool) -> Trained:
    """Run one way to train to its end."""
    with tempfile.TemporaryDirectory() as folder:
        out, report = Path(folder, "figures.json"), Path(folder, "report.json")
        watching = ["-m", "gradreach", "run", "--out", f"{folder}/record", "--json", str(report)] if watched else []
        script = [str(SCRIPT), "--model", model, "--setup", setup, "--steps", str(steps), "--out", str(out)]
        launcher = [sys.executable]
        if processes > 1 and setup != "spawn":
            launcher = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
            launcher += ["--master-port", free_port()]
        port = ["--port", free_port()]
        settings = os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        done = subprocess.run(
            [*launcher, *watching, *script, *port], env=settings, capture_output=True, text=True, timeout=900
        )
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr)
        read = (json.loads(each.read_text(encoding="utf-8")) if each.exists() else {} for each in (out, report))
        return Trained(done.returncode, *read)


def row(model: str, setup: str, processes: int, steps: int, first_norm: float | None) -> tuple[str, float | None]:
    """A row of the table, and the first step's norm as the script summed it."""
    plain, seen = (trained(model, setup, processes, steps, watched) for watched in (False, True))
    own, report = seen.figures, seen.report
    same = own.get("losses") == plain.figures.get("losses")
    layers = ", ".join(
        f"{layer['module']} {layer['horizon']} of {layer['T'] - 1}"
        for layer in report.get("time", ())
        if "horizon" in layer
    )
    told = report.get("norm", {}).get("global", [])
    errors = [abs(a - b) / b for a, b in zip(told, own.get("norms", ()), strict=False) if a is not None and b]
    first = own["norms"][0] if own.get("norms") else None
    off = "—" if not (first and first_norm) else f"{abs(first - first_norm) / first_norm:.1e}"
    times = [median(run.figures["seconds"][LATE:]) if run.figures else float("nan") for run in (plain, seen)]
    grown = own.get("peak", float("nan")) - plain.figures.get("peak", float("nan"))
    cells = [
        model, setup, f"{plain.code} / {seen.code}", "yes" if same else "NO", layers or "—",
        f"{max(errors):.1e} of {len(errors)}" if errors else "none", off, f"{times[1] / times[0]:.2f}", f"{grown:+.0f}",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |", first


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--only", help="a part of a setup's name")
    parser.add_argument("--quick", action="store_true", help="a dozen steps")
    arguments = parser.parse_args()
    steps = 12 if arguments.quick else arguments.steps
    heads = ("model", "set up as", "exit", "losses", "horizon", "norms off by", "first off", "time", "MiB")
    print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads), flush=True)
    for model in MODELS:
        alone = None
        for setup, processes in setups().items():
            if arguments.only is None or arguments.only in setup:
                told, first = row(model, setup, processes, steps, alone)
                alone = first if setup == "eager" else alone
                print(told, flush=True)


if __name__ == "__main__":
    main()

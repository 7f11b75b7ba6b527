"""What watching costs: the same training plain, under `gradreach run`, with TensorBoard histograms of every gradient on
every step, and with autograd's anomaly detection.

Every run is a process of its own, and the variants take turns (A B C D A B C D …), so that whatever else the machine
does falls on all of them; a ratio compares two runs of the same turn. The table goes to stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import timing
from timing import spread

SCRIPTS = Path(__file__).parent / "scripts"
STEPS = {"lstm": 300, "transformer": 300, "mlp": 800}
VARIANTS = ("plain", "gradreach", "histograms", "anomaly")


@dataclass(frozen=True, slots=True)
class Measure:
    """One run: mean wall and processor seconds of a training step past the 50th, wall seconds of the whole process,
    peak memory in MiB, the last loss, and the share of the time that gradreach itself says it took."""

    step: float
    cpu: float
    wall: float
    memory: float
    loss: float
    stated: float | None = None


def command(variant: str, script: Path, steps: int) -> list[str]:
    """The command line of one run, in whose working folder everything that it writes ends up."""
    plain = [str(script), "--steps", str(steps)]
    if variant == "gradreach":
        return [sys.executable, "-m", "gradreach", "run", "--out", "watched", "--json", "report.json", *plain]
    return [sys.executable, *plain, *([] if variant == "plain" else ["--watch", variant])]


def measure(variant: str, model: str, steps: int) -> Measure:
    """Run one variant of one model to its end. Raises RuntimeError, with what it printed, where it fails."""
    with tempfile.TemporaryDirectory() as folder, open(Path(folder, "printed"), "w+") as printed:
        began = time.perf_counter()
        child = subprocess.Popen(
            command(variant, SCRIPTS / f"{model}.py", steps), cwd=folder, stdout=printed, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        lines = printed.read().splitlines()
        if child.returncode != 0:
            raise RuntimeError(f"{model}, {variant}: exit code {child.returncode}\n" + "\n".join(lines[-20:]))
        figures = next(json.loads(line) for line in reversed(lines) if line.startswith('{"wall_per_step"'))
        report = Path(folder, "report.json")
        stated = json.loads(report.read_text())["overhead"]["measured"] if report.exists() else None
    peak = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return Measure(figures["wall_per_step"], figures["cpu_per_step"], wall, peak, figures["loss"], stated)


def comparison(runs: dict[tuple[str, str], list[Measure]]) -> str:
    """One row a model and variant; each ratio is to the plain run of the same turn."""
    heads = ("model", "variant", "step, ms", "step ×", "processor ×", "process ×", "peak MiB", "stated", "same loss")
    rows = [heads]
    for (model, variant), measures in runs.items():
        turns = list(zip(measures, runs[model, "plain"], strict=True))
        stated = [100 * m.stated for m in measures if m.stated is not None]
        rows.append(
            (
                model,
                variant,
                spread([1e3 * m.step for m in measures], ".2f"),
                spread([m.step / p.step for m, p in turns], ".3f"),
                spread([m.cpu / p.cpu for m, p in turns], ".3f"),
                spread([m.wall / p.wall for m, p in turns], ".2f"),
                f"{median(m.memory for m in measures):.0f}",
                spread(stated, ".2f") + " %" if stated else "–",
                "yes" if all(m.loss == p.loss for m, p in turns) else "NO",
            )
        )
    return timing.table(rows)


LEGEND = """
step       one training step by the clock, timed inside the script from step 50 on
processor  the same step in processor time of all its threads: steadier where the machine has other work
process    the whole process by the clock, from its start to its end
stated     the share of the time that gradreach itself reports as its own"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 repeats of 150 steps (a minute or two)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS[1:], default=list(VARIANTS[1:]))
    arguments = parser.parse_args()
    variants = ["plain", *(v for v in VARIANTS[1:] if v in arguments.variants)]
    if "histograms" in variants and importlib.util.find_spec("tensorboard") is None:
        print("TensorBoard is not installed: its histograms are left out (pip install tensorboard).", file=sys.stderr)
        variants.remove("histograms")
    repeats = 2 if arguments.quick else arguments.repeats
    runs: dict[tuple[str, str], list[Measure]] = {(m, v): [] for m in arguments.models for v in variants}
    for repeat in range(repeats):
        for model, variant in runs:
            try:
                taken = measure(variant, model, 150 if arguments.quick else STEPS[model])
            except RuntimeError as failure:
                sys.exit(str(failure))
            runs[model, variant].append(taken)
            turn = f"{repeat + 1}/{repeats}  {model}, {variant}"
            print(f"{turn}: {1e3 * taken.step:.2f} ms a step", file=sys.stderr, flush=True)
    threads = os.environ.get("OMP_NUM_THREADS", "torch's own choice of")
    print(f"median (min–max) of {repeats} repeats, {os.cpu_count()} cores, {threads} thread(s)\n")
    print(comparison(runs), LEGEND, sep="\n")


if __name__ == "__main__":
    main()

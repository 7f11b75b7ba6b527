"""gr.bptt under a limit of memory: how far the process grows for each byte asked for, and its time beside plain BPTT.

A pass is forward, output.square().mean() and backward. Each runs in a process of its own, after a short pass that has
the libraries make what they keep; growth is the peak of resident memory above what was resident before the pass, with
x and the parameters made. Where the limit is "least", it is the figure that a refusal names. Time is CPU time, and a
ratio is of the two processes that ran one after the other. The table goes to stdout, progress to stderr.

A second table holds the peak of small trainings under `gradreach run` against that of the same trainings alone, one
process each and one after the other, and how far looks say to have raised it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from timing import peak_memory, spread, table
from torch import nn

from gradreach.remedies.tbptt.bptt import bptt

FAMILIES = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
SETTINGS = (
    ("RNN", 2000, 64, 128, "least"),
    ("RNN", 20000, 16, 32, "least"),
    ("RNN", 65536, 4, 16, "150MB"),
    ("GRU", 2000, 64, 128, "1.5GB"),
    ("GRU", 20000, 16, 32, "300MB"),
    ("GRU", 65536, 8, 16, "256MB"),
    ("GRU", 65536, 16, 64, "least"),
    ("LSTM", 2000, 64, 128, "least"),
    ("LSTM", 65536, 4, 16, "150MB"),
)
"""Family, T, B, H and the memory asked for."""


def one_pass(layer: nn.Module, x: torch.Tensor, memory: int | str | None) -> None:
    output = layer(x)[0] if memory is None else bptt(x, step=layer, memory=memory)[0]
    output.square().mean().backward()


def least(layer: nn.Module, x: torch.Tensor) -> int:
    """The least memory, as the refusal of a single byte names it."""
    try:
        bptt(x, step=layer, memory=1)
    except ValueError as refusal:
        return int(str(refusal).split("(")[1].split()[0])
    raise AssertionError("a single byte was enough")


def measured(kind: str, T: int, B: int, H: int, memory: str, *, plain: bool) -> tuple[float, float, float]:
    """MB asked for, MB of growth and seconds of CPU time of a pass, in this process."""
    torch.manual_seed(0)
    layer, x = FAMILIES[kind](8, H), torch.randn(T, B, 8)
    for warm in (None, "10GB"):
        one_pass(layer, x[:64], warm)
    bptt(x[:256], step=layer)[0].sum().backward()
    asked = least(layer, x) if memory == "least" else int(float(memory[:-2]) * {"MB": 1e6, "GB": 1e9}[memory[-2:]])
    layer.zero_grad()
    began = time.process_time()
    grown = peak_memory(lambda: one_pass(layer, x, None if plain else asked))
    return asked / 1e6, (float("nan") if grown is None else grown * 2**20 / 1e6), time.process_time() - began


def in_a_child(setting: tuple[object, ...], way: str) -> list[float]:
    command = [sys.executable, __file__, "--one", way, *map(str, setting)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(each) for each in result.stdout.split()]


TRAININGS = ("cells", "lstm", "loop", "words", "transformer", "compiled", "convolutions")
"""Those of scripts/peaks.py."""


def peak_of(name: str, *, watched: bool) -> tuple[float, float]:
    """MiB at the peak of a training of 6 steps, as the script itself finds it, and those that looks added."""
    script = [str(Path(__file__).parent / "scripts" / "peaks.py"), name, "--steps", "6"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        under = ["-m", "gradreach", "run", "--out", f"{folder}/out", "--json", str(report)] if watched else []
        result = subprocess.run([sys.executable, *under, *script], check=True, capture_output=True, text=True)
        raised = json.loads(report.read_text())["overhead"]["memory"] if watched else 0
    line = next(line for line in result.stdout.splitlines() if line.startswith("peak"))
    return float(line.split()[1]), (raised or 0) / 2**20


def trainings(turns: int) -> str:
    """A row for each training."""
    rows = [("training", "alone, MiB", "watched, MiB", "watched ÷ alone", "by looks, as stated, MiB")]
    for name in TRAININGS:
        print(name, file=sys.stderr, flush=True)
        pairs = [(peak_of(name, watched=False)[0], *peak_of(name, watched=True)) for _ in range(turns)]
        alone, watched, stated = ([pair[n] for pair in pairs] for n in range(3))
        ratios = [pair[1] / pair[0] for pair in pairs]
        rows.append(
            (name, *(spread(each, ".0f") for each in (alone, watched)), spread(ratios, ".2f"), spread(stated, ".0f"))
        )
    return table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="settings of up to 20,000 steps alone; one turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--one", nargs=6, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if arguments.one:
        way, kind, T, B, H, memory = arguments.one
        print(*measured(kind, int(T), int(B), int(H), memory, plain=way == "plain"))
        return
    turns = 1 if arguments.quick else arguments.turns
    rows = [("", "T", "B", "H", "asked MB", "growth ÷ asked", "plain's growth ÷ asked", "time ÷ plain's")]
    for setting in SETTINGS:
        if arguments.quick and setting[1] > 20000:
            continue
        print(*setting, file=sys.stderr, flush=True)
        pairs = [(in_a_child(setting, "bptt"), in_a_child(setting, "plain")) for _ in range(turns)]
        ours = spread([grown / asked for (asked, grown, _), _ in pairs], ".2f")
        theirs = spread([grown / asked for (asked, _, _), (_, grown, _) in pairs], ".2f")
        times = spread([mine / plain for (_, _, mine), (_, _, plain) in pairs], ".2f")
        rows.append((*map(str, setting[:4]), f"{pairs[0][0][0]:.1f}", ours, theirs, times))
    print(f"\nOne pass; {torch.get_num_threads()} thread(s), {turns} turn(s), median (min–max)")
    print(table(rows), flush=True)
    print(f"\nTrainings of 6 steps, {turns} turn(s), median (min–max)")
    print(trainings(turns), flush=True)


if __name__ == "__main__":
    main()

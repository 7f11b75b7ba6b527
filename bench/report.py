"""What a long recording costs to report on: seconds from the file to the record, to the findings, to the page; and MB.

The recording is made up in a temporary folder: 100,000 steps of a model of 500 modules, 1,000 of them watched, with
two recurrent layers of 200 time steps, noise in every figure, and three spikes.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import timing

from gradreach.record import store
from gradreach.record.entries import Model, SiteEntry
from gradreach.record.look import Look
from gradreach.record.schema import Outcome, Overhead, Run, Step
from gradreach.record.seen.depth import DepthLook
from gradreach.record.seen.recurrence import TimeLook
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.report.report import Report

SPIKES = (0.21, 0.5, 0.87)
"""Where in the run the norm jumps a thousandfold, as shares of its steps."""


def record(folder: Path, steps: int, looks: int, modules: int, layers: int, T: int) -> Path:
    """A recording of a training that goes well but for its spikes."""
    noise = random.Random(0)
    sink = SqliteSink(store.rank_file(folder), Run("train.py", (), "2026-01-01T00:00:00Z", "2.13.0", "3.13", "cpu"))
    sink.write(SiteEntry("train.py:40"))
    sink.write(Model("model", "Model"))
    spikes = {int(share * steps) for share in SPIKES}
    every = max(steps // looks, 1)
    for i in range(steps):
        norm = math.exp(noise.gauss(0.0, 0.2) - i / steps) * (1000 if i in spikes else 1)
        loss = 3 * math.exp(-2 * i / steps) + noise.gauss(0.0, 0.05) + (2 if i in spikes else 0)
        sink.write(Step(i, 0.02 * i, 0, loss, norm, 1.0, norm, 100.0, "norm", i % every == 0))
        if i % every == 0:
            sink.write(look(noise, i, modules, layers, T))
        if i % 100 == 99:
            sink.flush()
    sink.write(Overhead(0.02, 0.015, 0.015, 0.02 * steps, passes=steps))
    sink.write(Outcome("finished", 0, seconds=0.02 * steps))
    sink.close()
    return folder


def look(noise: random.Random, step: int, modules: int, layers: int, T: int) -> Look:
    """One watched step: recurrent layers whose reach falls tenfold over the sequence, modules of like gradients."""
    time = tuple(recurrent(noise, layer, T) for layer in range(layers))
    depth = tuple(module(noise, place) for place in range(modules))
    return Look(step, 0, 0.05, time=time, depth=depth, update=1e-3)


def recurrent(noise: random.Random, layer: int, T: int) -> TimeLook:
    factor = 0.1 ** (1 / T)
    reach = [factor**lag * math.exp(noise.gauss(0, 0.02)) for lag in range(T)]
    whole = sum(reach)
    rest = [1 - lag / T for lag in range(T + 1)]
    sizes = {"T": T, "batch": 32, "hidden": 256, "horizon": T - 1, "anchors": T}
    curves = {"reach": (1.0, *reach[1:]), "lag_share": tuple(r / whole for r in reach), "truncation_bias": tuple(rest)}
    errors = {"adjoint": tuple(reach), "local_error": tuple(noise.random() for _ in range(T))}
    slopes = {
        "gamma": 1.0,
        "gamma_mean": 0.8,
        "lambda_": 1.1,
        "rho": 0.99,
        "bound_factor": 1.1,
        "lyapunov": (-0.01,) * 8,
    }
    place = ("encoder.recurrent", "LSTM", layer, "forward")
    return TimeLook(*place, **sizes, **curves, **errors, **slopes, factor=factor, exact=True, saturated=0.03)


def module(noise: random.Random, place: int) -> DepthLook:
    size = math.exp(noise.gauss(0, 0.3))
    return DepthLook(
        f"encoder.blocks.{place // 4}.projection.{place % 4}",
        "Linear",
        place,
        1,
        activation_rms=0.9 * size,
        grad_rms=1e-4 * size,
        parameters=65_536,
        weight_norm=16.0,
        weight_grad_norm=0.01 * size,
        update_ratio=1e-3 * size,
    )


def timed(folder: Path) -> tuple[float, float, float, float]:
    """Seconds to read, to judge and to draw, and the page's MB."""
    began = time.perf_counter()
    whole = store.read(folder)
    read = time.perf_counter()
    report = Report.of(whole)
    judged = time.perf_counter()
    page = report.save(folder / "report.html")
    drawn = time.perf_counter()
    return read - began, judged - read, drawn - judged, page.stat().st_size / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps and looks, one turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a folder to leave the recording and its page in")
    given = parser.parse_args()
    share = 10 if given.quick else 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        print("recording …", file=sys.stderr, flush=True)
        record(folder, 100_000 // share, 1_000 // share, 500, 2, 200)
        stored = store.rank_file(folder).stat().st_size / 1e6
        turns = [timed(folder) for _ in range(1 if given.quick else given.turns)]
    read, judged, drawn, size = zip(*turns, strict=True)
    whole = [sum(seconds) for seconds in zip(read, judged, drawn, strict=True)]
    print(f"median (min–max) of {len(turns)} turns, {os.cpu_count()} cores; the recording holds {stored:.0f} MB\n")
    named = (("read", read), ("rules", judged), ("page", drawn), ("file to page", whole))
    rows = [(name, timing.spread(seconds, ".2f")) for name, seconds in named]
    print(timing.table([("part", "seconds"), *rows]))
    print(f"\nthe page: {size[-1]:.2f} MB")


if __name__ == "__main__":
    main()

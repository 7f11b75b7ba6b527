"""What clipping costs: each rule of gr.Clip against torch's own `clip_grad_norm_(foreach=True)`, on the same gradients.

A step refills nothing: the gradients lie under every threshold ("calm", nearly every step of a sound run) or, in the
second table, over it ("cut"), where they are scaled by a factor next to 1 so that they stay what they are. Times are of
one call; rivals take turns, and a ratio compares two calls of the same turn.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from statistics import median

import timing
import torch
from torch import nn

from gradreach.remedies.clip import Adaptive, Auto, Clip, Norm, Percentile, PerLayer, Value, ZScore
from gradreach.remedies.clip.norm_rules import NormRule
from gradreach.remedies.clip.part_rules import PartRule

SHAPES = {"small": (16, 16), "large": (256, 256)}
COUNTS = (10, 200, 2000)
LARGEST = 2**25
"""Numbers in all gradients together, past which a case is left out: weights and gradients of 128 MiB each."""


def parameters(count: int, shape: tuple[int, int]) -> list[nn.Parameter]:
    """Parameters with gradients, the same at every call."""
    torch.manual_seed(0)
    made = [nn.Parameter(torch.randn(shape)) for _ in range(count)]
    for p in made:
        p.grad = torch.randn(shape)
    return made


def rivals(given: list[nn.Parameter], cut: bool) -> dict[str, Callable[[], object]]:
    """torch's function and our rules, all with thresholds far over the norm, or so little under it that it stays."""
    size = math.sqrt(sum(p.grad.square().sum().item() for p in given if p.grad is not None))
    each = math.sqrt(given[0].numel())
    scale = 1 - 1e-6 if cut else 1e3
    rules: dict[str, NormRule | PartRule] = {
        "norm": Norm(size * scale),
        "value": Value(3.0 if cut else 1e3),
        "per layer": PerLayer(each * scale),
        "adaptive": Adaptive(1 - 1e-6 if cut else 1e3),
        "percentile": Percentile(10),
        "z-score": ZScore(),
        "auto": Auto(),
    }
    ours = {name: Clip(given, rule) for name, rule in rules.items()}
    return {"torch": lambda: nn.utils.clip_grad_norm_(given, size * scale, foreach=True), **ours}


def row(count: int, kind: str, cut: bool, repeats: int) -> list[str]:
    """Milliseconds of torch's call, and how many of them each rule takes."""
    seconds = timing.in_turns(rivals(parameters(count, SHAPES[kind]), cut), repeats)
    ratios = [median(o / t for o, t in zip(each, seconds["torch"], strict=True)) for each in seconds.values()]
    first = timing.spread([1e3 * s for s in seconds["torch"]], ".3f")
    return [str(count), kind, first, *(f"{ratio:.2f}" for ratio in ratios[1:])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few repeats: a look, not a measurement")
    repeats = 20 if parser.parse_args().quick else 200
    torch.set_num_threads(1)
    for cut in (False, True):
        names = list(rivals(parameters(1, (2, 2)), cut))[1:]
        rows = [["tensors", "size", "torch, ms", *names]]
        for count in COUNTS:
            for kind, shape in SHAPES.items():
                if count * math.prod(shape) <= LARGEST:
                    print(f"{'cut' if cut else 'calm'}: {count} {kind} tensors", file=sys.stderr)
                    rows.append(row(count, kind, cut, repeats if count < 2000 else repeats // 4))
        print(f"\n{'cut' if cut else 'calm'}: times torch's\n{timing.table(rows)}")


if __name__ == "__main__":
    main()

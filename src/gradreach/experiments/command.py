"""What `gradreach experiments` does: run, write the numbers and the figures, print the claims."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from gradreach.experiments import words
from gradreach.experiments.drawing import write
from gradreach.experiments.experiment import Form, load, run, save
from gradreach.experiments.lab import Lab
from gradreach.experiments.registry import NAMES, experiment

NEEDED = {"matplotlib": "matplotlib", "sklearn": "scikit-learn", "scipy": "scipy"}
"""Module → the distribution that it comes in."""

INSTALL = 'python -m pip install "gradreach[experiments]"'


def listing() -> str:
    """Every experiment: its name and its title."""
    width = max(map(len, NAMES))
    return "\n".join(f"{name:<{width}}  {experiment(name).title}" for name in NAMES)


def perform(names: Iterable[str], form: Form, lab: Lab, out: Path, say: Callable[[str], None]) -> int:
    """Run each; NAME.json and FIGURE.svg go to `out`, the claims to `say`.

    Returns 0 where every claim holds, 1 where one does not, 2 where a part that is needed is not installed.
    """
    missing = [name for module, name in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(f"gradreach: experiments need {' and '.join(missing)}: {INSTALL}", file=sys.stderr)
        return 2
    kept = True
    for name in names:
        found = experiment(name)
        print(f"gradreach: {name}, {form} sizes", file=sys.stderr)
        path = out / f"{name}.json"
        save(run(found, form, lab), path)
        done = load(found, path)
        for figure, draw in found.figures.items():
            write(draw, done.measured, out / f"{figure}.svg")
        claims = found.claims(done.measured)
        say("\n".join([found.title, *(f"  {words.line(claim)}" for claim in claims), f"  {words.provenance(done)}"]))
        kept = kept and all(claim.holds for claim in claims)
    return 0 if kept else 1

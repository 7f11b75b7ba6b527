"""What `gradreach experiments` does: it runs them, writes numbers and figures, and prints the claims."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from gradreach.experiments import claim_text
from gradreach.experiments.drawing import write
from gradreach.experiments.experiment import Form, load, run, save
from gradreach.experiments.lab import Lab
from gradreach.experiments.registry import experiments

NEEDED = {"matplotlib": "matplotlib", "sklearn": "scikit-learn", "scipy": "scipy"}
"""Each module that is needed, with the distribution that holds it."""

INSTALL = 'python -m pip install "gradreach[experiments]"'


def perform(names: Iterable[str], form: Form, lab: Lab, out: Path, say: Callable[[str], None]) -> int:
    """Run experiments; NAME.json and FIGURE.svg of each go to `out`, its claims to `say`.

    Returns 0 where every claim holds, 1 where one does not, 2 where a package that is needed is not installed.
    """
    missing = [name for module, name in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(f"gradreach: experiments need {' and '.join(missing)}: {INSTALL}", file=sys.stderr)
        return 2
    hold = True
    for name in names:
        experiment, path = experiments()[name], out / f"{name}.json"
        print(f"gradreach: {name}, {form} sizes", file=sys.stderr)
        save(run(experiment, form, lab), path)
        done = load(experiment, path)
        drawn = {out / f"{figure}.svg": draw for figure, draw in experiment.figures.items()}
        for file, draw in drawn.items():
            write(draw, done.measured, file)
        claims = experiment.claims(done.measured)
        lines = [f"  {claim_text.line(claim)}" for claim in claims]
        written = [f"  figure: {file}" for file in drawn] + [f"  numbers: {path}"]
        say("\n".join([experiment.title, *lines, f"  {claim_text.provenance(done)}", *written]))
        hold = hold and all(claim.holds for claim in claims)
    return 0 if hold else 1

"""Every experiment: its quick form's claims hold, its numbers survive the file, its figures are drawn."""

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from gradreach.experiments import claim_text
from gradreach.experiments.drawing import style
from gradreach.experiments.experiment import Experiment, Run, load, run, save
from gradreach.experiments.lab import Lab
from gradreach.experiments.registry import experiments

RESULTS = Path(__file__).parents[2] / "docs" / "results"
RECORDED_BYTES = 150_000

REFUSED = {"temporal-order": ["Chance that SGD-CR succeeds"]}
"""Claims that the recorded runs do not carry, by their beginning: their pages say so."""


@cache
def quick(name: str) -> tuple[Experiment[Any, Any], Run[Any]]:
    found = experiments()[name]
    return found, run(found, "quick", Lab(quiet=True))


@pytest.mark.slow(25, "runs the whole experiment in its quick form")
@pytest.mark.parametrize("name", experiments())
def test_quick_form(name: str, tmp_path: Path) -> None:
    found, done = quick(name)
    claims = found.claims(done.measured)
    assert len(claims) >= 2
    assert not [claim_text.line(claim) for claim in claims if not claim.holds]
    save(done, tmp_path / "run.json")
    assert load(found, tmp_path / "run.json") == done
    _drawn(found, done)


@pytest.mark.parametrize("name", experiments())
def test_recorded(name: str) -> None:
    path = RESULTS / f"{name}.json"
    assert path.stat().st_size < RECORDED_BYTES
    found = experiments()[name]
    done = load(found, path)
    assert done.form != "quick"
    failing = [claim.says for claim in found.claims(done.measured) if not claim.holds]
    refused = REFUSED.get(name, [])
    assert len(failing) == len(refused), failing
    assert all(says.startswith(begin) for says, begin in zip(failing, refused, strict=True)), failing
    _drawn(found, done)


def _drawn(found: Experiment[Any, Any], done: Run[Any]) -> None:
    assert found.figures
    for draw in found.figures.values():
        for theme in ("light", "dark"):
            with style(theme), warnings.catch_warnings():
                warnings.simplefilter("error")
                figure = draw(done.measured)
                figure.canvas.draw()
            _labelled(figure)


def _labelled(figure: Figure) -> None:
    for axes in (each for each in figure.axes if each.get_label() != "<colorbar>"):
        alike = axes.get_shared_y_axes().get_siblings(axes)
        assert axes.get_xlabel(), f"the x axis of {axes.get_title()!r} has no label"
        assert any(each.get_ylabel() for each in alike), f"the y axis of {axes.get_title()!r} has no label"


@pytest.mark.parametrize("name", experiments())
def test_page(name: str) -> None:
    page = (RESULTS.parent / "experiments" / f"{name}.md").read_text()
    found = experiments()[name]
    assert f"{{experiment-claims}} {name}\n" in page
    for figure in found.figures:
        assert f"{{experiment-figure}} {name} {figure}\n" in page
    assert "{code-cell}" in page
    assert f"\n{name}\n" in (RESULTS.parent / "experiments" / "index.md").read_text()

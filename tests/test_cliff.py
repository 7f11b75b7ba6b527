import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from matplotlib import image

EXAMPLE = Path(__file__).parent.parent / "examples" / "cliff.py"


@pytest.fixture(scope="module")
def cliff() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cliff", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["cliff"] = module
    spec.loader.exec_module(module)
    return module


def test_flung_off_the_wall_without_clipping(cliff: ModuleType) -> None:
    run = cliff.descend(None, updates=100)
    assert run.moves.max() >= 100 * np.median(run.moves[: run.moves.argmax()])
    w, b = run.points[-1]
    assert w > cliff.W_RANGE[1] + 10
    assert b > cliff.B_RANGE[1] + 10
    assert run.loss[-1] > run.loss[0]
    assert run.norm[-1] < 1e-6  # where it lands nothing leads back


@pytest.mark.parametrize("threshold", [0.2, 0.5, 1.0])
def test_stays_with_the_wall_when_clipped(cliff: ModuleType, threshold: float) -> None:
    flung, run = cliff.descend(None), cliff.descend(threshold)
    assert run.norm.max() > 10 * threshold  # the wall was met
    assert run.moves.max() <= 0.1 * threshold * (1 + 1e-6)
    w, b = run.points.T
    assert ((cliff.W_RANGE[0] < w) & (w < cliff.W_RANGE[1])).all()
    assert ((cliff.B_RANGE[0] < b) & (b < cliff.B_RANGE[1])).all()
    assert run.loss[-50:].max() < 0.05 * flung.loss[-1]


def test_the_drawing(cliff: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "cliff.png"
    cliff.draw(cliff.descend(None), cliff.descend(0.5), 0.5, out, size=40)
    picture = image.imread(out)[..., :3]
    for colour in (cliff.CLIPPED, cliff.UNCLIPPED):
        wanted = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        assert (np.abs(picture - wanted).max(-1) < 0.02).sum() > 200

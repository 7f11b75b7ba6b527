"""The faults of bench/faults.py: what destroys the run without a guard does not with it."""

import importlib.util
import sys
from functools import cache
from math import isfinite
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[3] / "bench"


@cache
def bench() -> ModuleType:
    sys.path.insert(0, str(BENCH))
    try:
        spec = importlib.util.spec_from_file_location("faults", BENCH / "faults.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["faults"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCH))
    return module


@cache
def undisturbed() -> float:
    return bench().train(bench().NONE, "guarded").loss


@pytest.mark.slow(2, "trains to the end, with and without the fault")
@pytest.mark.parametrize(
    ("name", "skipped", "rolled_back"),
    [
        ("none", 0, 0),
        ("a NaN batch", 1, 0),
        ("an Inf weight", 3, 1),
        ("the loss × 1000, one step", 1, 0),
        ("20 batches of NaN targets", 20, 1),
        ("20 batches of garbage × 1e4", 20, 1),
    ],
)
def test_the_guarded_run_ends_about_where_it_would_have(name: str, skipped: int, rolled_back: int) -> None:
    """A rollback costs at most 100 of the 400 steps; a factor 3 in the loss at this point of the course is less."""
    outcome = bench().train(bench().FAULTS[name], "guarded")
    assert (outcome.counts["skipped"], outcome.counts["rolled_back"]) == (skipped, rolled_back)
    assert outcome.loss < 3 * undisturbed()


@pytest.mark.parametrize("name", ["a NaN batch", "an Inf weight", "20 batches of garbage × 1e4"])
def test_the_unguarded_one_is_destroyed(name: str) -> None:
    outcome = bench().train(bench().FAULTS[name], "plain")
    assert not isfinite(outcome.loss) or outcome.loss > 10 * undisturbed()


def test_an_endless_fault_stops_it_with_good_weights() -> None:
    outcome = bench().train(bench().FAULTS["NaN targets for good"], "guarded")
    assert "look at the batches of these steps" in outcome.gave_up.lower()
    assert isfinite(outcome.loss)

"""What keeps a snapshot from being put back into a run, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from gradreach.engine.norms import local
from gradreach.remedies.guard.run_state import EXTRA, RunState


def mismatch(run: RunState, saved: dict[str, Any]) -> str | None:
    """The first thing in which the run and the snapshot differ, and None where the snapshot fits."""
    return next((why for differs, why in _comparisons(run, run.read(), saved) if differs), None)


def _comparisons(run: RunState, here: dict[str, Any], saved: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    """Whether the two differ, and the sentence that says how; each relies on those before it being equal."""
    ours, theirs = sorted(here["models"]), sorted(saved["models"])
    yield ours != theirs, f"the models are {ours}, in the snapshot {theirs}"
    for name, tensors in here["models"].items():
        for differs, why in _of_tensors(_tensors(tensors), _tensors(saved["models"][name])):
            yield differs, f"model {name!r}: {why}"
    sizes, saved_sizes = ([len(g["params"]) for g in tree["optimizer"]["param_groups"]] for tree in (here, saved))
    yield sizes != saved_sizes, f"the optimizer has groups of {sizes} parameters, the snapshot has {saved_sizes}"
    loose, saved_loose = ([(t.shape, t.dtype) for t in map(local, tree["loose"])] for tree in (here, saved))
    why = "the optimizer's parameters that belong to no model have other shapes or dtypes in the snapshot"
    yield loose != saved_loose, why
    count, saved_count = len(here["schedulers"]), len(saved["schedulers"])
    yield count != saved_count, f"there are {count} schedulers, the snapshot has {saved_count}"
    for kind, saved_kind in zip(here["classes"], saved["classes"], strict=True):
        yield kind != saved_kind, f"{kind} stands where the snapshot has {saved_kind}"
    for group in saved["optimizer"]["param_groups"]:
        missing = sorted(run.optimizer.defaults.keys() - group.keys())
        yield missing, f"the optimizer's groups have {_first(missing)}, in the snapshot they have not"
    for scheduler, state, saved_state in zip(run.schedulers, here["schedulers"], saved["schedulers"], strict=True):
        odd = sorted(state.keys() ^ saved_state.keys())
        yield odd, f"{type(scheduler).__name__}: one of the two, the run or the snapshot, has {_first(odd)}"
    ours, theirs = sorted(here["keep"]), sorted(saved["keep"])
    yield ours != theirs, f"keep has {ours}, the snapshot has {theirs}"
    why = "one of the two, the run or the snapshot, has a scaler, the other has not"
    yield bool(here["scaler"]) != bool(saved["scaler"]), why
    rule, saved_rule = (tree["clip"].get("rule") for tree in (here, saved))
    yield rule != saved_rule, f"the clip's rule is {rule}, in the snapshot {saved_rule}"


def _of_tensors(here: dict[str, Tensor], saved: dict[str, Tensor]) -> Iterator[tuple[Any, str]]:
    """By name and shape; parameters, into which the snapshot is copied, also by dtype."""
    missing, surplus = sorted(here.keys() - saved.keys()), sorted(saved.keys() - here.keys())
    yield missing, f"{_first(missing)} is not in the snapshot"
    yield surplus, f"the snapshot has {_first(surplus)}, the model has not"
    for name, tensor in here.items():
        shape, saved_shape = tuple(local(tensor).shape), tuple(saved[name].shape)
        yield shape != saved_shape, f"{name!r} has the shape {shape}, in the snapshot {saved_shape}"
        differs = isinstance(tensor, nn.Parameter) and tensor.dtype != saved[name].dtype
        yield differs, f"{name!r} is of {tensor.dtype}, in the snapshot of {saved[name].dtype}"


def _tensors(tree: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: t for name, t in tree.items() if isinstance(t, Tensor) and name.rpartition(".")[2] != EXTRA}


def _first(names: list[str]) -> str:
    return repr(names[0]) if names else ""

"""What keeps a snapshot from being put back into a run, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from gradreach.engine.norms import local
from gradreach.remedies.guard.run_state import EXTRA, RunState


def mismatch(run: RunState, saved: dict[str, Any]) -> str | None:
    """The first thing in which the run and the snapshot differ, and None where the snapshot fits."""
    return next(_differences(run, run.read(), saved), None)


def _differences(run: RunState, here: dict[str, Any], saved: dict[str, Any]) -> Iterator[str]:
    if here["models"].keys() != saved["models"].keys():
        yield f"the models are {sorted(here['models'])}, in the snapshot {sorted(saved['models'])}"
        return
    for name, tensors in here["models"].items():
        for why in _of_tensors(tensors, saved["models"][name]):
            yield f"model {name!r}: {why}"
    yield from _of_optimizer(run, here, saved)
    if len(here["schedulers"]) != len(saved["schedulers"]):
        yield f"there are {len(here['schedulers'])} schedulers, the snapshot has {len(saved['schedulers'])}"
        return
    for ours, theirs in zip(here["classes"], saved["classes"], strict=True):
        if ours != theirs:
            yield f"{ours} stands where the snapshot has {theirs}"
    for group in saved["optimizer"]["param_groups"]:
        if missing := sorted(run.optimizer.defaults.keys() - group.keys()):
            yield f"the optimizer's groups have {missing[0]!r}, in the snapshot they have not"
    for scheduler, ours, theirs in zip(run.schedulers, here["schedulers"], saved["schedulers"], strict=True):
        if odd := sorted(ours.keys() ^ theirs.keys()):
            yield f"{type(scheduler).__name__}: one of the two, the run or the snapshot, has {odd[0]!r}"
    if here["keep"].keys() != saved["keep"].keys():
        yield f"keep has {sorted(here['keep'])}, the snapshot has {sorted(saved['keep'])}"
    if bool(here["scaler"]) != bool(saved["scaler"]):
        yield "one of the two, the run or the snapshot, has a scaler, the other has not"
    if here["clip"].get("rule") != saved["clip"].get("rule"):
        yield f"the clip's rule is {here['clip'].get('rule')}, in the snapshot {saved['clip'].get('rule')}"


def _of_optimizer(run: RunState, here: dict[str, Any], saved: dict[str, Any]) -> Iterator[str]:
    ours, theirs = ([len(g["params"]) for g in tree["optimizer"]["param_groups"]] for tree in (here, saved))
    if ours != theirs:
        yield f"the optimizer has groups of {ours} parameters, the snapshot has {theirs}"
    if [(t.shape, t.dtype) for t in map(local, run.loose())] != [(t.shape, t.dtype) for t in saved["loose"]]:
        yield "the optimizer's parameters that belong to no model have other shapes or dtypes in the snapshot"


def _of_tensors(here: Mapping[str, Any], saved: Mapping[str, Any]) -> Iterator[str]:
    """By name and shape; parameters, into which the snapshot is copied, also by dtype."""
    ours, theirs = _tensors(here), _tensors(saved)
    if missing := sorted(ours.keys() - theirs.keys()):
        yield f"{missing[0]!r} is not in the snapshot"
    if surplus := sorted(theirs.keys() - ours.keys()):
        yield f"the snapshot has {surplus[0]!r}, the model has not"
    for name in (name for name in ours if name in theirs):
        shape, saved_shape = (tuple(local(tensors[name]).shape) for tensors in (ours, theirs))
        if shape != saved_shape:
            yield f"{name!r} has the shape {shape}, in the snapshot {saved_shape}"
        elif isinstance(ours[name], nn.Parameter) and ours[name].dtype != theirs[name].dtype:
            yield f"{name!r} is of {ours[name].dtype}, in the snapshot of {theirs[name].dtype}"


def _tensors(tree: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: t for name, t in tree.items() if isinstance(t, Tensor) and name.rpartition(".")[2] != EXTRA}

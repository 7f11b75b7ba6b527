"""Checkpoints of which `load_state_dict(…, strict=False)` took next to nothing, for modules that are trained then."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradreach.record.seen.loop import MissedLoad
from gradreach.watch.frames import place
from gradreach.watch.models import Models, modules_of, named_parameters_of, parameters_of
from gradreach.watch.renaming import renaming

FEW = 0.1
"""Share of a module's own parameters, and of the tensors that it was given, up to which next to nothing was taken."""

MOST_MISSED = 64


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """A load that was missed; `names` stand for those of the state."""

    module: weakref.ref[nn.Module]
    seen: MissedLoad
    names: int


class MissedLoads:
    """Hears of each load, and keeps by weak reference which modules took one and which did not."""

    def __init__(self) -> None:
        self._took: dict[int, weakref.ref[nn.Module]] = {}
        self._taken_names: set[int] = set()
        self._missed: list[_Kept] = []

    def has_taken(self, module: nn.Module) -> bool:
        """Whether a load of this module is known that brought something."""
        return id(module) in self._took

    def loaded(self, module: nn.Module, state: Any, result: Any, count: int, frame: FrameType | None) -> None:
        """A module has loaded a state, before backward pass number `count`."""
        if not isinstance(state, Mapping) or not state:
            return
        missing = set(result.missing_keys)
        names = [name for name, parameter in named_parameters_of(module) if not is_lazy(parameter)]
        given = hash(frozenset(state))
        if sum(name not in missing for name in names) > FEW * len(names):
            self._took[id(module)] = weakref.ref(module, partial(_forget, self._took, id(module)))
            self._taken_names.add(given)
            return
        taken = len(state) - len(result.unexpected_keys)
        if names and taken <= FEW * len(state) and len(self._missed) < MOST_MISSED:
            self._missed.append(_Kept(weakref.ref(module), _missed(module, state, taken, count, place(frame)), given))

    def of_trained(self, models: Models, leaves: Sequence[Tensor]) -> Iterator[MissedLoad]:
        """The loads that were missed by a part of a model which a backward pass trains; each is told once.

        A state that another module took, and that by no change of names fits this one, was not meant for it.
        """
        if not self._missed:
            return
        reached = {id(leaf) for leaf in leaves}
        trained = [root for root in models if any(id(parameter) in reached for parameter in parameters_of(root))]
        for kept in tuple(self._missed):
            module = kept.module()
            is_for_others = not kept.seen.fits and kept.names in self._taken_names
            if module is None or is_for_others or self._took_part(module):
                self._missed.remove(kept)
            elif (part := _part_of(module, trained)) is not None:
                self._missed.remove(kept)
                yield replace(kept.seen, module=models.path(part))

    def _took_part(self, module: nn.Module) -> bool:
        """Whether a load was taken by this module, by one that holds it, or by parts that are not few of it."""
        took = [each for ref in tuple(self._took.values()) if (each := ref()) is not None]
        if any(_holds(each, module) for each in took):
            return True
        parts = [each for each in took if _holds(module, each)]
        loaded = {id(parameter): parameter.numel() for part in parts for parameter in parameters_of(part)}
        return sum(loaded.values()) > FEW * sum(parameter.numel() for parameter in parameters_of(module))


def _own_tensors(module: nn.Module) -> dict[str, Any]:
    """The parameters and buffers that a module's state holds, by their names in it."""
    own: dict[str, Any] = {}
    for path, part in modules_of(module):
        stored = {name: each for name, each in part._buffers.items() if name not in part._non_persistent_buffers_set}
        for name, tensor in {**part._parameters, **stored}.items():
            if tensor is not None and not is_lazy(tensor):
                own[f"{path}.{name}" if path else name] = tensor
    return own


def _missed(module: nn.Module, state: Mapping[Any, Any], taken: int, count: int, line: str) -> MissedLoad:
    own = _own_tensors(module)
    seen = MissedLoad("", line, count, len(state), taken, example=str(next(iter(state))), own=next(iter(own)))
    found = renaming(own, state)
    if found is None:
        return seen
    return replace(seen, under=found.under, prefix=found.prefix, wanted=found.wanted, fits=found.fits)


def _part_of(module: nn.Module, roots: Sequence[nn.Module]) -> nn.Module | None:
    """The module itself where it is a part of one of these roots, or the root that it holds."""
    for root in roots:
        if _holds(root, module):
            return module
        if _holds(module, root):
            return root
    return None


def _holds(whole: nn.Module, part: nn.Module) -> bool:
    return any(each is part for _, each in modules_of(whole))


def _forget(took: dict[int, Any], key: int, _: Callable[..., Any]) -> None:
    took.pop(key, None)

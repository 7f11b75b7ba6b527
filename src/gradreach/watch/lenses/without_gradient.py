"""The parameters that ask for a gradient and have none when the backward pass is over, and what else sets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from gradreach.record.look import Look
from gradreach.watch.lens import Lens
from gradreach.watch.lenses.parameter_prints import Print
from gradreach.watch.lenses.parameter_prints import prints as prints_of
from gradreach.watch.tensors import is_dense_and_real


class WithoutGradient(Lens):
    """Asks the models themselves."""

    def look(self, look: Look) -> Look:
        """The look's `without_gradient`, `set_otherwise` and `called_without_gradient`."""
        models = self.step.models
        names = models.parameter_names()
        asked = (p for p in models.parameters() if p.requires_grad and id(p) not in self.step.unasked)
        missing = {names[id(p)]: p for p in asked if p.grad is None}
        called = self.step.called_without_gradient.values()
        return replace(
            look,
            without_gradient=tuple(missing),
            set_otherwise=tuple(self._set_otherwise(missing)),
            called_without_gradient=tuple(dict.fromkeys(models.path(m) for m in called if m._parameters)),
        )

    def _set_otherwise(self, missing: Mapping[str, Tensor]) -> Iterator[str]:
        """Those of them that something else than their own gradient sets.

        They moved since the look before, they are the copy of a parameter that has a gradient, or the loss was computed
        with other tensors in their place.
        """
        plain = {name: p for name, p in missing.items() if is_dense_and_real(p)}
        prints = dict(zip(plain, prints_of(list(plain.values())), strict=True))
        before: dict[str, Print] = self.step.carried.get(WithoutGradient, {})
        self.step.carried[WithoutGradient] = prints
        own = {id(p) for p in self.step.models.parameters()}
        in_place = {leaf.shape for leaf in self.step.leaves if leaf.requires_grad and id(leaf) not in own}
        stacked = {shape[1:] for shape in in_place if shape}
        copies = self._copies(plain, prints)
        for name, parameter in plain.items():
            moved = name in before and before[name] != prints[name]
            if moved or name in copies or parameter.shape in in_place or parameter.shape in stacked:
                yield name

    @torch.no_grad()
    def _copies(self, missing: Mapping[str, Tensor], prints: dict[str, Print]) -> set[str]:
        """Those whose values are the very same as those of a parameter with a gradient, but for constant ones."""
        shapes = {p.shape for p in missing.values()}
        learning = [p for p in self.step.models.parameters() if p.grad is not None and p.shape in shapes]
        learning = [p for p in learning if is_dense_and_real(p)]
        by_print: dict[Print, list[Tensor]] = {}
        for theirs, parameter in zip(prints_of(learning), learning, strict=True):
            by_print.setdefault(theirs, []).append(parameter)
        return {
            name
            for name, p in missing.items()
            if any(p.device == other.device and torch.equal(p, other) for other in by_print.get(prints[name], ()))
            and bool((p != p.reshape(-1)[0]).any())
        }

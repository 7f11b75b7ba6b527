"""Whether a clipping call comes when the weights that it concerns were moved already since the last backward pass.

Such a call limits no update, if the weights are not moved again before the next pass: the update of the last pass is
done, and the next one is made of gradients still to come.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

MOST = 4
"""Weights that are asked at the end of each pass, a quarter of a microsecond each."""


class ClipPlace:
    """Compares the versions of a few weights, which torch counts up at each change in place.

    What moves weights by `.data`, or by a fused kernel, does not count up: of such calls nothing is known.
    """

    def __init__(self) -> None:
        self._versions: dict[Tensor, int] = {}
        self._at_call: dict[Tensor, int] = {}

    def pass_ended(self) -> None:
        """A backward pass is over."""
        for weight in self._versions:
            self._versions[weight] = weight._version

    def is_late(self, parameters: Sequence[Tensor]) -> bool:
        """Whether a call on these parameters comes after they were moved; False at the first call on them."""
        asked = _ends(parameters)
        self._at_call = {weight: weight._version for weight in asked}
        known = [weight._version != self._versions[weight] for weight in asked if weight in self._versions]
        for weight in asked:
            if weight not in self._versions:
                self._versions[weight] = weight._version
        while len(self._versions) > MOST:
            del self._versions[next(iter(self._versions))]
        return bool(known) and len(known) == len(asked) and all(known)

    def was_last(self) -> bool:
        """Whether the weights of the last call are where that call found them."""
        return all(weight._version == version for weight, version in self._at_call.items())


def _ends(parameters: Sequence[Tensor]) -> list[Tensor]:
    """The first and the last parameter with a gradient; without any gradient the first and last that ask for one."""
    has_any = any(p.grad is not None for p in parameters)
    found: list[Tensor] = []
    for way in (parameters, parameters[::-1]):
        weight = next((p for p in way if p.grad is not None or (p.requires_grad and not has_any)), None)
        if weight is not None and not any(weight is other for other in found):
            found.append(weight)
    return found

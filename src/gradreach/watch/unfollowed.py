"""Ways to train that are not followed, counted so that the run's end can say so."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Literal

import torch

from gradreach.watch.frames import caller, place
from gradreach.watch.grad_call import GradCall
from gradreach.watch.home import Home

Kind = Literal["functions", "parameters", "others"]
"""What a call of `torch.autograd.grad` asks for: the arguments of a function that torch.func transforms, parameters, or
other tensors."""

_WHY_NOT: dict[Kind, str] = {
    "functions": "torch.func gave the script gradients ({calls}, the first from {line}), of values that are handed "
    "from call to call: what is followed are the parameters of modules, trained by backward or by torch.autograd.grad",
    "parameters": "the script asked torch.autograd.grad for the gradients of parameters ({calls}, the first from "
    "{line}), but it was not seen that an optimizer was given them, or that parameters were moved along "
    "them by hand",
    "others": "the script asked torch.autograd.grad for the gradients of tensors that are no parameters ({calls}, the "
    "first from {line})",
}


class Unfollowed:
    """Counts calls of `torch.autograd.grad` by what they ask for, and `replays` of captured CUDA graphs."""

    def __init__(self, home: Home) -> None:
        self.replays = 0
        self._home = home
        self._asked: Counter[Kind] = Counter()
        self._first: dict[Kind, str] = {}

    def asked(self, call: GradCall) -> None:
        """Count a call, and keep the line of the first of its kind."""
        of_function = torch._C._are_functorch_transforms_active()
        kind: Kind = "functions" if of_function else "parameters" if call.has_parameters else "others"
        self._asked[kind] = calls = self._asked[kind] + 1
        if calls == 1:
            self._first[kind] = os.path.basename(place(caller(sys._getframe(1))))

    def notes(self, passes: int) -> Iterator[str]:
        """What the record is to say of a run of which so many backward passes were seen."""
        if not passes and (why := self.why()):
            yield f"No backward pass was seen, and {why}."
        if self.replays:
            yield (
                f"A captured CUDA graph ran {self.replays:,} times: the steps within it are made on the device alone, "
                "and nothing of them was seen."
            )
        if self._home.elsewhere:
            yield (
                f"Gradients were computed {self._home.elsewhere:,} times in other threads while one thread trained: "
                "one thread at a time is watched."
            )

    def why(self) -> str:
        """Why no backward pass of a training was seen, where something was; empty elsewhere."""
        for kind, sentence in _WHY_NOT.items():
            if calls := self._asked[kind]:
                return sentence.format(calls=f"{calls:,} call{'s' if calls > 1 else ''}", line=self._first[kind])
        return ""

"""Where every generator of random numbers stands that a forward pass may draw from."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from typing import Any

from gradreach.watch.nonfinite.kept_calls import Generators


@dataclass(frozen=True, slots=True)
class Draws:
    """The state of torch's, Python's and NumPy's generators."""

    torch: Generators
    python: Any
    numpy: Any

    @staticmethod
    def now() -> Draws:
        """The state as it stands."""
        numpy = sys.modules.get("numpy.random")
        return Draws(Generators.now(), random.getstate(), None if numpy is None else numpy.get_state())

    def restore(self) -> None:
        """Put the generators back to this state."""
        self.torch.restore()
        random.setstate(self.python)
        if self.numpy is not None:
            sys.modules["numpy.random"].set_state(self.numpy)

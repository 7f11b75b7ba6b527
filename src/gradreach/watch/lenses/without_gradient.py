"""The parameters that ask for a gradient and have none when the backward pass is over."""

from __future__ import annotations

from dataclasses import replace

from gradreach.record.schema import Look
from gradreach.watch.lens import Lens


class WithoutGradient(Lens):
    """Asks the models themselves."""

    def look(self, look: Look) -> Look:
        """The look's `without_gradient`: the names of these parameters."""
        models = self.step.models
        names = models.parameter_names()
        missing = (names[id(p)] for p in models.parameters() if p.requires_grad and p.grad is None)
        return replace(look, without_gradient=tuple(missing))

"""Start the factor that a loop's state is multiplied by near 1."""

from __future__ import annotations

import math

from gradreach.remedies.advice.advice import Advice


def _code(module: str, steps: int) -> str:
    """A logistic factor that keeps the state for about `steps` steps: its logit is log(steps − 1)."""
    near = math.log(max(steps - 1, 2))
    inside = f" in `{module}`" if module else ""
    return (
        f"keep = torch.sigmoid(w + {near:.3g})  # keep: what the state of that recurrence{inside} is multiplied by,\n"
        f"# w: what that is made of now; a layer that puts out w near 0 at first starts it near 1 - 1/{steps}"
    )


SLOW_DECAY = Advice(
    id="slow-decay",
    does="a factor near 1 hands state and gradient on nearly whole from the start; training can still shorten it",
    code=_code,
    answers=("GR101", "GR402"),
    unfit="For models that are trained already, and where the state must forget fast.",
)

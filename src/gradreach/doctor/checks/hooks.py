"""Whether gradreach sees a training here, and leaves it as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradreach.doctor.check import Check, Diagnosis

if TYPE_CHECKING:
    from gradreach.record.schema import Record


CLOSE = 1e-4
"""The relative difference up to which gradients that follow from the replay are those of the script, in float32."""


def hooks() -> Diagnosis:
    """A tiny RNN trained twice, watched and not: what was seen of it, and whether its weights are the same."""
    import torch

    from gradreach.doctor.trial import STEPS, train

    plain, watched = train(watched=False), train(watched=True)
    assert watched.record is not None
    same = all(torch.equal(a, b) for a, b in zip(plain.weights, watched.weights, strict=True))
    missing = [*unseen(watched.record, STEPS), *([] if same else ["watching changed the weights"])]
    if missing:
        return Diagnosis("error", "; ".join(missing), "report this, with the lines above")
    return Diagnosis(
        "ok", f"{STEPS} backward passes, modules and exact reach seen; weights the same bit for bit, watched or not"
    )


def unseen(record: Record, steps: int) -> list[str]:
    """What should have been seen of a run of the tiny RNN, and was not."""
    time = [seen for look in record.looks for seen in look.time]
    exact = [seen for seen in time if seen.exact and seen.gradient_error is not None and seen.gradient_error < CLOSE]
    measured = sum(step.norm is not None for step in record.steps)
    told = {
        f"{len(record.steps)} of {steps} backward passes seen": len(record.steps) == steps,
        f"{measured} of {steps} norms measured": measured == steps,
        "no module's forward pass seen": any(look.depth for look in record.looks),
        "no exact reach of the recurrent layer": bool(exact),
    }
    return [text for text, sound in told.items() if not sound]


CHECK = Check("hooks", 6, hooks, needs_torch=True)

"""Keep the factor that a loop's state is multiplied by below 1."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(module: str) -> str:
    inside = f" in `{module}`" if module else ""
    return (
        f"keep = torch.sigmoid(w)  # keep: what the state of that recurrence{inside} is multiplied by at each step,\n"
        "# w: what that is made of now; its logarithm, where one is needed, is F.logsigmoid(w), never above 0"
    )


BOUNDED_DECAY = Advice(
    id="bounded-decay",
    does="a factor below 1 cannot grow over the steps, whatever is learned",
    code=_code,
    answers=("GR102",),
    unfit="Where growth is meant, as that of a price or a population: take the logarithm of the state.",
)

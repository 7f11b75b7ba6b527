"""Keep an operation within its domain."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def within(operation: str = "log", is_half: bool = False) -> str:
    """The operation of an argument that is kept within its domain; of one in half precision in float32, for there
    1 - 1e-6 is 1."""
    x = "x.float()" if is_half else "x"
    if operation == "power":
        return f"{x}.clamp(min=1e-6) ** p  # x, p: what stands there now"
    least = {"log1p": "-1 + 1e-6", "sqrt": "1e-12"}.get(operation, "1e-6")
    return f"torch.{operation}({x}.clamp(min={least}))"


SAFE_DOMAIN = Advice(
    id="safe-domain",
    does="keeps the operation within its domain",
    code=within,
    answers=("GR301",),
    unfit="Where values outside of the domain are a fault of what comes before.",
)

"""Where an operation is finite and its slope is not: the singular points of the operations that have one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gradreach.record.nonfinite import Cause
from gradreach.watch.nonfinite.operations import ARCS, EXPONENTIALS, LOGARITHMS, Ground, key_of, plain_word
from gradreach.watch.nonfinite.values import entry, first, format_of, in_half, numbers, readable, told

SAVED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(EXPONENTIALS, ("self", "result")),
    **dict.fromkeys(LOGARITHMS, ("self",)),
    **dict.fromkeys(ARCS, ("self",)),
    "atan2": ("self", "other"),
    "ctcloss": ("result0", "zero_infinity"),
    "div": ("self", "other"),
    "linalgeigh": ("eigenvalues",),
    "linalgsvd": ("S",),
    "logsumexp": ("result",),
    "pow": ("self", "exponent"),
    "reciprocal": ("result",),
    "rsqrt": ("result",),
    "safesoftmax": ("result",),
    "softmax": ("result",),
    "sqrt": ("result",),
    "tan": ("result",),
    "xlogy": ("self", "other"),
}
"""What the autograd node of each such operation keeps that tells whether it stands at a singular point."""

FINITE_AT_THE_POINT = ("sqrt", "acos", "asin", "acosh", "linalgeigh", "linalgsvd")
"""Operations whose value at the singular point is finite, so that the loss tells nothing of it."""

EQUAL = 1e-5
"""Singular values whose difference is at most this share of the largest count as equal: the slope goes as 1 over their
difference."""

Saved = Mapping[str, Any]


def singular(name: str, saved: Saved, *, is_hidden: bool = False) -> Ground | None:
    """Whether the autograd node `name` stands at a singular point, by what it saved; None where it does not.

    `is_hidden` says that `where`, a mask or an index chooses among its values, so that an infinity among them need not
    have reached the loss.
    """
    key = key_of(name)
    if key not in SAVED:
        return None
    found = _of_singular_values(key, saved) if key.startswith("linalg") else _at(key, saved)
    if found is None:
        return None
    cause, where, argument, tensor = found
    index = first(where)
    if index is None:
        return None
    if is_hidden and cause not in ("root at zero", "equal singular values", "edge of its domain"):
        cause = "hidden branch"
    return Ground(plain_word(name), cause, "nan", argument(index), index, tuple(tensor.shape))


def _at(key: str, saved: Saved) -> Any:
    """Cause, mask of the singular places, how the argument reads there, and the tensor it lies in."""
    self, other, result = (readable(saved.get(name)) for name in ("self", "other", "result"))
    if key in ("sqrt", "rsqrt", "reciprocal", "tan") and result is not None:
        mask = result == 0 if key == "sqrt" else torch.isinf(result)
        word = {"sqrt": "sqrt of 0", "rsqrt": "1 / sqrt of 0", "reciprocal": "1 / 0", "tan": "tan at π/2"}[key]
        cause: Cause = "root at zero" if key == "sqrt" else "division by zero"
        return cause, mask, lambda _: word, result
    if key in EXPONENTIALS:
        return _of_exponentials(key, self, result)
    if key in LOGARITHMS and self is not None:
        zero = -1.0 if key == "log1p" else 0.0
        return "log of zero", self <= zero, lambda at: f"{key} of {told(entry(self, at) or 0.0)}{in_half(self)}", self
    if key in ARCS and self is not None:
        return "edge of its domain", _edge(key, self), lambda at: f"{key} of {told(entry(self, at) or 0.0)}", self
    if key == "div" and (divisor := numbers(saved.get("other"))) is not None:
        return _of_quotients(self, divisor)
    if key == "pow" and self is not None:
        return _of_powers(self, saved.get("exponent"))
    if key == "xlogy" and other is not None:
        return "log of zero", other <= 0, lambda at: f"log of {told(entry(other, at) or 0.0)}", other
    if key == "atan2" and self is not None and other is not None:
        return "edge of its domain", (self == 0) & (other == 0), lambda _: "atan2 of 0 and 0", self
    if key == "ctcloss" and not saved.get("zero_infinity"):
        losses = readable(saved.get("result0"))
        if losses is not None:
            return "utterance too short", torch.isinf(losses), lambda _: "a target longer than its input", losses
    if key in ("softmax", "safesoftmax", "logsumexp") and result is not None:
        mask = result == float("-inf") if key == "logsumexp" else torch.isnan(result)
        return "softmax of nothing", mask, lambda _: "a row of −∞ alone", result
    return None


def _of_exponentials(key: str, self: Tensor | None, result: Tensor | None) -> Any:
    shown = result if result is not None else None if self is None else torch.exp(self)
    if shown is None:
        return None

    def argument(at: tuple[int, ...]) -> str:
        given = f"of {told(entry(self, at) or 0.0)} " if self is not None else ""
        return f"{key} {given}in {format_of(shown)}"

    return "exp overflow", torch.isinf(shown), argument, shown


def _of_quotients(self: Tensor | None, other: Tensor) -> Any:
    """A division whose slope is not finite: 1/b, or a/b² where the divisor needs a gradient as well."""
    inverse = other.reciprocal()
    slopes = inverse if self is None else self * inverse * inverse

    def argument(at: tuple[int, ...]) -> str:
        above = "x" if self is None else told(entry(self, at) or 0.0)
        return f"{above} / {told(entry(other, at) or 0.0)}"

    mask = ~torch.isfinite(slopes) if self is None else ~torch.isfinite(slopes) | (other == 0)
    return "division by zero", mask, argument, slopes


def _of_powers(self: Tensor, exponent: Any) -> Any:
    power = exponent if isinstance(exponent, (int, float)) else readable(exponent)
    if power is None:
        return None
    below = torch.as_tensor(power, device=self.device) < 1
    nonzero = torch.as_tensor(power, device=self.device) != 0

    def argument(at: tuple[int, ...]) -> str:
        return f"{told(entry(self, at) or 0.0)} to the power of {told(entry(power, at) or 0.0)}"

    return "power at zero", (self == 0) & below & nonzero, argument, self + 0 * torch.as_tensor(power)


def _edge(key: str, self: Tensor) -> Tensor:
    if key in ("logit", "specialndtri"):
        return (self == 0) | (self == 1)
    if key == "acosh":
        return self == 1
    return self.abs() == 1


def _of_singular_values(key: str, saved: Saved) -> Any:
    """Two singular values that are equal, or eigenvalues: the slope of their vectors goes as 1 over the difference."""
    values = readable(saved.get("eigenvalues" if key == "linalgeigh" else "S"))
    if values is None or values.shape[-1] < 2:
        return None
    ordered = values.double().sort(-1).values
    largest = ordered.abs().amax(-1, keepdim=True)
    mask = ordered.diff(dim=-1) <= EQUAL * largest
    word = "eigenvalues" if key == "linalgeigh" else "singular values"

    def argument(at: tuple[int, ...]) -> str:
        pair = ordered[at], ordered[(*at[:-1], at[-1] + 1)]
        return f"{word} {told(float(pair[0]))} and {told(float(pair[1]))}"

    return "equal singular values", mask, argument, values

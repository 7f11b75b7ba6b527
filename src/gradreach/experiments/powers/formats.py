"""bⁿ by repeated multiplication in numbers of finite width.

For b > 1 the power becomes inf where its logarithm says. For b < 1 it does not become 0: it comes to rest at a small
multiple k of the smallest subnormal number, where k b rounds back to k. Only from b = 1/2 down is there no such k.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import torch
from msgspec import Struct

from gradreach.experiments.claim import Claim, equal
from gradreach.experiments.drawing import CYCLE, axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format = Literal["float16", "bfloat16", "float32", "float64"]
FORMATS: tuple[Format, ...] = ("float16", "bfloat16", "float32", "float64")
BASES = (1.01, 0.99, 1.1, 0.9, 0.5)
DRAWN = 120
"""Points of a curve at most."""


class Power(Struct, frozen=True):
    """b, b², b³, … by repeated multiplication, until nothing changes any more.

    `rounded` is b as the format holds it; `n` and `log10` are points of the curve while it is finite and not 0.
    `normal` is the last n with a normal number, `rest` the first n of the value that stays; `last` is that value in
    units of the smallest subnormal number, None for inf.
    """

    base: float
    format: Format
    rounded: float
    n: list[int]
    log10: list[float]
    normal: int
    rest: int
    last: int | None


class InvalidOperations(Struct, frozen=True):
    """The first n at which 1.1ⁿ − 1.1ⁿ, 1.1ⁿ · 0.5ⁿ and 1.1ⁿ · 0.9ⁿ are NaN; None where they never are."""

    format: Format
    difference: int | None
    with_half: int | None
    with_nine_tenths: int | None


def power(base: float, format: Format) -> Power:
    """Multiply by b until the product stays as it is."""
    dtype: torch.dtype = getattr(torch, format)
    info = torch.finfo(dtype)
    b = torch.tensor(base, dtype=dtype)
    values = torch.tensor(powers(base, format), dtype=torch.float64)
    kept = ((values > 0) & values.isfinite()).nonzero().flatten()
    drawn = kept[torch.linspace(0, len(kept) - 1, min(DRAWN, len(kept))).round().long()]
    last = float(values[-1])
    return Power(
        base,
        format,
        float(f"{b.double().item():.9g}"),
        (drawn + 1).tolist(),
        [round(each, 4) for each in values[drawn].log10().tolist()],
        int(((values >= info.smallest_normal) & values.isfinite()).sum()),
        len(values),
        None if math.isinf(last) else int(last / smallest(format)),
    )


def powers(base: float, format: Format) -> list[float]:
    """Return b, b², … in the format, up to the first that multiplying by b leaves as it is."""
    b = torch.tensor(base, dtype=getattr(torch, format))
    values, x = [b.double().item()], b
    while not torch.equal(after := x * b, x):
        x = after
        values.append(x.double().item())
    return values


def invalid(format: Format) -> InvalidOperations:
    """Try each of the three operations in the format itself."""
    up, half, down = (
        torch.tensor(powers(base, format), dtype=torch.float64).to(getattr(torch, format)) for base in (1.1, 0.5, 0.9)
    )
    n = max(map(len, (up, half, down)))
    up, half, down = (torch.cat([each, each[-1:].expand(n - len(each))]) for each in (up, half, down))
    first = [(each.isnan().nonzero().flatten() + 1).tolist() for each in (up - up, up * half, up * down)]
    return InvalidOperations(format, *(each[0] if each else None for each in first))


def smallest(format: Format) -> float:
    """Return the format's smallest number above 0, which is subnormal."""
    info = torch.finfo(getattr(torch, format))
    return float(info.smallest_normal * info.eps)


def resting(base: float, format: Format) -> int:
    """Return where b < 1 comes to rest, in smallest subnormals: the largest k that k b rounds back to, ties to even.

    From above, k falls by exactly 1 where k (1 − b) is between 1/2 and 3/2, so that no such k is passed over.
    """
    lost = 1 - Fraction(torch.tensor(base, dtype=getattr(torch, format)).double().item())
    k = math.floor(Fraction(1, 2) / lost)
    tie = k * lost == Fraction(1, 2)
    return k - 1 if tie and k % 2 else k


def when(base: float, format: Format) -> tuple[float, float, float]:
    """Return n at which bⁿ leaves the normal numbers: by b as it is held, and by a rounding of at most u a step.

    The former, the earliest, the latest.
    """
    info = torch.finfo(getattr(torch, format))
    b, u = torch.tensor(base, dtype=getattr(torch, format)).double().item(), info.eps / 2
    if b > 1:  # rounded to inf from half a unit above the largest on
        end, per_step = math.log(info.max) + math.log1p(u / 2), math.log(b)
        return end / per_step, end / (per_step + math.log1p(u)), end / max(per_step + math.log1p(-u), 0.0)
    end, per_step = math.log(info.smallest_normal), math.log(b)
    return end / per_step, end / (per_step + math.log1p(-u)), end / (per_step + math.log1p(u))


def claims(powers: list[Power], operations: list[InvalidOperations]) -> tuple[Claim, ...]:
    """Claim when each power leaves the format, where it ends, and what is NaN then."""
    return (
        *[_left(each) for each in powers if each.base in (1.01, 0.99)],
        *[_rests(each) for each in powers if each.base == 0.99],
        _others([each for each in powers if each.base not in (1.01, 0.99)]),
        *_of_nan(powers, operations),
    )


def _left(power: Power) -> Claim:
    found = when(power.base, power.format)
    predicted, earliest, latest = (math.floor(n + open) for n, open in zip(found, (1e-6, -1e-6, 1e-6), strict=True))
    last, end = ("finite", "largest") if power.base > 1 else ("normal", "smallest normal")
    return Claim(
        f"Last n at which {power.base:g}ⁿ is a {last} number, {power.format}",
        float(predicted),
        float(power.normal),
        float(earliest),
        float(latest),
        f"log of the {end} number / log b, b held as {power.rounded:.6g}; each product rounded by at most u",
        "steps",
    )


def _rests(power: Power) -> Claim:
    return equal(
        f"Where {power.base:g}ⁿ rests for ever, {power.format}",
        float(resting(power.base, power.format)),
        math.nan if power.last is None else float(power.last),
        0.0,
        "the largest k whose k b rounds back to k: k (1 − b) ≤ 1/2",
        "smallest subnormals",
    )


def _others(powers: list[Power]) -> Claim:
    as_predicted = [
        _left(each).holds and (each.last is None if each.base > 1 else _rests(each).holds) for each in powers
    ]
    return equal(
        "Runs of 1.1ⁿ, 0.9ⁿ and 0.5ⁿ that end where they must: inf; some subnormal number; 0",
        float(len(powers)),
        float(sum(as_predicted)),
        0.0,
        "as above; 0.5 k is a tie for k = 1, which rounds to the even 0",
        "runs",
    )


def _of_nan(powers: list[Power], operations: list[InvalidOperations]) -> tuple[Claim, ...]:
    end = {(each.base, each.format): each.rest for each in powers}
    late = [
        max(
            abs((each.difference or 0) - end[1.1, each.format]),
            abs((each.with_half or 0) - max(end[1.1, each.format], end[0.5, each.format])),
        )
        for each in operations
    ]
    return (
        equal(
            "First n of inf − inf and of 0 · inf, from 1.1ⁿ and 0.5ⁿ: largest difference from prediction",
            0.0,
            float(max(late)),
            0.0,
            "NaN as soon as the operands are inf, and 0 and inf, in every format",
            "steps",
        ),
        equal(
            "Formats in which 1.1ⁿ · 0.9ⁿ becomes NaN",
            0.0,
            float(sum(each.with_nine_tenths is not None for each in operations)),
            0.0,
            "0.9ⁿ rests above 0, so that the product is inf",
            "formats",
        ),
    )


def draw(powers: list[Power]) -> Figure:
    """Draw 1.01ⁿ and 0.99ⁿ to the end of each format."""
    figure, panels = axes(2, width=9, height=4.2, sharey=True)
    for panel, base in zip(panels, (1.01, 0.99), strict=True):
        for power, colour in zip((p for p in powers if p.base == base), CYCLE, strict=False):
            _to_its_end(panel, power, colour)
        panel.set(xlabel="n, multiplications", ylabel="|log₁₀ bⁿ|, decades", xscale="log", yscale="log")
        panel.set(title=f"{base:g}ⁿ, until it changes no more")
        panel.legend(fontsize="small", loc="upper left")
    return figure


def _to_its_end(panel: Axes, power: Power, colour: str) -> None:
    far = [(n, abs(log10)) for n, log10 in zip(power.n, power.log10, strict=True) if abs(log10) > 0.05]
    end = "inf" if power.last is None else f"rests at {power.last} × {smallest(power.format):.1e}"
    panel.plot(*zip(*far, strict=True), color=colour, label=f"{power.format}: {end}, n = {power.rest}")
    panel.plot(*far[-1], "X" if power.last is None else "o", color=colour, ms=8)

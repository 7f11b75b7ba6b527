"""The reach map as an SVG heat map: log10 R[t, k], a row an error's step t, a column the step k where it arrives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from gradreach.record.kinds import of_layer
from gradreach.record.seen.recurrence import TimeLook
from gradreach.report.charts.chart import Frame, Scale, svg, text, ticks
from gradreach.report.charts.figures import Figure

MOST_ROWS, MOST_COLUMNS = 16, 44
"""Steps t and k that are drawn; of more an even sample, so that a map stays under 60 KB."""

DECADES = 8
"""Decades below the largest value that are told apart; what lies lower has the lowest colour."""

LEVELS = 2 * DECADES
"""Colours, two a decade."""

_LIGHT = ((0.955, 0.035, 100.0), (0.300, 0.120, 275.0))
_DARK = ((0.300, 0.050, 275.0), (0.950, 0.110, 100.0))
"""Ends of the scale as lightness, chroma and hue of OKLCH (Ottosson 2020): evenly lighter or darker to the eye, from
yellow to blue, which every common kind of colour vision tells apart."""

_LEFT, _TOP, _RIGHT = 58, 8, 14


def heat(
    title: str,
    log10: Sequence[Sequence[float | None]],
    rows: Sequence[int],
    columns: Sequence[int],
    *,
    width: int = 460,
) -> str:
    """An SVG of `log10`[i][j] = log10 R[t, k] at t = `rows`[i], k = `columns`[j]; empty if no cell is finite.

    None, NaN and ±inf leave a cell blank. Without a style sheet it has the colours for light pages; `sheet` adds those
    for dark ones.
    """
    cells = _drawn_part(log10, rows, columns)
    values = [value for *_, value in cells]
    if not values:
        return ""
    high = math.ceil(max(values) - 1e-9)
    low = max(math.floor(min(values)), high - DECADES)
    low = min(low, high - 2)
    steps_t = sorted({t for t, _, _ in cells} | {t for t in rows if len(rows) <= MOST_ROWS})
    tall = max(10, min(30, 200 // len(steps_t)))
    base = _TOP + tall * len(steps_t)
    steps_k = sorted({k for _, k, _ in cells} | set(columns[:: max(len(columns) - 1, 1)]))
    x = Scale(steps_k[0] - 0.5, steps_k[-1] + 0.5, _LEFT, width - _RIGHT)
    parts = [
        _cells(cells, steps_t, _edges(steps_k), x, tall, (low, high)),
        f'<path class="axis" d="M{_LEFT} {_TOP}V{base}H{width - _RIGHT}"/>',
        _axes(steps_t, x, base, tall),
        _bar(low, high, base + 48, x),
    ]
    return svg(Frame(title, "", "", width, base + 82), "".join(parts))


def map_figure(seen: TimeLook) -> Figure | None:
    """The reach map R[t, k] of a recurrent layer as a heat map; None where the look has none."""
    title = f"Reach map of {of_layer(seen)}"
    drawn = heat(title, seen.log10_map, seen.map_rows, seen.map_columns)
    if not drawn:
        return None
    rows = seen.map_rows
    shown = f"the only error, at step {rows[0]:,}" if len(rows) == 1 else f"the errors at {len(rows)} steps t"
    return Figure(title, drawn, f"R[t, k]: how much of the error at step t arrives at step k; here {shown}.")


def sheet() -> str:
    """The colours for dark pages, as rules of a style sheet."""
    rules = "".join(f".h{level}{{fill:{colour}}}" for level, colour in enumerate(ramp(*_DARK)))
    return f"@media screen and (prefers-color-scheme:dark){{{rules}}}"


def ramp(
    first: tuple[float, float, float] = _LIGHT[0], last: tuple[float, float, float] = _LIGHT[1], count: int = LEVELS
) -> list[str]:
    """`count` colours as #rrggbb at even steps of lightness, chroma and hue between two of OKLCH."""
    shares = [level / (count - 1) for level in range(count)]
    return [_hex(*(a + share * (b - a) for a, b in zip(first, last, strict=True))) for share in shares]


def _drawn_part(
    log10: Sequence[Sequence[float | None]], rows: Sequence[int], columns: Sequence[int]
) -> list[tuple[int, int, float]]:
    """(t, k, log10 R) of every finite cell of an even sample of rows and columns."""
    chosen = _even(len(columns), MOST_COLUMNS)
    return [
        (rows[i], columns[j], value)
        for i in _even(len(rows), MOST_ROWS)
        for j in chosen
        if (value := log10[i][j]) is not None and math.isfinite(value)
    ]


def _even(count: int, most: int) -> list[int]:
    """At most `most` of the places 0 … count − 1, evenly spaced, both ends among them."""
    return list(range(count)) if count <= most else [round(i * (count - 1) / (most - 1)) for i in range(most)]


def _edges(steps: Sequence[int]) -> dict[int, tuple[float, float]]:
    """Where the column of each step begins and ends: half way to its neighbours."""
    inner = [(a + b) / 2 for a, b in pairwise(steps)]
    edges = [steps[0] - 0.5, *inner, steps[-1] + 0.5]
    return {step: (edges[i], edges[i + 1]) for i, step in enumerate(steps)}


def _cells(
    cells: Sequence[tuple[int, int, float]],
    steps_t: Sequence[int],
    edges: dict[int, tuple[float, float]],
    x: Scale,
    tall: int,
    scale: tuple[int, int],
) -> str:
    """The cells, those of one colour in one group: the file holds each colour once."""
    row = {t: place for place, t in enumerate(steps_t)}
    groups: dict[int, list[str]] = {}
    for t, k, value in cells:
        start, end = (_px(x.at(edge)) for edge in edges[k])
        tip = f"<title>t {t}, k {k}: {_power(value)}</title>"
        shape = f'<path d="M{start} {_TOP + tall * row[t]}H{end}v{tall}H{start}z">{tip}</path>'
        groups.setdefault(_level(value, scale), []).append(shape)
    colours = ramp()
    return "".join(
        f'<g class="cell h{level}" fill="{colours[level]}" shape-rendering="crispEdges">{"".join(groups[level])}</g>'
        for level in sorted(groups)
    )


def _level(value: float, scale: tuple[int, int]) -> int:
    low, high = scale
    return min(max(int((value - low) / (high - low) * LEVELS), 0), LEVELS - 1)


def _axes(steps_t: Sequence[int], x: Scale, base: int, tall: int) -> str:
    every = math.ceil(len(steps_t) * 15 / (base - _TOP))
    parts = [
        text(_LEFT - 6, _TOP + tall * place + tall / 2 + 4, f"{t:,}", "end")
        for place, t in enumerate(steps_t)
        if (len(steps_t) - 1 - place) % every == 0
    ]
    for step in (value for value in ticks(x.low, x.high, False, 5) if value == int(value)):
        parts.append(f'<path class="grid" d="M{_px(x.at(step))} {base}v4"/>')
        parts.append(text(x.at(step), base + 17, f"{step:,.0f}", "middle"))
    parts.append(text((x.start + x.end) / 2, base + 35, "arrives at step k", "middle", "name"))
    if base - _TOP >= 100:
        middle = (base + _TOP) / 2
        parts.append(
            f'<g transform="rotate(-90 13 {_px(middle)})">{text(13, middle, "error at step t", "middle", "name")}</g>'
        )
    else:
        parts.append(text(4, base + 35, "row: error at step t", style="name"))
    return "".join(parts)


def _bar(low: int, high: int, top: int, x: Scale) -> str:
    """The scale of colours with its decades."""
    wide = (x.end - x.start) / LEVELS
    at = [x.start + level * wide for level in range(LEVELS)]
    parts = [
        f'<rect class="h{level}" fill="{colour}" x="{_px(at[level])}" y="{top}" width="{_px(wide + 0.3)}" height="9"/>'
        for level, colour in enumerate(ramp())
    ]
    stride = max(1, math.ceil((high - low) / 5))
    for decade in range(high, low - 1, -stride):
        place = x.start + (decade - low) / (high - low) * (x.end - x.start)
        parts.append(text(place, top + 24, _decade(decade), "end" if decade == high else "middle"))
    parts.append(text(_LEFT - 6, top + 9, "R[t, k]", "end", "name"))
    return "".join(parts)


def _decade(power: int) -> str:
    return f"{10.0**power:g}" if -3 <= power <= 3 else f"1e{power}"


def _power(value: float) -> str:
    """10^value to two digits, also where a float cannot hold it."""
    power = math.floor(value + 1e-9)
    lead = f"{10 ** (value - power):.1f}"
    return f"{10**value:.2g}" if -3 <= value < 3 else f"{lead}e{power}"


def _hex(lightness: float, chroma: float, hue: float) -> str:
    """OKLCH to sRGB; the matrices are those of Ottosson's definition of Oklab."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _encoded(min(max(part, 0.0), 1.0))):02x}" for part in linear)


def _encoded(part: float) -> float:
    """One linear channel of sRGB as it is stored."""
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


def _px(value: int | float) -> str:
    return f"{value:.1f}".removesuffix(".0")

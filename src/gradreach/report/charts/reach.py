"""The figure of how far the gradient reaches, with the lags on which the error depends marked in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradreach.facts.dependency import LagResult, LagVerdict, spans
from gradreach.facts.statistics import known
from gradreach.facts.time import past_gaps
from gradreach.facts.wording import figure, percent
from gradreach.record.kinds import is_joint, of_layer
from gradreach.record.schema import Lag
from gradreach.record.seen.recurrence import HORIZON_LIMIT, Probe, TimeLook
from gradreach.report.charts.chart import Frame, Line, Mark
from gradreach.report.charts.figures import FAINTEST, Figure, by_index, figure_of, lags_of

_BANDS: tuple[tuple[LagVerdict, str], ...] = (
    ("vanishing", "lost"),
    ("reached", "learnable"),
    ("cut off", "lost"),
    ("not judged", "unknown"),
)
"""Of the lags that the error depends on the verdicts, in the order of their words, and the style of each."""

_JOINTLY = " Of h and c together."


def reach_figure(
    seen: TimeLook | Probe,
    step: int,
    first: TimeLook | None = None,
    asked: Sequence[LagResult] = (),
    size: tuple[int, int] = (460, 250),
) -> Figure | None:
    """The reach curve r(ℓ) of a look at `step` on a log axis with its horizon, of a recurrent layer with the bound
    (γλ)^ℓ; `first` is drawn faint, and bands mark the lags of `asked` on which the error depends."""
    if not known(seen.reach):
        return None
    least = min((r for r in known(seen.reach) if r > 0), default=HORIZON_LIMIT) / 10
    floor = min(max(FAINTEST, least), HORIZON_LIMIT)
    lines = [Line("reach r(ℓ)", by_index(seen.reach)), *_bound(seen, floor)]
    if first is not None:
        lines.append(Line("reach when first seen", by_index(first.reach), 0, faint=True))
    horizon = f"horizon {seen.horizon} of {seen.T - 1} steps"
    caption = f"Share of the gradient that travels ℓ steps back, at step {step:,}: {horizon}."
    if isinstance(seen, TimeLook):
        caption = f"{caption[:-1]}{past_gaps(seen)}." + (_JOINTLY if is_joint(seen.kind) else "")
    marks = [
        *_bands(asked, seen.T),
        Mark("reach of 1 %", y=HORIZON_LIMIT, word="1 %"),
        Mark(horizon, x=float(seen.horizon), style="horizon", word=f"horizon {seen.horizon}"),
    ]
    if told := _told(asked):
        caption += f" Shaded: the lags that the error depends on, {told}."
        if any(each.verdict == "reached" and each.lag.at > seen.horizon for each in asked):
            caption += " What another layer reaches counts as reached."
    title = f"Reach curve of {_name(seen)}"
    frame = Frame(title, "lag ℓ, steps back", "reach r(ℓ)", *size, log=True, floor=floor)
    group = lags_of(seen) if isinstance(seen, TimeLook) else ""
    drawn = figure_of(frame, lines, marks, caption, group=group)
    if drawn is None or not told:
        return drawn
    curves = drawn.legend or ((lines[0].name, "s0"),)
    styles = dict.fromkeys(style for verdict, style in _BANDS if _of(asked, verdict))
    return replace(drawn, legend=(*curves, *((_LEGEND[style], f"band {style}") for style in styles)))


def only_error(seen: TimeLook) -> bool:
    """Whether a single step of a sequence carries an error: then what arrives at each step is what the reach curve
    says."""
    return sum(error > 0 for error in known(seen.local_error)) == 1


_LEGEND = {
    "lost": "error depends, no gradient from there",
    "learnable": "error depends, gradient arrives",
    "unknown": "error depends, reach not known",
}


def _name(seen: TimeLook | Probe) -> str:
    return of_layer(seen) if isinstance(seen, TimeLook) else seen.module or "the model"


def _of(asked: Sequence[LagResult], verdict: LagVerdict) -> list[Lag]:
    return [each.lag for each in asked if each.verdict == verdict]


def _told(asked: Sequence[LagResult]) -> str:
    return ", ".join(f"{spans(lags)} ({verdict})" for verdict, _ in _BANDS if (lags := _of(asked, verdict)))


def _bands(asked: Sequence[LagResult], T: int) -> list[Mark]:
    """A band for each such lag, half a step wider on either side, and over the first of a verdict its word."""
    marks = []
    for row, (verdict, style) in enumerate(((v, s) for v, s in _BANDS if _of(asked, v)), start=1):
        for number, lag in enumerate(_of(asked, verdict)):
            name = f"lags {spans([lag])}: {percent(lag.share)} of the error's variance, q = {figure(lag.q)}, {verdict}"
            end = min(lag.until + 0.5, T - 1.0) if lag.until < T else float(lag.until)
            start = max(min(lag.lag - 0.5, end - 0.5), 0.0)
            word = f"depends: {verdict}" if number == 0 else ""
            marks.append(Mark(name, x=start, until=end, style=f"band {style}", word=word, row=row))
    return marks


def _bound(seen: TimeLook | Probe, floor: float) -> list[Line]:
    if isinstance(seen, Probe) or seen.bound_factor is None or seen.bound_factor <= 0:
        return []
    top = 10 * max(known(seen.reach))
    powers = _powers(seen.bound_factor, len(seen.reach))
    return [Line("bound (γλ)^ℓ", [(lag, value) for lag, value in powers if floor <= value <= top], 1)]


def _powers(factor: float, count: int) -> list[tuple[float, float]]:
    """factor^ℓ for ℓ < count, ended before it leaves the range of a float."""
    values: list[tuple[float, float]] = []
    power = 1.0
    for lag in range(count):
        if not 1e-300 < power < 1e300:
            break
        values.append((float(lag), power))
        power *= factor
    return values

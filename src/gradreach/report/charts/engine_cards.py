"""How a reach and a spectrum are shown by themselves: what they come to in words, in figures, and as curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from gradreach.engine.products import scientific
from gradreach.engine.reach import Reach
from gradreach.engine.spectrum import Spectrum
from gradreach.facts.statistics import exponential
from gradreach.facts.wording import figure
from gradreach.record.kinds import is_joint, numbered
from gradreach.record.seen.recurrence import HORIZON_LIMIT
from gradreach.report.charts.card import Card, Drawing, Row, Table
from gradreach.report.charts.chart import Frame, Line, Mark, plot
from gradreach.report.charts.heat import heat

FAINTEST = -30.0
"""log10 under which a curve is not drawn; the table tells of what lies lower."""

HIGHEST = 280.0
"""log10 above which a curve is not drawn: a float holds no more."""

SIDE = 40
"""Steps t and k of the reach map that are drawn."""

_NOWHERE = "the errors stand on the first step that the layer takes, with nothing further back"

_NEGATIVE = "a lag share under 0 is of a part of the gradient that points against the whole"

EXPONENTS = 4
"""Lyapunov exponents that are told from the largest on."""


def card_of(result: object) -> Card:
    """The card of a reach or a spectrum; raises TypeError for anything else."""
    if isinstance(result, Reach):
        return of_reach(result)
    if isinstance(result, Spectrum):
        return of_spectrum(result)
    raise TypeError(f"result: expected a finding, a reach or a spectrum, got {type(result).__name__}")


def of_reach(reach: Reach) -> Card:
    """Curve and map of a reach; words and table for where no figure is shown."""
    name = f"{reach.kind} layer {reach.layer}" if numbered(reach.kind) else reach.kind
    reverse = ", reverse" if reach.direction == "reverse" else ""
    far = len(reach.log10_curve) - 1
    rows = [
        Row("reach", _arrives(reach, far)),
        Row("interval", _known(reach) if far > 0 else ""),
        Row("norm", _norm_of(reach)),
        Row("factor", f"{figure(reach.factor)} per step, over all lags" if reach.factor is not None else ""),
        Row("window", _window(reach) if far > 0 else ""),
        Row("share", _NEGATIVE if far > 0 and min(reach.lag_share, default=0.0) < 0 else ""),
        Row("exact", "yes: every step with an error, every row and lag" if reach.exact else f"no: {reach.sampled}"),
    ]
    size = f"T {reach.T}, B {reach.batch}, H {reach.hidden}, horizon {reach.horizon}"
    size += f", farthest {reach.farthest_reached}" if reach.farthest_reached > reach.horizon else ""
    return Card(
        f"Reach of {name}{reverse}",
        size,
        rows=tuple(row for row in rows if row.text),
        table=_lags(reach) if far > 0 else None,
        figures=(*_curve(reach, name), *_map(reach, name)) if far > 0 else (),
    )


def of_spectrum(spectrum: Spectrum) -> Card:
    """Bound and norm of a spectrum over the lag, and the figures of its recurrence."""
    rows = [
        Row("γ", f"{figure(spectrum.gamma)}, mean {figure(spectrum.gamma_mean)}" if spectrum.gamma is not None else ""),
        Row("λ", f"{figure(spectrum.lambda_)} = ‖W_hh‖₂" if spectrum.lambda_ is not None else ""),
        Row("ρ", f"{figure(spectrum.rho)}, the spectral radius of W_hh" if spectrum.rho is not None else ""),
        Row("γλ", f"{figure(spectrum.bound_factor)} per step" if spectrum.bound_factor is not None else ""),
        *(_gate(name, *pair) for name, pair in spectrum.gates.items() if spectrum.lambda_ is None),
        Row("exponents", _exponents(spectrum)),
        Row("bound", spectrum.verdict),
    ]
    return Card(
        f"Spectrum of {spectrum.kind}",
        f"T {spectrum.T}, H {spectrum.hidden}",
        rows=tuple(row for row in rows if row.text),
        table=_products(spectrum),
        figures=_norms(spectrum),
    )


def _arrives(reach: Reach, far: int) -> str:
    """How far back 1 % arrives: without a gap, and with gaps where the curve falls under it and rises again."""
    if far <= 0:
        return _NOWHERE
    text, farthest = f"at least 1 % of the gradient arrives {reach.horizon} of {far} steps back", reach.farthest_reached
    if farthest == reach.horizon:
        return text
    least = _power(reach.log10_curve[farthest])
    return (
        f"{text} without a gap; it is under 1 % first at lag {reach.horizon + 1}, and {least} again at lag {farthest}, "
        "the farthest with 1 % or more"
    )


def _known(reach: Reach) -> str:
    """How well a sample of the steps tells the horizon; nothing where it is that of all of them."""
    known = reach.horizon_interval
    if known is None or all(low == high for low, high in reach.interval or ()):
        return ""
    return f"of all steps, the horizon lies from {known[0]} to {known[1]} with a confidence of 95 %"


def _norm_of(reach: Reach) -> str:
    """Which state every norm is of, where there is more than one, and how far h alone reaches."""
    if reach.norm_of == "the state":
        return "of the whole state, all its parts jointly"
    alone = reach.by_h
    if alone is None:
        return "of h alone, ‖∂L_t/∂h_k‖ with c_k held" if is_joint(reach.kind) else ""
    return f"of (h, c) jointly; of h alone, ‖∂L_t/∂h_k‖, at least 1 % arrives {alone.horizon} steps back"


def _window(reach: Reach) -> str:
    k2 = reach.window()
    if not reach.truncation_bias:
        return ""
    if k2 is None:
        return "no k2 that was swept keeps the truncation bias at 5 % or less"
    return f"k2 = {k2} keeps the truncation bias at 5 % or less"


def _lags(reach: Reach) -> Table:
    curve, share, bias = reach.log10_curve, reach.lag_share, reach.truncation_bias
    alone = () if reach.by_h is None else reach.by_h.log10_curve
    body = tuple(
        (
            str(lag),
            _power(curve[lag]),
            *((_at(alone, lag, _power),) if alone else ()),
            _at(share, lag, figure),
            _at(bias, lag, figure),
        )
        for lag in _ladder(len(curve), reach.horizon, reach.farthest_reached)
    )
    columns = ("r of (h, c)", "r of h", "share s(ℓ)") if alone else ("reach r(ℓ)", "lag share s(ℓ)")
    return Table(("lag ℓ", *columns, "truncation bias b(ℓ)"), body)


def _products(spectrum: Spectrum) -> Table:
    bound, norm = spectrum.log10_bound, spectrum.log10_norm
    body = tuple(
        (str(lag), _at(bound, lag, _power), _power(norm[lag]), _power(values[-1]))
        for lag, values in spectrum.log10_singular_values.items()
    )
    return Table(("lag ℓ", "bound (γλ)^ℓ", "norm ‖∂h_t/∂h_k‖", "smallest σ"), body)


def _ladder(lags: int, *more: int) -> list[int]:
    """1, 2, 4, 8, … up to the last lag, and some more among them."""
    powers = {2**n for n in range(lags.bit_length())}
    return sorted(lag for lag in powers | {*more, lags - 1} if 0 < lag < lags)


def _at(values: Sequence[float], lag: int, told: Callable[[float], str]) -> str:
    return told(values[lag]) if lag < len(values) else "–"


def _power(log10: float) -> str:
    """10^log10, also where a float cannot hold it."""
    return figure(10.0**log10) if abs(log10) < 300 else scientific(log10)


def _gate(name: str, lambda_: float, rho: float) -> Row:
    return Row(f"gate {name}", f"λ {figure(lambda_)}, ρ {figure(rho)}")


def _exponents(spectrum: Spectrum) -> str:
    lyapunov, swept = spectrum.lyapunov, len(spectrum.log10_norm) - 1
    if not lyapunov:
        return ""
    largest = ", ".join(figure(each) for each in lyapunov[:EXPONENTS])
    rest = f" … {figure(lyapunov[-1])}" if len(lyapunov) > EXPONENTS else ""
    grows = exponential(lyapunov[0])
    return (
        f"{largest}{rest} per step: in the long run a change of the state is multiplied by {figure(grows)} a step; of "
        f"the {swept} steps back from the last, {spectrum.lyapunov_steps} count, those past the first quarter"
    )


def _curve(reach: Reach, name: str) -> tuple[Drawing, ...]:
    frame = Frame(f"Reach curve of {name}", "lag ℓ, steps back", "reach r(ℓ)", log=True)
    marks = (
        Mark("reach of 1 %", y=HORIZON_LIMIT, word="1 %"),
        Mark(f"horizon {reach.horizon}", x=reach.horizon, style="horizon", word=f"horizon {reach.horizon}"),
    )
    lines, caption = [Line("reach", _drawn(reach.log10_curve))], "Share of the gradient that travels ℓ steps back."
    if reach.by_h is not None:
        lines.append(Line("reach by h alone", _drawn(reach.by_h.log10_curve), 1))
        caption += " Solid: of (h, c) jointly. Dashed: of h alone."
    drawn = plot(frame, lines, marks)
    return (Drawing(drawn, caption),) if drawn else ()


def _norms(spectrum: Spectrum) -> tuple[Drawing, ...]:
    frame = Frame(f"Bound and norm of {spectrum.kind}", "lag ℓ = t − k", "‖∂h_t/∂h_k‖", log=True)
    lines, caption = [Line("norm", _drawn(spectrum.log10_norm))], "The norm of the product of ℓ Jacobians."
    if spectrum.log10_bound:
        lines.append(Line("bound (γλ)^ℓ", _drawn(spectrum.log10_bound), 1))
        caption = "Solid: the norm of the product of ℓ Jacobians. Dashed: its bound (γλ)^ℓ."
    drawn = plot(frame, lines)
    return (Drawing(drawn, caption),) if drawn else ()


def _drawn(log10: Sequence[float]) -> list[tuple[int, float | None]]:
    """The points of a curve that an axis can show."""
    return [(lag, 10.0**each if FAINTEST <= each <= HIGHEST else None) for lag, each in enumerate(log10)]


def _map(reach: Reach, name: str) -> tuple[Drawing, ...]:
    """The map at an even sample of its steps, taken row by row: the whole of it need not fit into memory."""
    places, columns = _sample(len(reach.anchors)), _sample(reach.T)
    back = 1 if reach.direction == "forward" else -1
    cells = [
        [_norm(norms, back * (reach.anchors[place] - k)) for k in columns]
        for place in places
        for norms in [reach.lags.log2_norms[place].tolist()]
    ]
    drawn = heat(f"Reach map of {name}", cells, [reach.anchors[place] for place in places], columns)
    return (Drawing(drawn, "Reach map R[t, k]: how much of the error at step t arrives at step k."),) if drawn else ()


def _norm(log2_norms: Sequence[float], lag: int) -> float | None:
    return log2_norms[lag] * math.log10(2) if 0 <= lag < len(log2_norms) else None


def _sample(steps: int) -> list[int]:
    return sorted({round(i * (steps - 1) / (SIDE - 1)) for i in range(SIDE)}) if steps > SIDE else list(range(steps))

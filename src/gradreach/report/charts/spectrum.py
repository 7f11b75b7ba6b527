"""The Jacobian's spectrum of one recurrent layer: its Lyapunov exponents beside what W_hh alone would allow."""

from __future__ import annotations

import math

from gradreach.facts.statistics import exponential, known
from gradreach.facts.wording import figure
from gradreach.record.kinds import of_layer
from gradreach.record.seen.recurrence import TimeLook
from gradreach.report.charts.chart import Frame, Number, Scale, spoken, svg, text, ticks
from gradreach.report.charts.figures import Figure

STEADY = 0.01
"""Size of an exponent up to which the state neither grows nor shrinks over the hundred steps that it is taken from."""

WIDTH, LEFT, RIGHT = 460, 20, 20
ROW = 16


def spectrum_figure(seen: TimeLook) -> Figure | None:
    """The Lyapunov exponents on one axis, per step and log e, with 0, ln ρ and ln γλ; None where none were recorded."""
    exponents = known(seen.lyapunov)
    if not exponents:
        return None
    rules = [("0", 0.0, "axis"), *_rules(seen)]
    values = [*exponents, *(at for _, at, _ in rules)]
    air = 0.06 * max(max(values) - min(values), 0.1)
    x = Scale(min(values) - air, max(values) + air, LEFT, WIDTH - RIGHT)
    top = 12 + ROW * len(rules)
    base = top + 30
    parts = [f'<path class="grid" d="M{LEFT} {base}H{WIDTH - RIGHT}"/>']
    for value in ticks(x.low, x.high, False, 6):
        parts.append(f'<path class="grid" d="M{x.at(value):.1f} {base}v4"/>')
        parts.append(text(x.at(value), base + 17, figure(value, 2), "middle"))
    for row, (name, at, style) in enumerate(sorted(rules, key=lambda rule: rule[1])):
        parts.append(_rule(name, x.at(at), 12 + ROW * row, base, style))
    for number, value in enumerate(exponents, start=1):
        tip = spoken(f"exponent {number}: {figure(value)} a step, × {figure(exponential(value))}")
        parts.append(
            f'<circle class="dot s0" cx="{x.at(value):.1f}" cy="{top + 18}" r="4.5"><title>{tip}</title></circle>'
        )
    parts.append(text(WIDTH / 2, base + 35, "growth per step, log e", "middle", "name"))
    frame = Frame(f"Lyapunov exponents of {of_layer(seen)}", "", "", WIDTH, base + 42)
    return Figure(frame.title, svg(frame, "".join(parts)), told(seen))


def told(seen: TimeLook) -> str:
    """The largest exponent in words, and what W_hh alone would have let it be; empty where none was recorded."""
    exponents = known(seen.lyapunov)
    if not exponents:
        return ""
    largest = max(exponents)
    rate = f"a change of the state is multiplied by e^{_signed(largest)} = {figure(exponential(largest))} a step"
    if largest < -STEADY:
        says = f"the state forgets, {rate}, and shrinks to 1 % within {_steps_to_a_hundredth(largest)} steps"
    elif largest > STEADY:
        says = f"the state is chaotic, {rate}"
    else:
        says = f"the state neither forgets nor explodes, {rate}"
    sentence = f"Largest exponent {_signed(largest)}: {says}."
    sentence += f" {seen.lyapunov_steps} steps count: those past the first quarter of the way back from the last step."
    rules = _rules(seen)
    if rules:
        sentence += f" W_hh alone: {', '.join(f'{name} = {_signed(at)}' for name, at, _ in rules)}."
    return sentence


def _rules(seen: TimeLook) -> list[tuple[str, float, str]]:
    """What the weights alone say of the growth: the radius, and the bound that it cannot pass."""
    wanted = (("ln ρ", seen.rho, "limit"), ("ln γλ", seen.bound_factor, "horizon"))
    return [
        (name, math.log(value), style) for name, value, style in wanted if value is not None and 0 < value < math.inf
    ]


def _rule(name: str, at: Number, top: Number, base: Number, style: str) -> str:
    side, anchor = (5, "start") if at < WIDTH * 0.8 else (-5, "end")
    return f'<path class="{style}" d="M{at:.1f} {top - 8}V{base}"/>' + text(at + side, top + 2, name, anchor, "label")


def _steps_to_a_hundredth(exponent: float) -> str:
    return f"{max(math.ceil(math.log(100) / -exponent), 1):,}"


def _signed(value: float) -> str:
    return figure(value, 2).replace("-", "−")

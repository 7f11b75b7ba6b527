"""Rules on the units of hidden layers: GR203 and GR204, of the depth family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from gradreach.facts.course import MIN_LOOKS, root_of, site_name, sound_looks, stalled, worse_than_at_first
from gradreach.facts.legacy_thresholds import DEFAULT, Thresholds
from gradreach.facts.statistics import is_finite, known, median, most, percent
from gradreach.record.schema import DepthLook, Finding, Record, Remedy
from gradreach.rules import formula
from gradreach.rules.remedy import expression, initial_scale, normalise, scale_input
from gradreach.rules.rule import Evidence, Explain, Judged, Rule, Where

FEWEST_UNITS = 4
"""Units of a layer below which a share means little."""

_SATURATING = ("tanh", "sigmoid")

_GLOROT = "Glorot, Bengio (2010): Understanding the difficulty of training deep feedforward neural networks"
_HE = "He, Zhang, Ren, Sun (2015): Delving deep into rectifiers"
_LU = "Lu, Shin, Su, Karniadakis (2020): Dying ReLU and initialization"

_RATE = Remedy("learning-rate", "lr = lr / 10", "units die when one large step pushes their bias far below zero")


def _by_module(record: Record, wanted: Callable[[DepthLook], bool]) -> dict[tuple[int, str], list[DepthLook]]:
    """The looks at each hidden activation; what no layer with weights follows is an output and saturates rightly."""
    modules: dict[tuple[int, str], list[DepthLook]] = defaultdict(list)
    for look in sound_looks(record):
        asked = [seen for seen in look.depth if wanted(seen)]
        if not asked:
            continue
        last: dict[str, int] = {}
        for seen in look.depth:
            if seen.parameters:
                root = root_of(record, seen.module)
                last[root] = max(last.get(root, -1), seen.order)
        for seen in asked:
            if seen.order < last.get(root_of(record, seen.module), -1):
                modules[(look.site, seen.module)].append(seen)
    return {key: looks for key, looks in modules.items() if len(looks) >= MIN_LOOKS}


def saturated(record: Record, thresholds: Thresholds) -> Judged:
    """GR203: a hidden layer's units sit where tanh or logistic are flat, from the start or while the loss stalls."""
    modules = _by_module(record, lambda seen: seen.activation in _SATURATING and is_finite(seen.saturated))
    if not modules:
        return Judged(why_not=f"no hidden tanh or logistic activation was watched {MIN_LOOKS} times")
    found: dict[str, Finding] = {}
    for (site, module), looks in modules.items():
        shares = known(seen.saturated for seen in looks)
        flat = [share >= thresholds.saturated for share in shares]
        if most(flat) and (flat[0] or stalled(record, site) or worse_than_at_first(record, site)):
            found.setdefault(module, _saturated(record, site, looks[-1], median(shares)))
    return Judged(tuple(found.values()))


def _saturated(record: Record, site: int, seen: DepthLook, share: float) -> Finding:
    because = (
        f"{percent(share)} of its {seen.activation} activations have less than 5 % of their largest slope, look "
        f"after look: on average at most {percent(1 - 0.95 * share)} of the gradient passes to the layers below."
    )
    evidence: Evidence = {
        "saturated": share, "activation": seen.activation, "activation_rms": seen.activation_rms,
        "grad_rms": seen.grad_rms,
    }  # fmt: skip
    where: Where = {"module": seen.module, "kind": seen.kind, "site": site_name(record, site)}
    remedies, how = _remedies_of_saturated(record, seen), formula.mean_slope(share)
    return Finding("GR203", "warning", SATURATION.title, where, evidence, because, remedies, how)


def _remedies_of_saturated(record: Record, seen: DepthLook) -> tuple[Remedy, ...]:
    """Smaller sums: by the input, by the weights of the layer that feeds the activation, or by normalisation."""
    look = next(look for look in reversed(record.looks) if seen in look.depth)
    before = [other for other in look.depth if other.parameters and other.order <= seen.order]
    fed = max(before, key=lambda other: other.order, default=seen)
    root = root_of(record, seen.module)
    return scale_input(root), initial_scale((fed,), root, (seen.activation,)), normalise(fed)


def _leaky(seen: DepthLook) -> Remedy:
    why = "a small slope below zero lets dead units come back"
    if seen.kind == "ReLU":
        return Remedy("leaky", f"{expression(seen.module)} = nn.LeakyReLU(0.01)  # in place of nn.ReLU()", why)
    return Remedy("leaky", f"F.leaky_relu(x, 0.01)  # in place of the ReLU after `{seen.module}`", why)


def dead(record: Record, thresholds: Thresholds) -> Judged:
    """GR204: nearly all units of a hidden ReLU layer are off for every sample, look after look."""
    modules = _by_module(record, lambda seen: is_finite(seen.dead) and seen.units >= FEWEST_UNITS)
    if not modules:
        return Judged(
            why_not=f"no hidden ReLU activation of {FEWEST_UNITS} units or more was watched {MIN_LOOKS} times"
        )
    found: dict[str, Finding] = {}
    for (site, module), looks in modules.items():
        shares = known(seen.dead for seen in looks)
        if most([share >= thresholds.dead for share in shares]):
            found.setdefault(module, _dead(record, site, looks[-1], shares, thresholds.dead))
    return Judged(tuple(found.values()))


def _dead(record: Record, site: int, seen: DepthLook, shares: list[float], limit: float) -> Finding:
    share = min(median(shares), 1.0)
    values = f" ({seen.rows:,} values of each)" if seen.rows else ""
    because = (
        f"{round(share * seen.units)} of {seen.units} units ({percent(share)}) are zero for every sample of the "
        f"batch{values} in {sum(s >= limit for s in shares)} of {len(shares)} looks: their slope is 0, so no gradient "
        "can bring them back."
    )
    evidence: Evidence = {
        "dead": share, "units": seen.units, "rows": seen.rows, "looks": len(shares), "grad_rms": seen.grad_rms,
    }  # fmt: skip
    where: Where = {"module": seen.module, "kind": seen.kind, "site": site_name(record, site)}
    remedies = (_leaky(seen), _RATE, scale_input(root_of(record, seen.module)))
    how = f"relu′(a) = 0 for a < 0: ∂L/∂w = Σ δ · relu′(a) · x = 0 in {percent(share)} ≥ {percent(limit)} of "
    how += f"{seen.units} units"
    return Finding("GR204", "warning", DEATH.title, where, evidence, because, remedies, how)


SATURATION = Rule(
    "GR203",
    "saturated",
    "saturated activations",
    ("warning",),
    "depth",
    Explain(
        cause="The sums that enter tanh or a logistic function are so large that it is flat there; the layers below "
        "learn next to nothing.",
        mathematics=(
            "tanh′(a) < 0.05 from |a| = 2.2 on;   σ′(a) < 0.05 · 1/4 from |a| = 4.4 on",
            "mean σ′ / max σ′ ≤ 1 − 0.95 · share, where the share has under 5 % of the largest slope",
        ),
        thresholds=f"From {percent(DEFAULT.saturated)} of a hidden layer's activations, in two looks of three and the "
        "last one: a quarter of the gradient passes on average, at most. Of tanh units whose sums have deviation 1 "
        "only 3 % are so flat. It must be so from the first look, or the loss stand still: features that grow decided "
        "while the loss falls are healthy. Outputs, after which no weights follow, saturate rightly.",
        remedies=(
            "Scale the inputs: free, and right in any case.",
            "Smaller initial weights: free.",
            "Normalisation before the activation: a little time.",
        ),
        silence="Where units are meant to be binary (hashing, hard attention).",
        references=(_GLOROT,),
    ),
    saturated,
)

DEATH = Rule(
    "GR204",
    "dead-units",
    "dead units",
    ("warning",),
    "depth",
    Explain(
        cause="A ReLU unit whose sum is negative for every sample puts out zero, has slope zero, and so gets no "
        "gradient that could change it.",
        mathematics=("relu′(a) = 0 for a < 0:   ∂L/∂w = Σ_samples δ · relu′(a) · x = 0",),
        thresholds=f"From {percent(DEFAULT.dead)} of a layer's units (of {FEWEST_UNITS} or more), zero for the whole "
        "batch, in two looks of three and the last one. The bar is high because healthy ReLU layers are sparse: where "
        "a unit is on for a tenth of all samples, nine in ten are off in a batch of one.",
        remedies=(
            "Leaky ReLU or GELU: free; activations are no longer sparse.",
            "A lower learning rate or a warm-up: slower at first.",
            "Scaled inputs and biases of 0: free.",
        ),
        silence="Where a layer is meant to be extremely sparse.",
        references=(_HE, _LU),
    ),
    dead,
)

RULES = (SATURATION, DEATH)

"""What to do about a value that is not finite: the remedy answers the operation and what it was given."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.statistics import is_finite
from gradreach.facts.wording import figure
from gradreach.record.kinds import has_hidden_weights
from gradreach.record.schema import NonFinite, Remedy
from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.average_passes import AVERAGE_PASSES
from gradreach.remedies.advice.biased_deviation import BIASED_DEVIATION
from gradreach.remedies.advice.bounded_exponent import BOUNDED_EXPONENT
from gradreach.remedies.advice.check_data import CHECK_DATA
from gradreach.remedies.advice.clip import CLIP
from gradreach.remedies.advice.double_where import DOUBLE_WHERE
from gradreach.remedies.advice.drop_rows import DROP_ROWS
from gradreach.remedies.advice.finite_mask import FINITE_MASK
from gradreach.remedies.advice.initialise import INITIALISE
from gradreach.remedies.advice.inside_edge import INSIDE_EDGE
from gradreach.remedies.advice.leave_one_open import LEAVE_ONE_OPEN
from gradreach.remedies.advice.log_sum_exp import LOG_SUM_EXP
from gradreach.remedies.advice.look_more_often import LOOK_MORE_OFTEN
from gradreach.remedies.advice.lower_rate import FROM_START, LOWER_RATE
from gradreach.remedies.advice.name_operation import NAME_OPERATION
from gradreach.remedies.advice.normalise_state import NORMALISE_STATE
from gradreach.remedies.advice.open_label import OPEN_LABEL
from gradreach.remedies.advice.optimizer_eps import OPTIMIZER_EPS
from gradreach.remedies.advice.orthogonal import ORTHOGONAL
from gradreach.remedies.advice.positive_argument import POSITIVE_ARGUMENT
from gradreach.remedies.advice.safe_divisor import SAFE_DIVISOR
from gradreach.remedies.advice.safe_domain import SAFE_DOMAIN
from gradreach.remedies.advice.safe_normalisation import SAFE_NORMALISATION
from gradreach.remedies.advice.safe_slope import SAFE_SLOPE
from gradreach.remedies.advice.scale_loss import SCALE_LOSS, USUAL
from gradreach.remedies.advice.skip_step import SKIP_STEP
from gradreach.remedies.advice.spelling import expression
from gradreach.remedies.advice.split_values import SPLIT_VALUES
from gradreach.remedies.advice.stabiliser import STABILISER
from gradreach.remedies.advice.stable_loss import STABLE_LOSS
from gradreach.remedies.advice.wider_format import WIDER_FORMAT
from gradreach.remedies.advice.zero_infinity import ZERO_INFINITY
from gradreach.rules.gr305_update_size import large_before

HIDDEN = {"exp": "0.0", "log": "1.0", "sqrt": "1.0", "division": "1.0"}
"""Arguments at which an operation and its slope are harmless."""

_SIMPLE: dict[str, Advice[[]]] = {
    "exponential factor": STABILISER,
    "softmax of nothing": LEAVE_ONE_OPEN,
    "impossible label": OPEN_LABEL,
    "infinity less infinity": FINITE_MASK,
    "zero times infinity": FINITE_MASK,
    "deviation of one": BIASED_DEVIATION,
    "equal singular values": SPLIT_VALUES,
    "utterance too short": ZERO_INFINITY,
    "half overflow": WIDER_FORMAT,
}


def remedies_for(facts: Facts, found: NonFinite) -> tuple[Remedy, ...]:
    """What to do, the first choice first; at the end to skip such a step, where single steps are at fault."""
    own = _for_cause(facts, found)
    sound = any(step.step < found.step and is_finite(step.loss) for step in facts.record.steps)
    rare = sound and found.phase != "parameters"
    return (*own, SKIP_STEP.remedy()) if rare and len(own) < 3 else own


def _for_cause(facts: Facts, found: NonFinite) -> tuple[Remedy, ...]:
    operation = found.operation
    match found.cause:
        case "log of zero":
            return SAFE_DOMAIN.remedy(operation, found.argument.endswith("float16")), STABLE_LOSS.remedy()
        case "log of a negative":
            return POSITIVE_ARGUMENT.remedy(operation), SAFE_DOMAIN.remedy(operation)
        case "root of a negative":
            return (SAFE_DOMAIN.remedy("sqrt"),)
        case "power of a negative":
            return (SAFE_DOMAIN.remedy(operation),)
        case "root at zero" | "power at zero":
            return (SAFE_SLOPE.remedy(operation),)
        case "edge of its domain" | "outside of its domain":
            return (INSIDE_EDGE.remedy(operation),)
        case "hidden branch":
            return (DOUBLE_WHERE.remedy(operation, HIDDEN.get(operation, "1.0")),)
        case "exp overflow":
            return BOUNDED_EXPONENT.remedy(operation), LOG_SUM_EXP.remedy()
        case "update too large":
            return (LOWER_RATE.remedy_because("the update before it left the number format", 10.0),)
        case "division by zero":
            return (SAFE_DIVISOR.remedy(),)
        case "overflow":
            return _for_growth(facts, found)
        case "optimizer constant":
            return (OPTIMIZER_EPS.remedy(found.argument.partition("'")[0] or "Adam"),)
        case "initial weights":
            return (INITIALISE.remedy(expression(operation) if found.module else "w"),)
        case "apart":
            return (
                (BIASED_DEVIATION.remedy(), CHECK_DATA.remedy()) if set(found.shape) <= {1} else (CHECK_DATA.remedy(),)
            )
        case "sum of a row" | "norm of a row" | "deviation of a column":
            return SAFE_NORMALISATION.remedy(found.cause), CHECK_DATA.remedy()
        case "loss scale":
            scale = next((step.scale for step in facts.record.steps if step.step == found.step), 1.0)
            return (SCALE_LOSS.remedy_because("from there a scaler that halves it finds its scale soon", scale, USUAL),)
        case "inputs" | "targets":
            return DROP_ROWS.remedy("x" if found.cause == "inputs" else "y"), CHECK_DATA.remedy()
    return _simple(found) or _unknown(facts, found)


def _simple(found: NonFinite) -> tuple[Remedy, ...]:
    advice = _SIMPLE.get(found.cause)
    return (advice.remedy(),) if advice is not None else ()


def _for_growth(facts: Facts, found: NonFinite) -> tuple[Remedy, ...]:
    """A finite value that grew out of the format: in a recurrent matrix, in a loop, or over the steps of training."""
    kind = kind_at(facts, found) or (found.operation if found.layer is not None else "")
    clip = _clip(facts, found)
    if kind and has_hidden_weights(kind):
        why = "a recurrent matrix that stretches nothing keeps the state within the format's range"
        slower = LOWER_RATE.remedy_because("the norm grew from the first steps on", 10.0)
        more = (slower,) if _grows_from_start(facts, found) else clip
        return (ORTHOGONAL.remedy_because(why, found.module, kind, found.layer, found.direction), *more)
    if _grows_from_start(facts, found):
        lower = LOWER_RATE.remedy_because(FROM_START, 10.0)
        return (AVERAGE_PASSES.remedy(), lower) if facts.accumulation else (lower,)
    if clip:
        large = large_before(facts, found.site, found.step)
        why = "the values had grown over the steps before, until they left the format"
        lower = LOWER_RATE.remedy_because(why, 10.0)
        return (*clip, lower) if large is None else (lower, *clip)
    blown = facts.blow_up
    if blown is not None and blown.site == found.site and blown.ends_nonfinite:
        why = f"over the steps before, the norm had grown from {figure(blown.before)} to {figure(blown.peak)}"
        lower = LOWER_RATE.remedy_because(why, 10.0)
        return (AVERAGE_PASSES.remedy(), lower) if facts.accumulation else (lower,)
    return (NORMALISE_STATE.remedy(),)


def _clip(facts: Facts, found: NonFinite) -> tuple[Remedy, ...]:
    """To clip, where the norm had grown over the steps before from an ordinary one, and nothing clips it."""
    grown = facts.growth_before(found)
    if grown is None or grown.usual is None:
        return ()
    why = f"the norm had grown from {figure(grown.usual)} to {figure(grown.last)} before"
    return (CLIP.remedy_because(why, facts.seen.models_at(found.site), figure(2 * grown.usual, 2)),)


def _grows_from_start(facts: Facts, found: NonFinite) -> bool:
    """Whether the norm grew from the first steps of the run until it broke, and nothing clips it."""
    grown = facts.growth_before(found)
    return grown is not None and grown.usual is None


def _unknown(facts: Facts, found: NonFinite) -> tuple[Remedy, ...]:
    """How to find out, where no more than the phase is known."""
    if found.phase == "backward":
        return (NAME_OPERATION.remedy(),)
    if found.phase == "forward" and found.time_step is not None:
        return _for_growth(facts, found)
    if found.phase == "parameters":
        return (LOWER_RATE.remedy_because("an earlier update made the weights non-finite", 10.0),)
    if found.phase == "input":
        return (CHECK_DATA.remedy(),)
    why = "a look reads the whole graph of a loss that is not finite"
    return (LOOK_MORE_OFTEN.remedy_because(why, facts.record.run.script),)


def kind_at(facts: Facts, found: NonFinite) -> str:
    """The kind of the recurrent module where it arose; empty where that was never looked at through time."""
    kinds = (seen.kind for look in facts.record.looks for seen in look.time if seen.module == found.module)
    return next(kinds, "")

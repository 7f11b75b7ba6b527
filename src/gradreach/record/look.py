"""What was seen on one watched step, as frozen dataclasses: what each lens makes, and the look that holds it all.

Norms are 2-norms of gradients already divided by the loss scale. A figure that could not be measured is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

HORIZON_LIMIT = 0.01
"""The value of r(ℓ) that a lag must have, with every lag before it, to lie within the horizon."""

Direction = Literal["forward", "reverse"]


@dataclass(frozen=True, slots=True)
class TimeLook:
    """One direction of one recurrent layer on one watched step. Lags ℓ index `reach`, `lag_share`, `truncation_bias`.

    `reach[ℓ]` is r(ℓ), r(0) = 1; `truncation_bias[k]` is b(k), b(0) = 1. `adjoint[k]` is the batch mean of ‖δ_k‖ and
    `local_error[k]` that of ‖e_k‖, both in time order of the data. `exact` says that the replayed output equals the
    layer's to 1e-6 relative, `why_inexact` what differs. `anchors` steps t carry the reach map, on which `reach`,
    `lag_share` and `truncation_bias` rest: all with a local error, unless `sampled` says which share. `gradient_error`
    is the relative difference of the parameter gradients that follow from those of the script.
    `gamma` is the activation's bound, `gamma_mean` the measured mean of its derivative, `lambda_` and `rho` the
    spectral norm and radius of W_hh, `bound_factor` γλ per step; None where the kind of cell has no such figure.
    `factor` is exp of the slope of log r(ℓ). `saturated` is the share of activations under 5 % of their largest slope.
    `log10_map[i][j]` is log10 R[t, k] for t = `map_rows[i]` and k = `map_columns[j]`, steps in time order of the data;
    None where nothing comes. `padded` is the share of the steps that come after the last one with an error of their
    row: padding, where the loss leaves it out; None where it is not known.
    """

    module: str
    kind: str
    layer: int
    direction: Direction
    T: int
    batch: int
    hidden: int
    horizon: int
    factor: float | None
    reach: tuple[float, ...]
    lag_share: tuple[float, ...]
    truncation_bias: tuple[float, ...]
    adjoint: tuple[float, ...]
    local_error: tuple[float, ...]
    anchors: int
    exact: bool
    why_inexact: str = ""
    sampled: str = ""
    gradient_error: float | None = None
    gamma: float | None = None
    gamma_mean: float | None = None
    lambda_: float | None = None
    rho: float | None = None
    bound_factor: float | None = None
    lyapunov: tuple[float, ...] = ()
    saturated: float | None = None
    log10_map: tuple[tuple[float | None, ...], ...] = ()
    map_rows: tuple[int, ...] = ()
    map_columns: tuple[int, ...] = ()
    padded: float | None = None

    @property
    def farthest(self) -> int:
        """The largest lag that any error can be carried back over: from the last step that has one, in the direction of
        the recurrence, to the first step. T − 1 where the last step has one, and where none is known."""
        carrying = [t for t, size in enumerate(self.local_error) if size > 0.0]
        if not carrying:
            return self.T - 1
        last = max(carrying) if self.direction == "forward" else self.T - 1 - min(carrying)
        return max(last, max((lag for lag, r in enumerate(self.reach) if r > 0.0), default=0))


@dataclass(frozen=True, slots=True)
class DepthLook:
    """One leaf module on one watched step; `order` is its first call's place in the execution order, from 0.

    Over all `calls` of the module: rms of its output and of the gradient that reached that output, the 2-norms of its
    own parameters and of their gradients, and ‖Δw‖ / ‖w‖ of the update that followed. `activation` is the one that the
    module is or that follows it: of that the `saturated` share (tanh, logistic) and the `dead` share of its `units`
    (ReLU at zero for the whole batch), from `rows` values of each.
    """

    module: str
    kind: str
    order: int
    calls: int
    activation_rms: float | None = None
    grad_rms: float | None = None
    activation: str = ""
    saturated: float | None = None
    dead: float | None = None
    units: int = 0
    rows: int = 0
    parameters: int = 0
    weight_norm: float | None = None
    weight_grad_norm: float | None = None
    update_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class GivenData:
    """How large the script's own data are that one layer with weights was given on one watched step.

    `rms` is that of all values, `largest` and `middle` are the largest and the median rms of its `features`.
    """

    module: str
    kind: str
    rms: float
    largest: float
    middle: float
    features: int


ReadAlong = Literal["steps", "entries", "blocks", "other"]
"""How the rows of a loss read a layer: row i reads what the layer put out at its step i; what it put out for its entry
i; neighbours in memory, which belong to several entries; in another way."""


@dataclass(frozen=True, slots=True)
class RowReading:
    """How the rows of the loss read the last layer that goes through sequences, on one watched step.

    The layer was told `batch_first` or not, and so went over `steps` steps of each of `entries` sequences. The loss has
    `rows` rows, each of which reads `read` entries. `scrambled` says that a view exchanged the first two axes of what
    the layer takes in, so that its entries are made of pieces of several. `one_each` says that a module put out just
    one value, or one vector, for each of the rows.
    """

    module: str
    kind: str
    batch_first: bool
    steps: int
    entries: int
    rows: int
    along: ReadAlong
    read: int
    scrambled: bool
    one_each: bool


@dataclass(frozen=True, slots=True)
class Padding:
    """Padding in the data of one recurrence of T steps on one watched step: one value at an end of the rows.

    It stands at their end, or else `at_end` is False and it stands at their start. `rows` is the share of the rows that
    have any, `share` that of all steps, `median` its median length in these rows.
    """

    module: str
    T: int
    at_end: bool
    rows: float
    share: float
    median: float


@dataclass(frozen=True, slots=True)
class Probe:
    """How far back the input still moves the error of a model without a recurrence, on one watched step.

    `reach[ℓ]` is r(ℓ), r(0) = 1, of ‖∂L_t/∂x_{t−ℓ}‖: from backward passes from the errors at `anchors` steps t at the
    output of `module` to the embedding of the input. T is the length of the sequences.
    """

    module: str
    T: int
    horizon: int
    reach: tuple[float, ...]
    anchors: int


ZeroCause = Literal[
    "flat",
    "off",
    "saturated",
    "single",
    "derivative",
    "weights",
    "input",
    "factor",
    "unused",
    "underflow",
    "empty",
    "unknown",
    "untraced",
]
"""Why a gradient became exactly 0: a step function; every value on the side of slope 0; a slope that rounds to 0; a
normalisation over a single value; a derivative of a function of straight pieces; weights, an input or another factor
that are all 0; a part of an output that nothing uses; too small for the number format; no row at all; an operation that
says none of it; one that was not sought."""


@dataclass(frozen=True, slots=True)
class ZeroGradient:
    """Parameters that one watched step gave a gradient of exactly 0, and the operation at which it became so.

    With `why` "derivative" it may be a term of the loss alone that gives them none.

    They hold `elements` of the `of` numbers that the step's loss trains. `operation` stands in the forward of `module`,
    of class `kind`, and works on what `behind` put out; both are empty where the script itself calls it. `share` is the
    part of its values at which its slope is 0, where that was counted.
    """

    parameters: tuple[str, ...]
    elements: int
    of: int
    operation: str = ""
    why: ZeroCause = "untraced"
    share: float | None = None
    module: str = ""
    kind: str = ""
    behind: str = ""


@dataclass(frozen=True, slots=True)
class DetachedState:
    """A module that one watched step called `calls` times, one step of a sequence each.

    At `cut` of its hand-overs it was given the numbers that the call before had put out, without a path for the
    gradient; at `joined` with one.
    """

    module: str
    kind: str
    calls: int
    cut: int
    joined: int


LossKind = Literal[
    "cross entropy",
    "cross entropy on probabilities",
    "negative log-likelihood",
    "binary cross entropy",
    "binary cross entropy on logits",
    "squared error",
    "absolute error",
    "product",
]
"""How an output of the model is held against a target. "product": by a factor of the script's own, such as an
advantage."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How numbers lie: the lowest, the highest, the mean, and the standard deviation within the columns (over the
    rows, the first dimension), pooled over the columns."""

    low: float
    high: float
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class LossLook:
    """One operation by which a loss holds an output of the model against a target, on one watched step.

    The comparison has `shape`; what the model gave to it `output_shape`, the target `target_shape`, both without what
    broadcasting added; the target's is None where the script subtracts it by hand. `last` is the operation that
    computed the output ("softmax", "matrix product") and `module` the module that returned it, empty where none did.
    `is_whole` says that the loss is the mean over this comparison and nothing else.

    `outputs` and `targets` are their numbers, of a cross entropy the logarithms of the probabilities; `counts` how
    often each class was the target. `outside` is the share of the targets that lie outside of what `last` can give, and
    `floor` the loss that is left for that alone. `guess` is the loss of the best constant guess on this step, of a
    squared error from the unbiased variance; `value` what the comparison came to, at its mean. Both are None where they
    cannot be known. `apart` is how far the logits of one row lie apart at most, of a cross entropy.
    """

    kind: LossKind
    shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    target_shape: tuple[int, ...] | None = None
    last: str = ""
    module: str = ""
    is_whole: bool = False
    outputs: Spread | None = None
    targets: Spread | None = None
    counts: tuple[int, ...] = ()
    outside: float | None = None
    floor: float | None = None
    guess: float | None = None
    value: float | None = None
    apart: float | None = None

    @property
    def is_square(self) -> bool:
        """Whether broadcasting made a square of two rows: each output is held against every target."""
        size = self.shape[-1:]
        if len(self.shape) < 2 or size != self.shape[-2:-1] or size[0] < 2 or self.output_shape == self.shape:
            return False
        sides = (self.output_shape, self.target_shape or self.output_shape)
        return all(prod(side) * size[0] == prod(self.shape) for side in sides)


@dataclass(frozen=True, slots=True)
class OutputLook:
    """What a root module put out on one watched step, for `rows` samples: its rms, and the `deviation` from row to row,
    pooled over the columns. Of several calls the last."""

    module: str
    rows: int
    rms: float
    deviation: float


@dataclass(frozen=True, slots=True)
class GraphLook:
    """The graph of one watched step: of its `nodes` those `older` than the end of the look before at the same line.

    `since` is the step of the first look at that line that ended after the graph's oldest node was made; None where
    all of it is new. The graph is `whole` unless it was too large to be walked to its end.
    """

    nodes: int
    older: int = 0
    since: int | None = None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class HiddenPart:
    """A module or parameter that a model keeps in a container of Python's own, so that `parameters()` is without it.

    It is named as a script reaches it. `parameters` of it, of `elements` numbers, got a gradient. `moved` says whether
    they hold others than at the look before; None at the first.
    """

    name: str
    kind: str
    parameters: int
    elements: int
    moved: bool | None = None


@dataclass(frozen=True, slots=True)
class FleetingPart:
    """A module with weights that was made `inside` of the forward pass of another, got a gradient, and is held by
    nothing; those of the look before were gone."""

    kind: str
    inside: str
    parameters: int


@dataclass(frozen=True, slots=True)
class SteppedState:
    """A recurrent module of torch that one watched step called `calls` times, one step of a sequence each.

    At `same` of its hand-overs it was given the very state that the call before was given too: `is_given`, or none.
    """

    module: str
    kind: str
    calls: int
    same: int
    is_given: bool


@dataclass(frozen=True, slots=True)
class OptimizerSteps:
    """What torch's optimizers did between a look's backward pass and the next pass.

    They made `steps`. Of the parameters with a gradient they `held` these; those among them that are `empty` had a
    gradient of None or 0 by then. `rate` is the largest learning rate of theirs. The gradients of those that are `left`
    stood there still when the next pass began, though nothing had stepped by them. `is_discarded` says that there was
    no step, and that no gradient of the pass was left.
    """

    steps: int
    held: tuple[str, ...]
    empty: tuple[str, ...]
    rate: float
    left: tuple[str, ...] = ()
    is_discarded: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """All that was seen on one watched step.

    `without_gradient` names the trainable parameters of the models that ran on it whose gradient was None after
    backward; `set_otherwise` those of them that something else than a gradient sets: they moved since the look before,
    hold the values of a parameter that has a gradient, or the loss was computed with other tensors in their place.
    `called_without_gradient` names the modules with parameters that were called where gradients are switched off.
    `zero_gradient` are the parameters that the loss leads to and whose gradient was exactly 0. `detached_states` are
    the modules whose recurrent state came back to them without its history, `stepped_states` those that take one step a
    call. `unmoved` names the parameters with a gradient that hold the values of the look before; `moved` says whether
    anything that the loss leads to holds others.
    `losses` are the comparisons that the loss is made of, `outputs` what the root modules put out.
    `uncleared` names the parameters whose gradient, which made the update after this look, was still there at the next
    one; `cleared` those whose gradient was gone by then. `stepped` is what optimizers did in between, where torch
    tells of it.
    `fleeting` are the modules that the pass made for itself.
    `hidden` are the parts with a gradient that are out of the sight of `parameters()`. `graph` is the graph's size and
    age. `given` are the sizes of the script's data, by the layer that takes them in; `readings` say along which axis
    the loss reads a layer; `padding` is what the data of a recurrence are filled up with. `same_rows` is the number of
    rows of the batch where all that the models were given is the same in each, else 0.
    `update` is ‖Δw‖ of all weights together where an update followed; `seconds` is what the look cost.
    """

    step: int
    site: int
    seconds: float
    time: tuple[TimeLook, ...] = ()
    depth: tuple[DepthLook, ...] = ()
    without_gradient: tuple[str, ...] = ()
    set_otherwise: tuple[str, ...] = ()
    called_without_gradient: tuple[str, ...] = ()
    zero_gradient: tuple[ZeroGradient, ...] = ()
    detached_states: tuple[DetachedState, ...] = ()
    stepped_states: tuple[SteppedState, ...] = ()
    unmoved: tuple[str, ...] = ()
    moved: bool = False
    uncleared: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    stepped: OptimizerSteps | None = None
    hidden: tuple[HiddenPart, ...] = ()
    fleeting: tuple[FleetingPart, ...] = ()
    graph: GraphLook | None = None
    skip_connections: bool = False
    update: float | None = None
    probes: tuple[Probe, ...] = ()
    losses: tuple[LossLook, ...] = ()
    outputs: tuple[OutputLook, ...] = ()
    given: tuple[GivenData, ...] = ()
    readings: tuple[RowReading, ...] = ()
    padding: tuple[Padding, ...] = ()
    same_rows: int = 0

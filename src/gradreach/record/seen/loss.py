"""What was seen of the loss and of the model's outputs on one watched step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import prod
from typing import Literal

LossKind = Literal[
    "cross entropy",
    "cross entropy on probabilities",
    "negative log-likelihood",
    "binary cross entropy",
    "binary cross entropy on logits",
    "squared error",
    "absolute error",
    "divergence",
    "product",
]
"""How an output of the model is held against a target. "divergence": of Kullback and Leibler, from probabilities that
are no logarithms; from logarithms it is a cross entropy. "product": by a factor of the script's own, such as an
advantage."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How numbers lie: the lowest, the highest, the mean, and the standard deviation within the columns (over the
    rows, the first dimension), pooled over the columns."""

    low: float
    high: float
    mean: float
    deviation: float

    @property
    def rms(self) -> float:
        """Their root mean square, as if each column lay about the same mean."""
        return math.hypot(self.mean, self.deviation)


Normalisation = Literal["instance norm", "batch norm", "layer norm", "group norm"]
"""What gives numbers mean 0 and deviation 1: over each channel of a row, over the batch, over a row, over channels."""


@dataclass(frozen=True, slots=True)
class NormedOutput:
    """An output that comes straight from a normalisation: how many numbers it takes together, and the `least` mean that
    the comparison can come to on the targets of this step; where the output `is_scaled`, with the scale and the shift
    that the normalisation has by then."""

    by: Normalisation
    size: int
    least: float
    is_scaled: bool = False


@dataclass(frozen=True, slots=True)
class PaddedRows:
    """The rows of a comparison at places where the input is padding, and the target the same at all of them.

    `share` is their part of all rows, `loss` what the comparison came to on them and `others` on the other rows, at
    their means. Of the others, `guess` is what the best constant for each column gets on this step, `counts` how often
    each class was the target. `label` is the class at the padding; `elsewhere` says that others have that target too.
    """

    share: float
    loss: float
    others: float
    guess: float | None = None
    counts: tuple[int, ...] = ()
    label: int | None = None
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class LayerGrowth:
    """A product with trained weights on the way to an output, at the first look at it.

    `weight` is the parameter's name, empty where no module owns it, and `fan_in` how many numbers of the input one of
    the output is a sum of. `is_drawn` says that the weights look as if drawn from one distribution: their rows are of
    one size up to chance, and so are their columns. The rms is of the weights, of what they are multiplied with, and of
    the product without a bias.
    """

    weight: str
    shape: tuple[int, ...]
    fan_in: int
    weight_rms: float
    is_drawn: bool
    input_rms: float
    output_rms: float

    @property
    def factor(self) -> float:
        """By how much the signal grows here."""
        return self.output_rms / self.input_rms if self.input_rms else 0.0

    @property
    def scale(self) -> float:
        """The weights' rms times √fan_in: what weights drawn at random are expected to make the signal grow by."""
        return self.weight_rms * math.sqrt(self.fan_in)


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
    cannot be known. `apart` is how far the logits of one row lie apart at most, of a cross entropy. `is_turned` says
    that the loss falls where the comparison rises, `has_negative_weights` that it weighs some of it below 0. `weights`
    are what the classes count, in their order; of a binary cross entropy 1 and the weight of the positives. `term` is
    the number of the term of the loss, from 1, that it stands in; `terms` is how many there are, 0 where the comparison
    is not the whole of its own. `padded` are its rows at padding, where the loss takes them in like any other.
    `growths` are the products on the way to the output, in their order, at the first look alone. `ignored` is the class
    that `ignore_index` leaves out, where one of its targets comes. `normed` is the normalisation that the output comes
    straight from, if so.
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
    is_turned: bool = False
    has_negative_weights: bool = False
    weights: tuple[float, ...] = ()
    term: int = 1
    terms: int = 0
    ignored: int | None = None
    padded: PaddedRows | None = None
    growths: tuple[LayerGrowth, ...] = ()
    normed: NormedOutput | None = None

    @property
    def is_weighed(self) -> bool:
        """Whether each row is multiplied by a factor of its own: only such products of one shape are kept as have
        factors of both signs."""
        return self.kind == "product" and self.shape == self.output_shape

    @property
    def is_square(self) -> bool:
        """Whether broadcasting made a square of two rows: each output is held against every target."""
        size = self.shape[-1:]
        if len(self.shape) < 2 or size != self.shape[-2:-1] or size[0] < 2 or self.output_shape == self.shape:
            return False
        sides = (self.output_shape, self.target_shape or self.output_shape)
        return all(prod(side) * size[0] == prod(self.shape) for side in sides)


@dataclass(frozen=True, slots=True)
class Alignment:
    """A CTC loss on one watched step: the class that it takes for the blank, and how often each class was a target.

    Of the targets that are the blank `at_end` stand at the end of their row, and `between` in rows where the blank
    stands between any two others. `off` is how far the logarithm of the sum of exponentials at a frame lies from 0,
    where it is of log-probabilities, at the mean; `last` is the operation that computed the numbers, and `are_shares`
    says that they are probabilities themselves.
    """

    blank: int
    counts: tuple[int, ...]
    at_end: int = 0
    between: int = 0
    off: float = 0.0
    last: str = ""
    are_shares: bool = False

    @property
    def blanks(self) -> int:
        """How many targets are the blank."""
        return self.counts[self.blank] if 0 <= self.blank < len(self.counts) else 0


@dataclass(frozen=True, slots=True)
class LossTerm:
    """One term of a loss that is a sum, on one watched step: at the parameters that it shares with other terms the norm
    of its `own` gradient, and that of the gradient of all the `others` together; 0 where it shares none."""

    own: float
    others: float


@dataclass(frozen=True, slots=True)
class LeakyFactor:
    """An output that an error holds against targets and that also stands, with its gradient, in what log-probabilities
    are multiplied with, on one watched step. `module` computed it, `policy` what the log-probabilities are of; both are
    empty where no module did.

    At the output, the gradient that comes by the log-probabilities' factor has the norm `pull`, and that of the error
    the norm `own`. The factors go from `low` to `high`.
    """

    module: str
    policy: str
    pull: float
    own: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LossConstant:
    """What of a loss has no gradient: the `value` that was added to it, of the `whole`, on one watched step."""

    value: float
    whole: float


@dataclass(frozen=True, slots=True)
class PenaltyAlone:
    """What leads to a loss by penalties alone on one watched step: the `modules` whose outputs these hold, and all
    `parameters` that the loss leads to through them only.

    `mean` and `log_variance` are the modules that put out those of a Gaussian, where its divergence from the normal one
    is such a penalty; both are empty elsewhere.
    """

    modules: tuple[str, ...]
    parameters: tuple[str, ...]
    mean: str = ""
    log_variance: str = ""


@dataclass(frozen=True, slots=True)
class OutputLook:
    """What a root module put out on one watched step, for `rows` samples: its rms, and the `deviation` from row to row,
    pooled over the columns. Of several calls the last."""

    module: str
    rows: int
    rms: float
    deviation: float


@dataclass(frozen=True, slots=True)
class CopiedTargets:
    """Targets that are the ids which an embedding, `module`, was given on one watched step, so many places `ahead`.

    There are `places` in rows of `steps`. With 0 ahead one of them was seen to read its own id, and none behind it, if
    the loss asks for all; or its own among any others, if the places asked are `picked`, here and there in a row. With
    1, two of them were seen to read the next one, far more than a place does that is asked for another. With 2, no
    comparison asks for the next one.
    """

    module: str
    steps: int
    places: int
    ahead: int = 0
    picked: bool = False


@dataclass(frozen=True, slots=True)
class TargetOrder:
    """How well the targets of a loss fit the ids (F, S) that an embedding, `module`, was given, on one watched step.

    The loss has a row for each place of the ids; `is_along_ids` says that its rows, as single ones were seen to read,
    go through one row of the ids before the next, else through one column. `given` is how many deviations the tie of
    the id at a row's place to its target, √(2 n I), lies above that of ids moved along both axes, `turned` the same of
    the targets in the other order.
    """

    module: str
    shape: tuple[int, ...]
    is_along_ids: bool
    given: float
    turned: float

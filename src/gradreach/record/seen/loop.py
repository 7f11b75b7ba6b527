"""What was seen of the training's loop on one watched step: what it keeps, and what it does with the gradients."""

from __future__ import annotations

from dataclasses import dataclass

from gradreach.record.seen.half import RoundedStep
from gradreach.record.seen.subnormal import SubnormalPlace


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
class Decay:
    """What an optimizer's weight decay does to one weight matrix at a step, beside what the gradient does.

    `weights` is its norm. Where `is_decoupled`, the decay moves it `by_decay` and the rest of the step `by_gradient`;
    elsewhere these are the norms of what the decay adds to the gradient, and of the gradient.
    """

    name: str
    weight_decay: float
    weights: float
    by_decay: float
    by_gradient: float
    is_decoupled: bool = False


@dataclass(frozen=True, slots=True)
class ValueClip:
    """One call of the script's that limits each element of some gradients to ±`threshold`.

    `norm` is their norm before it, `left` the one after. It cuts `cut` of the `elements` that are not 0.
    """

    threshold: float
    norm: float
    left: float
    cut: int
    elements: int


@dataclass(frozen=True, slots=True)
class Epsilon:
    """The `eps` of one group of an `optimizer` like Adam, beside the roots of the second moments that it is added to.

    `root` is the median of those that are not 0, `below` the share of them that are smaller than eps; `elements` is how
    many weights were stepped, at a learning rate of `rate`.
    """

    optimizer: str
    eps: float
    root: float
    below: float
    elements: int
    rate: float


@dataclass(frozen=True, slots=True)
class AnewOptimizer:
    """An `optimizer`, as torch calls it, that keeps a state of the parameters `names` and began with none of them.

    So did another at the step after the look before: the state is thrown away from step to step. `rate` and `momentum`
    are those that the first parameter is stepped at.
    """

    optimizer: str
    names: tuple[str, ...]
    rate: float
    momentum: float = 0.0


@dataclass(frozen=True, slots=True)
class OptimizerSteps:
    """What torch's optimizers did between a look's backward pass and the next pass.

    They made `steps`. Of the parameters with a gradient they `held` these; those among them that are `empty` had a
    gradient of None or 0 by then. `rate` is the largest learning rate of theirs. The gradients of those that are `left`
    stood there still when the next pass began, though nothing had stepped by them. `is_discarded` says that there was
    no step, and that no gradient of the pass was left. `idle` counts the parameters of those optimizers none of whose
    parameters had a gradient, neither from the pass nor when they stepped. `decays` tell of
    the weights that a decay pulls at. `optimizers` names the kinds that stepped by gradients of the pass, as torch
    does where it knows them. `value_clips` are the calls that limited elements of gradients before the first step.
    `epsilons` tell of the eps of optimizers like Adam. `anew` are the optimizers that are made anew at each step.
    `rounded` tells what rounding left of steps over weights in half precision.
    `subnormals` are the states of theirs that hold numbers below the smallest normal one.
    """

    steps: int
    held: tuple[str, ...]
    empty: tuple[str, ...]
    rate: float
    left: tuple[str, ...] = ()
    is_discarded: bool = False
    idle: int = 0
    decays: tuple[Decay, ...] = ()
    optimizers: tuple[str, ...] = ()
    value_clips: tuple[ValueClip, ...] = ()
    epsilons: tuple[Epsilon, ...] = ()
    anew: tuple[AnewOptimizer, ...] = ()
    rounded: tuple[RoundedStep, ...] = ()
    subnormals: tuple[SubnormalPlace, ...] = ()


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
class UnheardBackward:
    """A module on the way to the loss whose class has a method `backward` for a gradient: autograd calls none."""

    module: str
    kind: str


@dataclass(frozen=True, slots=True)
class Dropping:
    """A module that drops a share `p` of what passes through it, half at least, as it did on one watched step."""

    module: str
    kind: str
    p: float


@dataclass(frozen=True, slots=True)
class Mode:
    """Dropouts, or batch norms that keep statistics (`norms`), of one model that ran alike on one watched step.

    They were in `training` mode or in evaluation mode; `evaluates` says that the whole model was in the latter. Batch
    norms with `momentum` 0 follow no batch; `blank` ones hold the statistics that they began with, 0 and 1. `modules`
    is how many there were.
    """

    model: str
    norms: bool
    training: bool
    evaluates: bool
    momentum: float | None = None
    blank: bool = False
    modules: int = 1


@dataclass(frozen=True, slots=True)
class CutOutput:
    """On one watched step the model `judge` was given what the model `source` put out, but never with the graph that
    leads back to it."""

    source: str
    judge: str


@dataclass(frozen=True, slots=True)
class DiscardedResult:
    """A call of a module at a `line` that reads nothing of what it returned, and from which nothing goes to the loss.

    What it was given goes there. `name` is the variable that takes the result and is never read, empty where none does.
    `fits` says that the result has the shape of what went in, so that it could stand in its place.
    """

    module: str
    kind: str
    line: str
    name: str = ""
    fits: bool = True


@dataclass(frozen=True, slots=True)
class DiscardedOperation:
    """A statement of the script's, `code`, at a `line`, that makes a new tensor by an `operation` that changes nothing,
    and throws it away.

    `subject` is the variable that what follows goes on with as it was, empty where it is not known. `fits` says that
    the result could stand in its place, or that its shape is what the operation changes. `is_idle` says that what the
    subject is read for afterwards need not be the loss.
    """

    line: str
    code: str
    operation: str
    subject: str = ""
    fits: bool = True
    is_idle: bool = False


@dataclass(frozen=True, slots=True)
class CutPass:
    """A backward pass that raised, before which `modules` of the class `root` ran where gradients are switched off."""

    step: int
    root: str
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MissedLoad:
    """A call of `load_state_dict(…, strict=False)` that took next to nothing of what it was given.

    `module` is the module that it was called on, which is trained afterwards, or its root; `line` is the script's, and
    `step` the first backward pass after the call. Of `given` names `taken` are the module's own. With the tensors under
    the key `under`, empty where they stand at the top, and `prefix` in their names replaced by `wanted`, `fits` of them
    would be taken, in name and shape; 0 where no such change is known. `example` is a name that was given, `own` one
    that the module has.
    """

    module: str
    line: str
    step: int
    given: int
    taken: int
    under: str = ""
    prefix: str = ""
    wanted: str = ""
    fits: int = 0
    example: str = ""
    own: str = ""


@dataclass(frozen=True, slots=True)
class SpentLoader:
    """A DataLoader over which a line of the script went again and again without a batch, once it had given some.

    Of `passes` over it the first without a batch was pass number `first`, from 1; the `empty` last ones had none, and
    no backward pass ran between them: the run had come to `step` by then, of which `steps` were made since the first
    of these passes began. `part` is what hands out no more, "batch_sampler", "sampler" or "dataset", of the class
    `kind`; `is_iterator` says that it can be gone through once alone, and `function` names that of a generator. A
    loader that gives again has `empty` 0.
    """

    line: str
    passes: int
    first: int
    empty: int
    step: int
    steps: int
    part: str
    kind: str
    is_iterator: bool
    function: str = ""

"""All that was seen on one watched step; its parts are in `seen`."""

from __future__ import annotations

from dataclasses import dataclass

from gradreach.record.seen.data import (
    AddedMask,
    CountedRows,
    GivenData,
    IdleMask,
    InvertedMask,
    MixedByView,
    Padding,
    RowReading,
    SoftmaxAxis,
)
from gradreach.record.seen.depth import DepthLook, SingleValues
from gradreach.record.seen.half import Underflow
from gradreach.record.seen.loop import (
    CutOutput,
    DiscardedOperation,
    DiscardedResult,
    Dropping,
    FleetingPart,
    GraphLook,
    HiddenPart,
    Mode,
    OptimizerSteps,
    UnheardBackward,
)
from gradreach.record.seen.loss import (
    Alignment,
    CopiedTargets,
    LeakyFactor,
    LossConstant,
    LossLook,
    LossTerm,
    OutputLook,
    PenaltyAlone,
    TargetOrder,
)
from gradreach.record.seen.recurrence import ChunkSeam, DetachedState, Probe, SteppedState, TimeLook
from gradreach.record.seen.subnormal import SubnormalLook
from gradreach.record.seen.weights import CopiedUnits, LinearMaps
from gradreach.record.seen.zero_gradient import ZeroGradient


@dataclass(frozen=True, slots=True)
class Look:
    """All that was seen on one watched step.

    It was taken at the backward pass number `at_pass` of the step, from 1; where several make a step, the gradients are
    the sum so far. `single_values` are the normalisations that run over one value each.
    `without_gradient` names the trainable parameters of the models that ran on it whose gradient was None after
    backward; `set_otherwise` those of them that something else than a gradient sets: they moved since the look before,
    hold the values of a parameter that has a gradient, or the loss was computed with other tensors in their place.
    `called_without_gradient` names the modules with parameters that were called where gradients are switched off.
    `zero_gradient` are the parameters that the loss leads to and whose gradient was exactly 0. `detached_states` are
    the modules whose recurrent state came back to them without its history, `stepped_states` those that take one step a
    call. `chunk_seam` is where the chunk met that of the step before, where the data tell. `unmoved` names the
    parameters with a gradient that hold the values of the look before; `moved` says whether anything that the loss
    leads to holds others.
    `losses` are the comparisons that the loss is made of, `alignments` its CTC losses, `loss_terms` the terms that it
    is the sum of, on some looks, and `loss_constant` what was added to it that has no gradient, where that is known;
    `leaky_factor` is an output that is held against targets and weighs log-probabilities too;
    `penalty_alone` is what it leads to by penalties alone; `cut_outputs` are what models were given of one another
    without its graph;
    `copied_targets` those whose targets are what the model is just given, `target_orders` how targets fit the ids in
    either order of batch and time, of the first looks alone; `outputs` what the root modules put out.
    `uncleared` names the parameters whose gradient, which made the update after this look, was still there at the next
    one; `cleared` those whose gradient was gone by then. `stepped` is what optimizers did in between, where torch
    tells of it.
    `fleeting` are the modules that the pass made for itself, `discarded` the calls of modules whose results nothing
    reads, `discarded_operations` the statements that make a tensor and throw it away; `modes` say in which mode models
    ran, `dropping` what drops half of what passes or more, `unheard` are modules with a backward pass of their own that
    autograd does not know.
    `hidden` are the parts with a gradient that are out of the sight of `parameters()`. `graph` is the graph's size and
    age. `given` are the sizes of the script's data, by the layer that takes them in; `readings` say along which axis
    the loss reads a layer, `mixed_by_views` and `softmaxes`, of the first looks alone, whether rows of the batch mix;
    `padding` is what the data of a recurrence are filled up with, `inverted_masks` are attentions to padding alone, and
    `idle_masks` masks that shut nothing out, by their value, as do `added_masks`, by what they add;
    `counted_rows` are codes of places that count the rows of the batch, of the first looks alone.
    `same_rows` is the number of rows of the batch where all that the models were given is the same in each, else 0.
    `copied_units` are the layers whose units have twins, `linear_maps` those that follow one another with nothing
    between them that is not linear.
    `underflow` is what the backward pass lost below the smallest number of float16, on some looks.
    `subnormals` says where numbers below the smallest normal one are, and what they cost; None where nothing is on a
    CPU.
    `update` is ‖Δw‖ of all weights together where an update followed; `seconds` is what the look cost.
    """

    step: int
    site: int
    seconds: float
    time: tuple[TimeLook, ...] = ()
    depth: tuple[DepthLook, ...] = ()
    single_values: tuple[SingleValues, ...] = ()
    without_gradient: tuple[str, ...] = ()
    set_otherwise: tuple[str, ...] = ()
    called_without_gradient: tuple[str, ...] = ()
    zero_gradient: tuple[ZeroGradient, ...] = ()
    detached_states: tuple[DetachedState, ...] = ()
    stepped_states: tuple[SteppedState, ...] = ()
    chunk_seam: ChunkSeam | None = None
    unmoved: tuple[str, ...] = ()
    moved: bool = False
    uncleared: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    stepped: OptimizerSteps | None = None
    hidden: tuple[HiddenPart, ...] = ()
    fleeting: tuple[FleetingPart, ...] = ()
    discarded: tuple[DiscardedResult, ...] = ()
    discarded_operations: tuple[DiscardedOperation, ...] = ()
    modes: tuple[Mode, ...] = ()
    dropping: tuple[Dropping, ...] = ()
    unheard: tuple[UnheardBackward, ...] = ()
    graph: GraphLook | None = None
    skip_connections: bool = False
    update: float | None = None
    probes: tuple[Probe, ...] = ()
    losses: tuple[LossLook, ...] = ()
    alignments: tuple[Alignment, ...] = ()
    loss_terms: tuple[LossTerm, ...] = ()
    loss_constant: LossConstant | None = None
    leaky_factor: LeakyFactor | None = None
    penalty_alone: PenaltyAlone | None = None
    cut_outputs: tuple[CutOutput, ...] = ()
    copied_targets: CopiedTargets | None = None
    target_orders: tuple[TargetOrder, ...] = ()
    outputs: tuple[OutputLook, ...] = ()
    given: tuple[GivenData, ...] = ()
    readings: tuple[RowReading, ...] = ()
    mixed_by_views: tuple[MixedByView, ...] = ()
    softmaxes: tuple[SoftmaxAxis, ...] = ()
    padding: tuple[Padding, ...] = ()
    inverted_masks: tuple[InvertedMask, ...] = ()
    idle_masks: tuple[IdleMask, ...] = ()
    added_masks: tuple[AddedMask, ...] = ()
    counted_rows: tuple[CountedRows, ...] = ()
    same_rows: int = 0
    copied_units: tuple[CopiedUnits, ...] = ()
    linear_maps: tuple[LinearMaps, ...] = ()
    underflow: Underflow | None = None
    subnormals: SubnormalLook | None = None
    at_pass: int = 1

"""For each rule one record, or one for each of its formulas, in which it speaks."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from gradreach.record.kinds import DECAY_LOOP, LOOP
from gradreach.record.look import Look
from gradreach.record.schema import NonFinite, Record, Step
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
from gradreach.record.seen.half import RoundedStep, Underflow
from gradreach.record.seen.loop import (
    AnewOptimizer,
    CutOutput,
    Decay,
    DiscardedOperation,
    DiscardedResult,
    Dropping,
    Epsilon,
    FleetingPart,
    GraphLook,
    HiddenPart,
    MissedLoad,
    Mode,
    OptimizerSteps,
    SpentLoader,
    UnheardBackward,
    ValueClip,
)
from gradreach.record.seen.loss import (
    Alignment,
    CopiedTargets,
    LayerGrowth,
    LeakyFactor,
    LossConstant,
    LossKind,
    LossLook,
    LossTerm,
    NormedOutput,
    OutputLook,
    PaddedRows,
    PenaltyAlone,
    Spread,
    TargetOrder,
)
from gradreach.record.seen.recurrence import ChunkSeam, DetachedState, SteppedState
from gradreach.record.seen.subnormal import SubnormalLook, SubnormalPlace
from gradreach.record.seen.weights import CopiedUnits, LinearMaps

from .parts import (
    activation,
    at,
    between,
    chain,
    dependency,
    depth_look,
    falling,
    first_step,
    flat,
    free,
    lag,
    record,
    steps,
    stopped,
    time_look,
    zero_gradient,
)


def _clipped(count: int = 200) -> tuple[Step, ...]:
    return tuple(replace(step, norm=40.0 + i % 5, threshold=0.25, clip="norm") for i, step in enumerate(steps(count)))


def _spiked(size: float, harmed: bool) -> tuple[Step, ...]:
    """A norm of 2 with a single larger one at step 120, after which the loss stays up or comes back at once."""

    def loss(i: int) -> float:
        return 300.0 if i == 120 else falling(i) + (3.0 if harmed and i > 120 else 0.0)

    return steps(200, lambda i: size if i == 120 else 2.0 + 0.1 * (i % 3), loss)


def blown(times: float, loss: float) -> tuple[Step, ...]:
    """A norm of 3 and a loss of 2 that grow to so many times as much over the last quarter."""

    def grown(i: int, start: float, by: float) -> float:
        return float(start * by ** max((i - 74) / 25, 0.0))

    return steps(100, lambda i: grown(i, 3.0, times), lambda i: grown(i, 2.0, loss))


STATES_VIEWED = MixedByView(
    *("model.encoder", "Encoder", "model.encoder.lstm", "LSTM", "model.decoder.lstm", "LSTM"),
    (2, 64, 48), (1, 64, 96), 1, 1, 64, 4, 0, 2,
)  # fmt: skip
"""A layer that rows of the loss read at their own rows alone."""

COUNTED_ROWS = CountedRows(
    "model.code", "Sines", "model.code.table", 500, 24, 16, 0, is_added=True, of_ids=True, looks_up=False
)
"""The first rows of a table that are added to the rows of the batch, one to each."""

TURNED = TargetOrder("model.embed", (10, 24), is_along_ids=True, given=0.4, turned=52.0)
"""Targets that fit the ids in the other order alone."""


def summed(made: Sequence[Step]) -> tuple[Step, ...]:
    """The same steps, each made of four passes."""
    return tuple(replace(step, passes=4) for step in made)


def summed_until_it_overflows() -> Record:
    """A norm that grew, and stood long enough to be the usual one before the values overflow, of summed passes."""
    grown = steps(60, lambda i: 3.0 if i < 30 else 3.0 * 4.0 ** (i - 30), lambda i: 2.0 * 1.2**i)
    slow = (*grown, *(replace(grown[-1], step=i) for i in range(60, 90)))
    broke = NonFinite(90, 0, "forward", "inf", "model.2", "convolution", cause="overflow", replayed=True)
    end = replace(slow[-1], step=90, loss=float("inf"))
    return record(summed((*slow, end)), nonfinite=(broke,))


def penalised(alone: PenaltyAlone, count: int = 8) -> tuple[Look, ...]:
    """Looks at modules that a penalty alone trains, beside a squared error."""
    layers = [depth_look(module, "Linear", order) for order, module in enumerate(alone.modules)]
    return at(*layers, losses=(replace(ERROR, module="model.out"),), penalty_alone=alone, count=count)


def cut_off(count: int = 8) -> tuple[Look, ...]:
    """Looks at a generator that its critic is given cut off, and at the critic's own step by another line."""
    layers = (depth_look("gen.out", "Linear", 0), depth_look("critic.out", "Linear", 1))
    cut = (CutOutput("gen", "critic"),)
    mine = at(*layers, cut_outputs=cut, stepped=OptimizerSteps(1, ("gen.out.weight",), (), 1e-3), count=count)
    critic = at(layers[1], cut_outputs=cut, stepped=OptimizerSteps(1, ("critic.out.weight",), (), 1e-3), count=count)
    return (*mine, *(replace(look, site=1) for look in critic))


def adversaries() -> Record:
    """A generator whose gradient falls to a thousandth behind a critic that is certain of everything."""
    critic = (
        depth_look("critic.0", "Linear", 1, weight_grad_norm=None, update_ratio=None),
        DepthLook("critic.1", "Sigmoid", 2, 1, 0.01, 1e-6, activation="sigmoid", saturated=1.0),
    )
    looks = at(depth_look("generator.0", "Linear", 0), *critic)
    return record(steps(norm=lambda i: 10 ** (-i / 50)), looks, models={"generator": "G", "critic": "D"})


TANH = activation("Tanh", saturated=0.84)
RELU = activation("ReLU", dead=0.953125, rows=32)
BROKEN = NonFinite(41, 0, "loss", "nan", replayed=True)
NO_BOUND: dict[str, Any] = {"gamma": None, "lambda_": None, "rho": None, "bound_factor": None, "saturated": None}
"""What is not known of a loop that no module shows."""

GATED = time_look(factor=0.826, kind="LSTM", gamma=None, lambda_=None, rho=None, bound_factor=None, saturated=0.97)
OWN = time_look(factor=0.5, kind="Counter", gamma=None, lambda_=None, rho=None, bound_factor=None, saturated=0.9)
UNIT = GivenData("model.rnn.enter", "Linear", 1.0, 1.1, 0.9, 4)
FAR = dependency(lag(61, 91, at=61, share=0.24), T=180)
CHUNKED = dependency(free(1, 59), lag(60, 90, at=70), T=180)
FUTURE = IdleMask("model.attn", "Attention", 16, 16, 1.1, 0.52, 0.9, is_future=True, at_each_place=True)
NOTHING = (free(1, 6), free(7, 20), free(21, 59, detectable=0.031))
WIDE = Spread(-3.0, 3.0, 0.0, 1.0)
_BRANCH = ("model.side.0.weight", "model.side.0.bias")

ERROR = LossLook("squared error", (32, 1), (32, 1), (32, 1), "matrix product", "model.2", True, WIDE, WIDE)
BROADCAST = replace(ERROR, shape=(32, 32), target_shape=(32,))
SQUASHED = LossLook("cross entropy", (32, 10), (32, 10), (32,), "softmax", "model.3", True, counts=(3,) * 10)
UNBOUNDED = replace(SQUASHED, kind="negative log-likelihood", last="matrix product", outputs=WIDE)
CUT_OFF = replace(ERROR, last="sigmoid", outside=0.9, floor=70.0)
LEAKY = LeakyFactor("critic.2", "policy.2", 0.3, 0.2, -2.0, 1.5)
VALUE = LossLook(
    "squared error", (64,), (64,), (64,), "matrix product", "critic.2", targets=Spread(-2.0, 2.0, 0.0, 1.0), guess=1.0,
    value=1.5, term=2, terms=2,
)  # fmt: skip
CODE = (
    ("model.mu", "model.logvar"),
    ("model.mu.weight", "model.mu.bias", "model.logvar.weight", "model.logvar.bias"),
)
NORMED = replace(ERROR, guess=0.3, value=1.2, normed=NormedOutput("instance norm", 256, 1.1))
NORMAL = LayerGrowth("model.2.weight", (10, 400), 400, 1.0, True, 0.6, 12.0)
FAR_OFF_AT_FIRST = at(
    losses=(replace(SQUASHED, last="matrix product", module="model.2", value=50.0, growths=(NORMAL,)),)
)
ALL_ONES = replace(ERROR, module="critic.0", targets=Spread(1.0, 1.0, 1.0, 0.0), terms=1)

TAGS = replace(ERROR, kind="binary cross entropy on logits", shape=(32, 8), targets=Spread(0.0, 1.0, 0.3, 0.46))


def one_sided(*asked: LossLook, count: int = 24, turn: int = 2) -> tuple[Look, ...]:
    """Looks in turns at a critic's own pass, which asks for all this, and at that of a maker, through the critic."""
    own = OptimizerSteps(1, ("critic.0.weight",), (), 0.1)
    through = OptimizerSteps(1, ("maker.0.weight",), (), 0.1)
    both = (activation("tanh", module="critic.0"), activation("tanh", module="maker.0", order=1))
    lines = ({"losses": asked, "stepped": own}, {"losses": (ALL_ONES,), "stepped": through})
    turns = [(site, turn * (3 * k + k // 2) + site) for k in range(count // 2) for site in (0, 1)]
    return tuple(at(*both, start=step, count=1, site=site, **lines[site])[0] for site, step in turns)


def taking_turns(looks: tuple[Look, ...], loss: Callable[[int], float] = lambda i: 0.5 * 0.97**i) -> Record:
    """Two lines that take turns."""
    taken = tuple(replace(step, site=step.step % 2) for step in steps(200, loss=loss))
    return record(taken, looks, models={"critic": "Sequential", "maker": "Sequential"})


SPENT = SpentLoader("train.py:18", 9, 2, 8, 50, 50, "batch_sampler", "generator", True, "batches")
HIDDEN = HiddenPart("model.cells[0]", "LSTMCell", 4, 800, moved=False)


def unmoved(stepped: OptimizerSteps) -> tuple[Look, ...]:
    """Looks at which a weight holds the same values, whatever optimizers did in between."""
    return at(*chain(2, update_ratio=0.0), unmoved=("model.2.weight",), moved=False, count=5, stepped=stepped)


def thrown_away(thrown: int, of: int) -> tuple[Look, ...]:
    """Looks of so many whose gradient was cleared before any step."""
    used, lost = (OptimizerSteps(1, ("model.0.weight",), (), 0.1), OptimizerSteps(0, (), (), 0.0, is_discarded=True))
    looks = at(*chain(1), count=of)
    return tuple(replace(look, stepped=lost if i < thrown else used) for i, look in enumerate(looks))


def left_over() -> tuple[Look, ...]:
    """Looks in turns at a maker's pass, which leaves the critic a gradient, and at the critic's own."""
    maker = OptimizerSteps(1, ("maker.0.weight",), (), 0.1, left=("critic.0.weight",))
    critic = OptimizerSteps(1, ("critic.0.weight",), (), 0.1)
    return tuple(replace(look, stepped=critic if i % 2 else maker) for i, look in enumerate(at(*chain(1), count=8)))


def made_anew(kind: str = "Adam", *, momentum: float = 0.0, anew: int = 7) -> tuple[Look, ...]:
    """Eight looks, at the last of which, so many of them, an optimizer began as one did at the step before."""
    names = ("model.0.weight", "model.0.bias")
    eps = (Epsilon(kind, 1e-8, 1e-3, 0.0, 100, 0.01),) if kind == "Adam" else ()
    kept = OptimizerSteps(1, names, (), 0.01, optimizers=(kind,), epsilons=eps)
    new = replace(kept, anew=(AnewOptimizer(kind, names, 0.01, momentum),))
    looks = at(*chain(1), count=8)
    return tuple(replace(look, stepped=new if i >= 8 - anew else kept) for i, look in enumerate(looks))


def clipped_by_value(
    left: float = 1e-3, *, optimizer: str = "SGD", ratio: float = 1e-6, scale: float = 1.0
) -> tuple[Look, ...]:
    """Looks at gradients of norm 1, times a loss scale, of which a limit on each of 1,000 elements leaves so much."""
    clip = ValueClip(1e-4, 1.0 * scale, left * scale, cut=900, elements=1000)
    stepped = OptimizerSteps(1, ("model.0.weight",), (), 0.1, optimizers=(optimizer,), value_clips=(clip,))
    return at(*chain(2, update_ratio=ratio), count=8, stepped=stepped)


DROPPING = (Dropping("model.1", "Dropout", 0.9), Dropping("model.rnn", "LSTM", 0.8))
"""Two modules that drop nearly all."""


def with_eps(
    eps: float = 1.0, root: float = 0.02, *, later: float | None = None, ratio: float = 1e-4
) -> tuple[Look, ...]:
    """Looks at an Adam of this eps beside roots of second moments of this size, in the last half of `later`."""

    def stepped(root: float) -> OptimizerSteps:
        told = Epsilon("Adam", eps, root, below=0.9, elements=1000, rate=1e-3)
        return OptimizerSteps(1, ("model.0.weight",), (), 1e-3, epsilons=(told,))

    begun = at(*chain(2, update_ratio=ratio), count=4, stepped=stepped(root))
    return (*begun, *at(*chain(2, update_ratio=ratio), start=80, count=4, stepped=stepped(later or root)))


def rounding(weighed: float = 0.95, *, part: float = 1.0, asked: float = 1e-4, rate: float = 1e-3) -> tuple[Look, ...]:
    """Looks at an Adam over bfloat16 weights of whose steps this share is lost, weighed by what each was to bring."""
    told = RoundedStep("Adam", "bfloat16", int(1000 * part), 1000, lost=0.98, weighed=weighed, asked=asked, rate=rate)
    return at(*chain(2), count=8, stepped=OptimizerSteps(1, ("model.0.weight",), (), rate, rounded=(told,)))


def underflowing(wrong: int = 900, *, is_pure: bool = False, **more: Any) -> tuple[Look, ...]:
    """Looks at a backward pass in float16 that leaves the gradients of so many of 1000 weights wrong."""
    told = Underflow(4096.0, 800, 720, wrong, 1000, ("model.0", "model.1"), is_pure)
    return at(*chain(2), count=8, underflow=told, **more)


def decaying(
    pull: float = 8.0, left: float = 1e-3, *, late: float = 8.0, is_decoupled: bool = False
) -> tuple[Look, ...]:
    """Looks at two weights of which this part is left after four of them; the decay is so many times the gradient, at
    first and later."""

    def stepped(size: float, pull: float) -> OptimizerSteps:
        names = ("model.0.weight", "model.2.weight")
        decays = tuple(Decay(name, 0.5, 4 * size, 2 * size, 2 * size / pull, is_decoupled) for name in names)
        return OptimizerSteps(1, names, (), 0.1, decays=decays)

    held = at(*chain(2), count=4, stepped=stepped(1.0, pull))
    return (*held, *at(*chain(2), start=80, count=4, stepped=stepped(left, late)))


def copied(*names: str, different: int = 1, kind: str = "Linear", **more: Any) -> tuple[Look, ...]:
    """Looks at layers of 64 units that are copies, behind which a layer is read."""
    units = tuple(
        CopiedUnits(name, name.rpartition(".")[0], kind, 64, different, True) for name in names or ("model.0.weight",)
    )
    return at(*chain(3), copied_units=units, **more)


def padded(loss: float, others: float, *, share: float = 0.9, label: int | None = 0, **more: Any) -> tuple[Look, ...]:
    """Looks at a loss over tags, or over numbers, of whose rows this share is padding."""
    counts, guess = ((0, 10, 10, 10, 10, 10, 10, 10, 10, 10), None) if label is not None else ((), math.log(9))
    rows = PaddedRows(share, loss, others, guess, counts, label, **more)
    kind: LossKind = "squared error" if label is None else "cross entropy"
    seen = LossLook(kind, (900, 10), (900, 10), (900,), "matrix product", "model.head", True, padded=rows)
    return at(*chain(1), losses=(seen,))


def in_a_row(*, is_whole: bool = True, **more: Any) -> tuple[Look, ...]:
    """Looks at two linear layers with nothing between them."""
    maps = LinearMaps(("model.0", "model.2"), (8, 32, 3), is_whole)
    return at(*chain(1), linear_maps=(maps,), **more)


def carried(*nodes: int) -> tuple[Look, ...]:
    """Looks whose graph goes back to the first of them, and grows so."""
    looks = at(*chain(1), count=len(nodes), update=0.1)
    older = (0, *nodes)
    return tuple(
        replace(look, graph=GraphLook(n, old, looks[0].step if old else None))
        for look, n, old in zip(looks, nodes, older, strict=False)
    )


SORTED = tuple(
    replace(look, losses=(LossLook("cross entropy", (16,), (16, 2), (16,), counts=(16 * (i % 2), 16 * ((i + 1) % 2))),))
    for i, look in enumerate(at(count=6))
)

_OFF = LossLook(
    "squared error", (16, 1), (16, 1), (16, 1), module="model.2", targets=Spread(2600.0, 3400.0, 3000.0, 200.0)
)
FAR_OFF = tuple(
    replace(look, losses=(replace(_OFF, outputs=Spread(-1.0, 9.0, 0.1 + i, 0.5)),))
    for i, look in enumerate(at(count=6))
)

OF_ONE_VALUE = SingleValues("model.0", "LayerNorm", "layer norm", (32, 1))
LARGE_ROWS = GivenData("model.0", "Linear", 4e9, 1e10, 3e9, 8, largest_row=2e10, middle_row=0.8)
"""Data some of whose rows tower above the others."""

LOST_DATA = GivenData("model.0", "Linear", 2e-3, 3e-3, 2e-3, 12, apart_in=0.5, apart_out=0.006)
OUTPUT_OFF = zero_gradient(why="off", operation="relu", share=1.0, module="model", kind="Net", behind="model.out")
OFF_LOSS = LossLook("squared error", (64,), (64,), (64,), last="relu", outputs=Spread(0.0, 0.0, 0.0, 0.0))
ADDED = DiscardedOperation("model.py:23", "x + self.pe[:, :x.size(1)]", "+", "x")
DISCARDED = DiscardedResult("model.positions", "Positions", "train.py:12")

SLOW_ADJOINT = SubnormalPlace("adjoint", "model.rnn", "LSTM", 0.087, (0.008,) * 9, (0.002,) * 9, whole=True)
SLOW_PRODUCT = SubnormalPlace("gradient", "model.up", "Linear", 0.3, (0.001,) * 9, (0.0001,) * 9, times=6.0)
SLOW_STATE = SubnormalPlace("state", "model.0.weight", "Adam.exp_avg", 0.5, (0.004,) * 9, (0.001,) * 9)
"""Places with subnormal numbers whose work was timed."""

PAST_A_GAP = tuple(0.02 if lag == 20 else 0.5**lag for lag in range(60))

SPEAKING: dict[str, Record] = {
    "GR101": record(steps(), at(time_look(factor=0.61, T=100, lambda_=0.71, bound_factor=0.71))),
    "GR101 past a gap": record(steps(), at(time_look(factor=0.5, horizon=6, reach=PAST_A_GAP))),
    "GR101 of gates": record(steps(), at(GATED)),
    "GR101 without a trace": record(steps(), at(time_look(reach=(1.0, 1e-3, *[0.0] * 58), horizon=0))),
    "GR101 in a loop with a decay": record(steps(), at(time_look(factor=0.5, kind=DECAY_LOOP, **NO_BOUND))),
    "GR102 in a loop with a decay": record(steps(), at(time_look(factor=1.2, kind=DECAY_LOOP, **NO_BOUND))),
    "GR102 in a loop": record(steps(), at(time_look("", factor=1.2, kind=LOOP, **NO_BOUND))),
    "GR102": record(steps(), at(time_look(factor=1.2, lambda_=1.3, bound_factor=1.3))),
    "GR102 that blew up": record(blown(1000.0, 1e4), at(time_look(factor=1.05))),
    "GR103": record(steps(), at(time_look(saturated=0.83))),
    "GR103 of gates": record(steps(), at(GATED)),
    "GR103 of a cell of its own": record(steps(), at(OWN, given=(UNIT,))),
    "GR104": record(steps(loss=flat), at(time_look(factor=0.99)), dependency=(CHUNKED,)),
    "GR106": record(steps(), at(detached_states=(DetachedState("model.cell", "GRUCell", 12, 11, 0),))),
    "GR201": record(steps(loss=flat), at(*chain(10, 0.141))),
    "GR202": record(steps(loss=flat), at(*chain(10, 4.0, update_ratio=1e-3))),
    "GR203": record(steps(), at(*between(TANH))),
    "GR204": record(steps(), at(*between(RELU))),
    "GR205": record(steps(loss=flat), copied()),
    "GR205 of repeated units": record(steps(), copied(different=16)),
    "GR205 of bare weights": record(steps(loss=flat), copied("a weight of shape (4, 64)", kind="")),
    "GR206": record(steps(loss=flat), in_a_row()),
    "GR206 that learns": record(steps(), in_a_row()),
    "GR206 within a model": record(steps(loss=flat), in_a_row(is_whole=False)),
    "GR207": record(steps(loss=flat), at(*chain(2), single_values=(OF_ONE_VALUE,))),
    "GR301": record((*steps(41), replace(steps(1, loss=lambda _: float("nan"))[0], step=41)), nonfinite=(BROKEN,)),
    "GR301 of a sum": summed_until_it_overflows(),
    "GR301 without its origin": record(steps(50, norm=lambda i: float("inf") if i == 30 else 1.0)),
    "GR302": record(_spiked(900.0, harmed=False)),
    "GR302 with harm": record(_spiked(62.0, harmed=True)),
    "GR303": record(_clipped()),
    "GR303 by value": record(steps(loss=flat, threshold=1e-4, clip="value"), clipped_by_value()),
    "GR304": record(blown(1000.0, 1e4)),
    "GR304 of a sum": record(summed(blown(1000.0, 1e4))),
    "GR305 too large": record(steps(loss=flat), at(*chain(3, update_ratio=0.2))),
    "GR305 of a sum": record(
        summed(steps(loss=flat)),
        at(*chain(3, update_ratio=0.2), stepped=OptimizerSteps(1, ("model.0.weight",), (), 0.1, optimizers=("SGD",))),
    ),
    "GR305 thrown away": record(
        steps(loss=flat),
        (
            *at(*chain(3, update_ratio=7.0), count=1),
            *at(*chain(3, update_ratio=0.03, weight_norm=60.0), start=50),
        ),
    ),
    "GR305 grown since": record(
        steps(loss=flat),
        (
            *at(*chain(3, update_ratio=0.05), count=1),
            *at(*chain(3, update_ratio=7.0), start=2, count=1),
            *at(*chain(3, update_ratio=0.03, weight_norm=60.0), start=50),
        ),
    ),
    "GR305 too small": record(steps(loss=flat), at(*chain(3, update_ratio=1e-8))),
    "GR306": record(steps(), at(chain(1)[0], without_gradient=_BRANCH)),
    "GR307": record(steps(), at(chain(1)[0], zero_gradient=(zero_gradient(why="flat", operation="sign"),))),
    "GR308": adversaries(),
    "GR309": record(steps(), at(*chain(2, update_ratio=0.0), unmoved=("model.2.weight",), moved=False, count=5)),
    "GR309 without a step": record(steps(), unmoved(OptimizerSteps(0, (), (), 0.0))),
    "GR309 beside an optimizer of others": record(steps(), unmoved(OptimizerSteps(1, (), (), 0.0, idle=6))),
    "GR309 at a rate too small": record(steps(), unmoved(OptimizerSteps(1, ("model.2.weight",), (), 1e-9))),
    "GR310": record(steps(400), (*at(update=1.0, count=4), *at(update=1e-9, start=60, count=8))),
    "GR310 of a factor of 0": record(
        steps(400),
        (
            *at(update=1.0, stepped=OptimizerSteps(1, ("model.0.weight",), (), 0.1), count=4),
            *at(update=0.0, stepped=OptimizerSteps(1, ("model.0.weight",), (), 0.0), start=60, count=8),
        ),
    ),
    "GR312": record(steps(loss=flat), decaying()),
    "GR312 of the step": record(steps(loss=flat), decaying(is_decoupled=True)),
    "GR315": record(steps(), at(*chain(2), discarded=(DISCARDED,))),
    "GR313": record(steps(loss=flat), with_eps()),
    "GR314": record(steps(loss=flat), at(*chain(2), dropping=DROPPING)),
    "GR401": record(steps(400, loss=flat), at(time_look(factor=0.5)), dependency=(dependency(*NOTHING),)),
    "GR402 in a loop with a decay": record(
        steps(400, loss=flat), at(time_look(factor=0.626, T=180, kind=DECAY_LOOP, **NO_BOUND)), dependency=(FAR,)
    ),
    "GR402": record(steps(400, loss=flat), at(time_look(factor=0.626, T=180)), dependency=(FAR,)),
    "GR402 of a flat cell of its own": record(
        steps(400, loss=flat),
        at(time_look(factor=0.626, T=180, kind="Counter", **{**NO_BOUND, "saturated": 0.94}), given=(UNIT,)),
        dependency=(FAR,),
    ),
    "GR403": record(
        steps(400, loss=flat),
        at(time_look(factor=0.99), *chain(2, update_ratio=5e-5)),
        dependency=(dependency(lag(40)),),
    ),
    "GR506": record(steps(), at(*chain(1), fleeting=(FleetingPart("Linear", "model.block", 2),), count=5)),
    "GR601": record(steps(), at(losses=(BROADCAST,))),
    "GR601 of a factor": record(steps(), at(losses=(replace(BROADCAST, kind="product", target_shape=(32, 1)),))),
    "GR602": record(steps(loss=lambda i: 1.5 + falling(i)), at(losses=(SQUASHED,))),
    "GR602 of a divergence": record(steps(), at(losses=(replace(UNBOUNDED, kind="divergence"),))),
    "GR602 of no logarithm": record(steps(), at(losses=(UNBOUNDED,))),
    "GR602 of cosines": record(
        steps(loss=lambda i: 1.4 + 0.9 * 0.97**i),
        at(losses=(replace(SQUASHED, last="matrix product", apart=1.9),), count=8),
    ),
    "GR603": record(steps(), at(losses=(CUT_OFF,))),
    "GR604": record(steps(400, loss=flat), at(losses=(replace(ERROR, guess=1.0, value=1.0),), count=8)),
    "GR703": record(
        steps(400, loss=flat),
        (
            *at(outputs=(OutputLook("model", 32, 1.0, 0.4),), count=1),
            *at(outputs=(OutputLook("model", 32, 1.0, 1e-4),), start=50, count=8),
        ),
    ),
    "GR107": record(steps(), at(stepped_states=(SteppedState("model.cell", "LSTMCell", 12, 11, is_given=True),))),
    "GR107 of a single step": record(
        steps(),
        at(
            time_look(T=1),
            zero_gradient=(zero_gradient("model.rnn.weight_hh_l0", why="input"),),
        ),
    ),
    "GR105": record(steps(), at(chunk_seam=ChunkSeam("model.rnn", "GRU", 16, 8, 1, 0.07, "carried"))),
    "GR105 from zeros": record(steps(), at(chunk_seam=ChunkSeam("model.rnn", "GRU", 16, 8, 8, 0.07, "anew"))),
    "GR107 without any": record(
        steps(), at(stepped_states=(SteppedState("model.gru", "GRU", 12, 11, is_given=False),))
    ),
    "GR508": record(steps(), left_over()),
    "GR509": record(
        steps(),
        missed_loads=(MissedLoad("model", "train.py:8", 0, 62, 0, "", "module.", "", 60, "module.a", "a"),),
    ),
    "GR510": record(steps(50), spent_loaders=(SPENT,)),
    "GR510 dataset": record(
        steps(50), spent_loaders=(replace(SPENT, part="dataset", kind="Rows", is_iterator=False, function=""),)
    ),
    "GR511": record(steps(), made_anew()),
    "GR511 momentum": record(steps(), made_anew("SGD", momentum=0.9)),
    "GR511 of its own": record(steps(), made_anew("Lion")),
    "GR507": record(steps(), thrown_away(5, of=8)),
    "GR311": record(
        steps(),
        (
            *at(modes=(Mode("model", norms=False, training=True, evaluates=False),), count=2),
            *at(modes=(Mode("model", norms=False, training=False, evaluates=True),), start=50, count=4),
        ),
    ),
    "GR311 in evaluation mode": record(
        steps(), at(modes=(Mode("model", True, training=False, evaluates=True, momentum=0.1, blank=True, modules=2),))
    ),
    "GR311 without momentum": record(
        steps(), at(modes=(Mode("model", True, training=True, evaluates=False, momentum=0.0, blank=True),))
    ),
    "GR501": stopped("Trying to backward through the graph a second time"),
    "GR502": record(steps(), at(*chain(1), uncleared=("model.0.weight",), cleared=("model.1.weight",), count=5)),
    "GR503": record(steps(), carried(10, 40, 120, 500, 900)),
    "GR504": record(steps(norm=lambda _: 3.0, threshold=1.0, clip="norm", pre_clip=0.0, late=True)),
    "GR504 by value": record(steps(threshold=1.0, clip="value", late=True)),
    "GR505": record(steps(), at(*chain(1), hidden=(HIDDEN,), count=5)),
    "GR505 bare": record(steps(), at(*chain(1), hidden=(replace(HIDDEN, kind="Parameter"),), count=5)),
    "GR606": record(steps(200, loss=lambda i: -1.0 - 5.0 * i)),
    "GR306 of an optimizer": record(steps(), at(*chain(2), stepped=OptimizerSteps(1, (), (), 0.0, idle=6))),
    "GR606 of weights": record(steps(200), at(losses=(replace(ERROR, has_negative_weights=True),))),
    "GR606 of targets": record(
        steps(200, loss=lambda i: -1.0 - 5.0 * i),
        at(losses=(replace(ERROR, kind="binary cross entropy on logits", targets=Spread(0.0, 255.0, 90.0, 120.0)),)),
    ),
    "GR606 of a sign": record(steps(200, loss=lambda i: -1.0 - 5.0 * i), at(losses=(replace(ERROR, is_turned=True),))),
    "GR607": record(steps(loss=lambda i: 50.0 - 0.1 * i), FAR_OFF_AT_FIRST),
    "GR608": record(
        steps(),
        at(losses=(replace(ERROR, kind="cross entropy", counts=(90, 8, 2), weights=(0.9, 0.08, 0.02)),)),
    ),
    "GR608 of two": record(
        steps(),
        at(
            losses=(
                replace(
                    ERROR,
                    kind="binary cross entropy on logits",
                    targets=Spread(0.0, 1.0, 0.05, 0.2),
                    weights=(1.0, 0.05),
                ),
            )
        ),
    ),
    "GR609": record(steps(), at(losses=(replace(ERROR, targets=Spread(0.0, 0.0, 0.0, 0.0)),))),
    "GR609 of an adversary": taking_turns(one_sided(replace(ALL_ONES, terms=2), replace(ALL_ONES, terms=2, term=2))),
    "GR609 of a joined batch": taking_turns(one_sided(ALL_ONES)),
    "GR609 of zeros alone": taking_turns(
        one_sided(*(replace(ALL_ONES, terms=2, term=term, targets=Spread(0.0, 0.0, 0.0, 0.0)) for term in (1, 2)))
    ),
    "GR609 of other numbers": taking_turns(one_sided(replace(ALL_ONES, targets=Spread(0.9, 0.9, 0.9, 0.0)))),
    "GR609 of one that the other line uses": taking_turns(
        tuple(
            replace(look, depth=tuple(replace(each, grad_rms=None) for each in look.depth)) if look.site else look
            for look in one_sided(ALL_ONES)
        )
    ),
    "GR609 of labels that go away": record(
        steps(),
        tuple(
            replace(look, losses=(replace(TAGS, targets=TAGS.targets if n < 4 else Spread(0.0, 0.0, 0.0, 0.0)),))
            for n, look in enumerate(at(count=10))
        ),
    ),
    "GR609 of classes": record(steps(), at(losses=(replace(ERROR, kind="cross entropy", counts=(0, 32, 0)),))),
    "GR610": record(
        steps(),
        tuple(
            replace(look, loss_constant=LossConstant(1.0 + 0.2 * (i % 3), 1.5 + 0.2 * (i % 3)))
            for i, look in enumerate(at(count=8))
        ),
    ),
    "GR611": record(
        steps(300),
        at(
            losses=(replace(ERROR, is_whole=False, guess=1.0, value=1.0),),
            loss_terms=(LossTerm(0.01, 2.0), LossTerm(2.0, 0.01)),
            count=8,
        ),
    ),
    "GR612": record(steps(), at(copied_targets=CopiedTargets("model.embed", 12, 288, ahead=2))),
    "GR317": record(steps(), at(unheard=(UnheardBackward("model.reverse", "Reverse"),))),
    "GR318": record(steps(loss=flat), rounding()),
    "GR319": record(steps(loss=flat), underflowing()),
    "GR319 of weights in float16": record(steps(loss=flat), underflowing(is_pure=True)),
    "GR319 under a scale": record(steps(loss=flat, scale=4.0), underflowing()),
    "GR320": record(steps(), at(subnormals=SubnormalLook("kept", (SLOW_ADJOINT,)))),
    "GR320 of a state": record(
        steps(), at(subnormals=SubnormalLook("kept"), stepped=OptimizerSteps(1, (), (), 0.1, subnormals=(SLOW_STATE,)))
    ),
    "GR320 of a product": record(steps(), at(subnormals=SubnormalLook("kept", (SLOW_PRODUCT,)))),
    "GR316": record(
        steps(400),
        (
            *at(stepped=OptimizerSteps(1, ("model.0.weight",), (), 0.0), count=6),
            *at(stepped=OptimizerSteps(1, ("model.0.weight",), (), 1e-5), start=60, count=6),
        ),
    ),
    "GR605 seen ahead": record(steps(), at(copied_targets=CopiedTargets("model.embed", 12, 288, ahead=1))),
    "GR605 not masked": record(steps(), at(copied_targets=CopiedTargets("model.embed", 12, 288, picked=True))),
    "GR605": record(steps(), at(copied_targets=CopiedTargets("model.embed", 12, 288))),
    "GR701": record(steps(), at(*between(TANH), given=(GivenData("model.0", "Linear", 150.0, 151.0, 150.0, 12),))),
    "GR701 of small data": record(steps(loss=flat), at(*chain(3), given=(LOST_DATA,))),
    "GR701 of some rows": record(steps(), at(*chain(3), given=(LARGE_ROWS,))),
    "GR701 of targets": record(steps(loss=flat), FAR_OFF),
    "GR702": record(
        steps(), at(readings=(RowReading("model.gru", "GRU", False, 48, 20, 48, "steps", 1, False, True),))
    ),
    "GR602 of a CTC loss": record(
        steps(), at(alignments=(Alignment(0, (0, 40, 44, 39), off=1.4, last="matrix product"),))
    ),
    "GR602 of a CTC loss on probabilities": record(
        steps(), at(alignments=(Alignment(0, (0, 40, 44, 39), off=1.6, last="softmax", are_shares=True),))
    ),
    "GR614": record(steps(), at(losses=(NORMED,))),
    "GR616": record(steps(), penalised(PenaltyAlone(*CODE, "model.mu", "model.logvar"))),
    "GR616 of a block": record(
        steps(), penalised(PenaltyAlone(("model.side.1",), ("model.side.0.weight", "model.side.1.weight")))
    ),
    "GR614 with a scale and a shift": record(
        steps(400), at(losses=(replace(NORMED, normed=NormedOutput("batch norm", 32, 1.1, is_scaled=True)),), count=8)
    ),
    "GR614 of a module without a number": record(steps(), at(losses=(replace(NORMED, module="head"),))),
    "GR617": record(steps(), cut_off()),
    "GR615": record(steps(loss=flat), at(losses=(VALUE,), leaky_factor=LEAKY, count=6)),
    "GR615 without modules": record(steps(), at(leaky_factor=replace(LEAKY, module="", policy=""), count=6)),
    "GR613": record(steps(loss=lambda i: falling(i) - 0.5), at(alignments=(Alignment(0, (12, 40, 44, 0), 3),))),
    "GR613 no class left": record(steps(), at(alignments=(Alignment(0, (12, 40, 44, 39), 3),))),
    "GR613 several left": record(steps(), at(alignments=(Alignment(0, (12, 300, 0, 0), 3),))),
    "GR613 of padding": record(steps(), at(alignments=(Alignment(0, (30, 40, 44, 39), at_end=30),))),
    "GR613 put between": record(steps(), at(alignments=(Alignment(0, (80, 40, 44, 39), 16, between=80),))),
    "GR702 by a view": record(
        steps(), at(readings=(RowReading("model.gru", "GRU", False, 20, 48, 48, "entries", 1, True, True),))
    ),
    "GR711": record(steps(loss=flat), at(mixed_by_views=(STATES_VIEWED,))),
    "GR711 of folded rows": record(
        steps(loss=flat), at(mixed_by_views=(replace(STATES_VIEWED, shape_in=(128, 48), axis_in=0, behind="", own=4),))
    ),
    "GR712": record(steps(loss=flat), at(target_orders=(TURNED,))),
    "GR713": record(steps(loss=flat), at(counted_rows=(COUNTED_ROWS,))),
    "GR713 of a look-up beside the features": record(
        steps(loss=flat),
        at(counted_rows=(replace(COUNTED_ROWS, table="model.pos.weight", axis=1, is_added=False, looks_up=True),)),
    ),
    "GR704": record(steps(), SORTED),
    "GR704 of rows": record(steps(loss=flat), at(same_rows=32, count=6)),
    "GR705": record(steps(), at(time_look(factor=0.999), padding=(Padding("model.rnn", 60, True, 1.0, 0.8, 48.0),))),
    "GR707": record(steps(), at(first_step())),
    "GR707 of a cell": record(steps(), at(first_step(kind="LSTMCell"))),
    "GR707 of both directions": record(steps(), at(first_step(), first_step(direction="reverse"))),
    "GR707 of one of two directions": record(steps(), at(time_look(), first_step(direction="reverse"))),
    "GR708": record(steps(400), padded(0.01, 2.2)),
    "GR708 of numbers": record(steps(400), padded(0.01, 2.2, label=None)),
    "GR709": record(steps(), at(inverted_masks=(InvertedMask("model.attn", "MultiheadAttention", 32, 16, 0.4),))),
    "GR709 by hand": record(steps(), at(inverted_masks=(InvertedMask("", "", 32, 16, 0.4),) * 2)),
    "GR710": record(steps(), at(idle_masks=(FUTURE,))),
    "GR710 added": record(
        steps(),
        at(
            added_masks=(
                AddedMask("model.attn", "MultiheadAttention", 16, 1.0, 0.0, is_future=True, at_each_place=True),
            )
        ),
    ),
    "GR710 added to padding": record(steps(), at(added_masks=(AddedMask("", "", 16, 0.0, -1e-9),))),
    "GR710 of padding": record(steps(), at(idle_masks=(IdleMask("", "", 16, 16, 0.9, 0.24, 0.97),) * 2)),
    "GR706": record(
        steps(), at(softmaxes=(SoftmaxAxis("softmax", "model.softmax", "Softmax", (48, 12), 0, over_rows=True),))
    ),
    "GR706 by hand": record(
        steps(), at(softmaxes=(SoftmaxAxis("log_softmax", "model", "Net", (48, 12), 0, over_rows=True),))
    ),
    "GR706 in the script": record(
        steps(), at(softmaxes=(SoftmaxAxis("log_softmax", "", "", (48, 12), 0, over_rows=True),))
    ),
}

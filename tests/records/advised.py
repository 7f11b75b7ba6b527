"""Records whose findings name every piece of advice, for every code that it answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from gradreach.record.kinds import numbered
from gradreach.record.nonfinite import Cause
from gradreach.record.schema import NonFinite, Record
from gradreach.record.seen.depth import DepthLook
from gradreach.record.seen.recurrence import TimeLook
from gradreach.record.seen.zero_gradient import ZeroCause

from .parts import (
    activation,
    at,
    between,
    chain,
    dependency,
    flat,
    lag,
    probe,
    record,
    steps,
    stopped,
    time_look,
    zero_gradient,
)
from .speaking import ADDED, CHUNKED, OFF_LOSS, OUTPUT_OFF, SPEAKING, TANH, blown, underflowing


def look(kind: str) -> TimeLook:
    """A look at a recurrent layer of that kind, of a numbered one at the upper layer's way back."""
    top = {"layer": 1, "direction": "reverse"} if numbered(kind) else {}
    return time_look(module="model.rnn.0", kind=kind, hidden=8, **top)


def _out_of_reach(kind: str, factor: float) -> tuple[Record, Record]:
    """A dependency that vanishes on its way, and one from before the chunk within which the gradient vanishes too."""
    looks = at(time_look(factor=factor, kind=kind, gamma_mean=0.98))
    return (
        record(steps(400, loss=flat), looks, dependency=(dependency(lag(40)),)),
        record(steps(400, loss=flat), looks, dependency=(CHUNKED,)),
    )


def _broken(**more: Any) -> Record:
    return record(steps(41), nonfinite=(NonFinite(41, 0, **{"value": "nan", "replayed": True, **more}),))


CUT: tuple[ZeroCause, ...] = ("off", "saturated", "single", "derivative", "weights", "unused", "unknown")
ERRORS = (
    "Trying to backward through the graph a second time",
    "one of the variables needed for gradient computation has been modified by an inplace operation",
    "element 0 of tensors does not require grad and does not have a grad_fn",
    "grad can be implicitly created only for scalar outputs",
    "cudnn RNN backward can only be called in training mode",
)


def _raw(*layers: DepthLook) -> tuple[DepthLook, ...]:
    """Layers of 64 units the first of which shows by the size of its output that it takes in raw values."""
    first, *others = layers
    return replace(first, units=64, activation_rms=100.0), *others


OPERATIONS = {
    "exp overflow": "exp",
    "log of a negative": "log",
    "log of zero": "log",
    "power at zero": "pow",
    "power of a negative": "pow",
    "edge of its domain": "acos",
    "outside of its domain": "acos",
    "hidden branch": "log",
}
"""Where not a root: what made a value that is not finite, by its cause."""
DEAD = activation("ReLU", dead=1.0, rows=512)
ADVISED = (
    *SPEAKING.values(),
    *(made for kind in ("RNN_TANH", "LSTM", "GRU") for made in _out_of_reach(kind, 0.5)),
    *(_broken(phase=phase) for phase in ("input", "parameters", "forward", "loss", "backward")),
    _broken(phase="forward", module="model.rnn", operation="RNN", layer=0, time_step=3, cause="overflow"),
    *(_broken(phase="backward", operation=OPERATIONS.get(cause, "sqrt"), cause=cause) for cause in get_args(Cause)),
    record(
        (*steps(40), *(replace(step, norm=100.0 * step.step) for step in steps(41)[40:])),
        nonfinite=(NonFinite(41, 0, "forward", "inf", cause="overflow"),),
    ),
    record(
        steps(41),
        at(replace(look("RNN_TANH"), layer=0, direction="forward", lambda_=1.5)),
        nonfinite=(
            NonFinite(41, 0, "forward", "nan", "model.rnn.0", "RNN", time_step=3, layer=0, direction="forward"),
        ),
    ),
    record(steps(), at(discarded_operations=(ADDED,))),
    record(steps(), at(chain(1)[0], count=8, zero_gradient=(OUTPUT_OFF,), losses=(OFF_LOSS,))),
    record(steps(), at(time_look(saturated=0.9, lambda_=3.0))),
    record(blown(1000.0, 1e4), at(*_raw(*chain(3)))),
    record(steps(loss=flat), at(*_raw(*chain(3, update_ratio=0.2)))),
    record(steps(), at(*_raw(*between(TANH)))),
    record(steps(), at(*_raw(*between(DEAD)))),
    record(steps(), at(replace(between(DEAD)[0], units=64, weight_norm=90.0), *between(DEAD)[1:])),
    record(steps(), (*at(*between(activation("ReLU", dead=0.1)), count=1), *at(*between(DEAD), start=10))),
    record(steps(), at(time_look(factor=0.5, kind="GRU"))),
    record(steps(norm=lambda _: 0.5, threshold=1.0, clip="norm", pre_clip=32768.0, scale=65536.0)),
    record(steps(), at(replace(look("RNN_TANH"), saturated=0.9))),
    record(steps(loss=flat), at(*chain(10, 0.141, activation="sigmoid"))),
    record(steps(400), at(probe()), dependency=(dependency(lag(30), module="model.head"),)),
    record(steps(400), at(probe()), dependency=(dependency(lag(70), module="model.head", T=180),)),
    *(record(steps(), at(chain(1)[0], count=8, zero_gradient=(zero_gradient(why=why),))) for why in CUT),
    record(steps(), underflowing(zero_gradient=(zero_gradient(why="underflow"),))),
    record(steps(), (*at(chain(1)[0]), *at(chain(1)[0], start=100, zero_gradient=(zero_gradient(why="off"),)))),
    record(steps(), at(chain(1)[0], without_gradient=("model.b.weight",), called_without_gradient=("model.b",))),
    *(stopped(error, passes) for error in ERRORS for passes in (1, 2)),
    *(stopped(error, 2, looks=at(time_look(), count=1)) for error in ERRORS),
)

"""Builders of the parts of a record, each with a usual value for every field, and of a record from them.

Whatever a test is about it passes by the field's own name.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from gradreach.record.look import Look
from gradreach.record.schema import Dependency, Lag, Outcome, Overhead, Record, Run, Step
from gradreach.record.seen.depth import DepthLook
from gradreach.record.seen.recurrence import Direction, Probe, TimeLook
from gradreach.record.seen.zero_gradient import ZeroGradient

NAN, INF = math.nan, math.inf


def run(script: str = "train.py", *argv: str) -> Run:
    """What was run, on which versions."""
    return Run(script, argv, "2026-01-02T03:04:05Z", torch="2.13.0", python="3.11.7", device="cpu")


def record(steps: Sequence[Step] = (), looks: Sequence[Look] = (), **more: Any) -> Record:
    """A run of `train.py`, whose two lines call backward on one model."""
    defaults: dict[str, Any] = {"run": run(), "sites": ("train.py:20", "train.py:30"), "models": {"model": "Model"}}
    return Record(**{**defaults, "steps": tuple(steps), "looks": tuple(looks), **more})


def falling(i: int) -> float:
    """A loss that falls from 2 towards 0.2."""
    return 0.2 + 1.8 * math.exp(-i / 60)


def flat(i: int) -> float:
    """A loss that stays at 2 but for a little noise."""
    return 2.0 + 0.01 * random.Random(i).gauss(0, 1)


def steps(
    count: int = 200,
    norm: Callable[[int], float] = lambda _: 1.0,
    loss: Callable[[int], float] = falling,
    *,
    pace: float = 0.01,
    site: int = 0,
    **more: Any,
) -> tuple[Step, ...]:
    """`count` steps, one every `pace` seconds, all from one line of the script."""
    return tuple(Step(i, pace * i, site, loss=loss(i), norm=norm(i), **more) for i in range(count))


def norms(count: int, start: float, end: float, wobble: float = 0.2) -> list[float]:
    """A smooth decay from `start` to `end` with a fixed ripple."""
    rate = math.log(end / start) / max(count - 1, 1)
    return [start * math.exp(rate * i + wobble * math.sin(1.7 * i) * math.cos(0.37 * i)) for i in range(count)]


def curve(T: int, factor: float) -> tuple[float, ...]:
    """A reach curve factor^ℓ."""
    return tuple(factor**lag for lag in range(T))


def time_look(module: str = "model.rnn", layer: int = 0, factor: float = 0.9, T: int = 60, **more: Any) -> TimeLook:
    """A tanh layer of T steps under a loss on its last, whose reach curve is factor^ℓ."""
    reach = curve(T, factor)
    share = tuple(r / sum(reach) for r in reach)
    columns = tuple(range(0, T, max(T // 40, 1)))
    look = TimeLook(
        module=module,
        kind="RNN_TANH",
        layer=layer,
        direction="forward",
        T=T,
        batch=16,
        hidden=32,
        horizon=next((lag - 1 for lag, r in enumerate(reach) if r < 0.01), T - 1),
        factor=factor,
        reach=reach,
        lag_share=share,
        truncation_bias=tuple(1.0 - kept for kept in accumulate(share, initial=0.0)),
        adjoint=tuple(1e-2 * factor ** (T - 1 - k) for k in range(T)),
        local_error=tuple(1e-2 if k == T - 1 else 0.0 for k in range(T)),
        anchors=1,
        exact=True,
        gradient_error=3e-7,
        gamma=1.0,
        gamma_mean=0.61,
        lambda_=1.2,
        rho=0.9,
        bound_factor=1.2,
        saturated=0.04,
        lyapunov=tuple(math.log(factor) - 0.2 * i for i in range(4)),
        log10_map=(tuple(round(-2 + (T - 1 - k) * math.log10(factor), 2) for k in columns),),
        map_rows=(T - 1,),
        map_columns=columns,
    )
    return replace(look, **more)


def first_step(
    module: str = "model.rnn", T: int = 20, direction: Direction = "forward", kind: str = "LSTM", **more: Any
) -> TimeLook:
    """A layer of T steps under a loss on the one that its direction begins with."""
    first = 0 if direction == "forward" else T - 1
    error = tuple(1e-2 * (t == first) for t in range(T))
    reach = (1.0, *[0.0] * (T - 1))
    look = time_look(module, T=T, kind=kind, direction=direction, local_error=error, reach=reach, horizon=0)
    return replace(look, factor=None, **more)


def depth_look(module: str, kind: str, order: int, grad_rms: float | None = 1e-3, **more: Any) -> DepthLook:
    """A module with weights, updated by a thousandth of them."""
    look = DepthLook(
        module=module,
        kind=kind,
        order=order,
        calls=1,
        activation_rms=0.8,
        grad_rms=grad_rms,
        parameters=1000,
        weight_norm=4.0,
        weight_grad_norm=0.02,
        update_ratio=1e-3,
    )
    return replace(look, **more)


def activation(kind: str, order: int = 1, **more: Any) -> DepthLook:
    """An activation without weights: `Tanh` with its `saturated` share, or `ReLU` with its `dead` share of 64 units."""
    units = 64 if kind == "ReLU" else 0
    return replace(DepthLook("model.1", kind, order, 1, 1.0, 1e-2, activation=kind.lower(), units=units), **more)


def zero_gradient(*parameters: str, **more: Any) -> ZeroGradient:
    """Parameters that hold half of the trained numbers and get 0, for no reason that is known."""
    cut = ZeroGradient(parameters or ("model.0.weight", "model.0.bias"), elements=1000, of=2000)
    return replace(cut, **{"operation": "mul", "why": "unknown", "module": "model", "kind": "Model", **more})


def stopped(error: str, passes: int = 2, **more: Any) -> Record:
    """A script that ended with an error in one of its backward passes."""
    outcome = Outcome("raised", 1, f"RuntimeError: {error}", 2.0)
    return record(steps(passes - 1), outcome=outcome, overhead=Overhead(0.02, 0.01, 0.01, 0.1, passes=passes), **more)


def chain(n: int = 10, growth: float = 1.0, **more: Any) -> tuple[DepthLook, ...]:
    """`n` linear layers and a head; towards the input the gradient is multiplied by `growth` at each."""

    def layer(i: int) -> DepthLook:
        size = growth ** (n - i)
        look = depth_look(f"model.{2 * i}", "Linear", i, 1e-2 * size, weight_norm=3.0)
        return replace(look, **{"weight_grad_norm": 0.1 * size, "update_ratio": 1e-3 * size, **more})

    return tuple(layer(i) for i in range(n + 1))


def between(layer: DepthLook) -> tuple[DepthLook, ...]:
    """A layer with a linear one before and one behind it."""
    first, last = chain(1)
    return first, layer, replace(last, order=2)


def probe(**more: Any) -> Probe:
    """A model without a recurrence that sees 15 of 60 steps back."""
    reach = tuple(0.8**n if n < 16 else 0.0 for n in range(60))
    return replace(Probe("model.head", 60, 15, reach, anchors=4), **more)


def at(
    *parts: TimeLook | DepthLook | Probe, count: int = 4, start: int = 0, every: int = 10, **more: Any
) -> tuple[Look, ...]:
    """`count` looks, `every` so many steps, each at the same layers."""
    seen: dict[str, Any] = {
        "time": tuple(part for part in parts if isinstance(part, TimeLook)),
        "depth": tuple(part for part in parts if isinstance(part, DepthLook)),
        "probes": tuple(part for part in parts if isinstance(part, Probe)),
    }
    return tuple(Look(**{"step": start + every * i, "site": 0, "seconds": 0.01, **seen, **more}) for i in range(count))


def lag(first: int, until: int | None = None, share: float = 0.24, **more: Any) -> Lag:
    """A band of lags on which the error depends, strongly and most at its first."""
    until = until or first
    return replace(Lag(first, until, first, z=31.0, p=0.0007, q=0.0014, share=share, detectable=0.018), **more)


def free(first: int, until: int | None = None, **more: Any) -> Lag:
    """A band of lags on which it does not depend, and where 1.8 % of its variance would have been seen."""
    return lag(first, until, **{"share": 0.0, "z": -0.2, "p": 0.355, "q": 0.71, **more})


def dependency(*lags: Lag, **more: Any) -> Dependency:
    """A test of the errors at `model.rnn`, hardly smaller than at first."""
    found = Dependency(lags, sequences=256, positions=2560, T=60, module="model.rnn", step=90, looks=4, error=0.94)
    return replace(found, **more)

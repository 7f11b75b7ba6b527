"""Made records: a run of so many steps, with looks whose layers follow a given line."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from gradreach.facts.facts import Facts
from gradreach.record.schema import Dependency, DepthLook, Finding, Lag, Look, Probe, Record, Run, Step, TimeLook
from gradreach.rules.registry import judge

RUN = Run(script="train.py", argv=(), started="2026-01-01T00:00:00Z", torch="2.13.0", python="3.11.7", device="cpu")


def falling(i: int) -> float:
    """A loss that falls from 2 towards 0.2."""
    return 0.2 + 1.8 * math.exp(-i / 60)


def flat(i: int) -> float:
    """A loss that stays at 2 but for a little noise."""
    return 2.0 + 0.01 * random.Random(i).gauss(0, 1)


def steps(
    count: int = 200, norm: Callable[[int], float] = lambda _: 1.0, loss: Callable[[int], float] = falling, **more: Any
) -> tuple[Step, ...]:
    return tuple(
        Step(
            step=i,
            seconds=0.01 * i,
            site=more.get("site", 0),
            loss=loss(i),
            norm=norm(i),
            **{k: v for k, v in more.items() if k != "site"},
        )
        for i in range(count)
    )


def record(run: Sequence[Step] = (), looks: Sequence[Look] = (), **more: Any) -> Record:
    defaults: dict[str, Any] = {"sites": ("train.py:20", "train.py:30"), "models": {"model": "Model"}}
    return Record(RUN, tuple(run), tuple(looks), **{**defaults, **more})


def time_look(**more: Any) -> TimeLook:
    """A tanh layer of 60 steps whose reach curve is factor^ℓ."""
    factor, T = more.pop("factor", 0.9), more.pop("T", 60)
    reach = tuple(factor**lag for lag in range(T))
    horizon = next((lag - 1 for lag, r in enumerate(reach) if r < 0.01), T - 1)
    look = TimeLook(
        module="model.rnn", kind="RNN_TANH", layer=0, direction="forward", T=T, batch=8, hidden=32, horizon=horizon,
        factor=factor, reach=reach, lag_share=(), truncation_bias=(), adjoint=(), local_error=(), anchors=1, exact=True,
        gamma=1.0, gamma_mean=0.8, lambda_=1.1, rho=0.6, bound_factor=1.1, saturated=0.1,
    )  # fmt: skip
    return replace(look, **more)


def lag(lag: int, until: int | None = None, **more: Any) -> Lag:
    """A band of lags on which the error depends, strongly; most at its first."""
    return replace(Lag(lag, until or lag, lag, z=40.0, p=0.001, q=0.001, share=0.24, detectable=0.02), **more)


def free(near: int, far: int | None = None, **more: Any) -> Lag:
    """A band of lags on which it does not depend, and where 2 % of its variance would have been seen."""
    return lag(near, far, **{"z": 0.1, "p": 0.4, "q": 0.5, "share": 0.0, **more})


def dependency(*lags: Lag, **more: Any) -> Dependency:
    """A test of the errors at `model.rnn`, hardly smaller than at first."""
    found = Dependency(
        tuple(lags), sequences=256, positions=2560, T=60, module="model.rnn", step=90, looks=4, error=0.9
    )
    return replace(found, **more)


def probe(**more: Any) -> Probe:
    """A model without a recurrence that sees 15 of 60 steps back."""
    reach = tuple(0.8**n if n < 16 else 0.0 for n in range(60))
    return replace(Probe("model.head", 60, 15, reach, anchors=4), **more)


def at(*parts: TimeLook | DepthLook | Probe, count: int = 4, **more: Any) -> tuple[Look, ...]:
    """`count` looks, ten steps apart, each at the same layers."""
    time = tuple(part for part in parts if isinstance(part, TimeLook))
    depth = tuple(part for part in parts if isinstance(part, DepthLook))
    probes = tuple(part for part in parts if isinstance(part, Probe))
    return tuple(
        Look(step=10 * i, site=0, seconds=0.01, time=time, depth=depth, probes=probes, **more) for i in range(count)
    )


def chain(n: int = 10, growth: float = 1.0, **more: Any) -> tuple[DepthLook, ...]:
    """`n` linear layers and a head; towards the input the gradient is multiplied by `growth` at each."""
    layers = []
    for i in range(n + 1):
        size = growth ** (n - i)
        layers.append(
            DepthLook(
                module=f"model.{2 * i}", kind="Linear", order=i, calls=1, activation_rms=1.0, grad_rms=1e-2 * size,
                parameters=1024, weight_norm=3.0, weight_grad_norm=0.1 * size, update_ratio=1e-3 * size,
            )
        )  # fmt: skip
    return tuple(replace(layer, **more) for layer in layers)


def findings(made: Record, ignore: Sequence[str] = ()) -> tuple[Finding, ...]:
    """What the rules find, each with its formula in one line, whatever the record."""
    found = judge(Facts(made), ignore).findings
    assert all(finding.formula and "\n" not in finding.formula for finding in found)
    return found


def passed(made: Record) -> tuple[str, ...]:
    return judge(Facts(made)).passed


def not_judged(made: Record) -> dict[str, str]:
    return judge(Facts(made)).not_judged


def codes(made: Record) -> list[str]:
    return [finding.code for finding in findings(made)]


def the(made: Record, code: str) -> Finding:
    """The one finding of that code."""
    (found,) = [finding for finding in findings(made) if finding.code == code]
    return found

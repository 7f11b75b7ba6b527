"""What was seen of the layers on one watched step."""

from __future__ import annotations

from dataclasses import dataclass


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
class SingleValues:
    """A module whose normalisation, `layer norm` or `group norm`, runs over a single value each: what it puts out does
    not depend on what it is given. That has the shape `given`."""

    module: str
    kind: str
    operation: str
    given: tuple[int, ...]

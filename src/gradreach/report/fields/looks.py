"""What was seen on watched steps: through time, through depth, by probes."""

from typing import Annotated, Literal

from msgspec import Meta

from gradreach.report.fields.common import Count, Fields, Figure, Share


class TimeFields(Fields, rename={"lambda_": "lambda"}):
    """One direction of one recurrent layer."""

    module: Annotated[str, Meta(description="dotted path")]
    kind: Annotated[
        str,
        Meta(
            description="RNN_TANH, RNN_RELU, GRU, LSTM, or the class of a recurrence of one's own; "
            "`loop …` or `scan …` where no module shows one"
        ),
    ]
    layer: Annotated[Count, Meta(description="number of the stacked layer")]
    direction: Annotated[Literal["forward", "reverse"], Meta(description="along or against the data's order")]
    T: Annotated[Count, Meta(description="length of the sequences, steps")]
    batch: Annotated[Count, Meta(description="sequences in the batch")]
    hidden: Annotated[Count, Meta(description="units of the hidden state")]
    horizon: Annotated[Count, Meta(description="largest lag up to which the reach stays at or above 0.01, steps")]
    farthest_reached: Annotated[
        Count,
        Meta(
            description="largest lag at which the reach is at or above 0.01, whatever lies before it, steps; past the "
            "horizon where a shortcut of the state brings it back",
        ),
    ]
    factor: Annotated[Figure, Meta(description="growth of the reach per step back: exp of the slope of log r")]
    reach: Annotated[
        list[Figure],
        Meta(
            description="r(ℓ) by lag ℓ: the part of the adjoint that left the recurrence ℓ steps later, relative "
            "to lag 0; r(0) = 1; of an LSTM the norm is of (h, c) jointly",
        ),
    ]
    lag_share: Annotated[
        list[Figure],
        Meta(
            description="s(ℓ) by lag ℓ: share of the recurrent weights' gradient that travelled ℓ steps; sums to 1; "
            "under 0 where that part points against the whole",
        ),
    ]
    truncation_bias: Annotated[
        list[Figure],
        Meta(description="b(k): relative error of that gradient were it carried back only k steps"),
    ]
    adjoint: Annotated[
        list[Figure],
        Meta(description="batch mean of ‖δ_k‖, the whole gradient at h_k, by time step k of the data"),
    ]
    local_error: Annotated[
        list[Figure],
        Meta(description="batch mean of ‖e_k‖, the gradient that reached the output y_k from above, by time step k"),
    ]
    anchors: Annotated[Count, Meta(description="time steps with a local error that the reach was followed from")]
    exact: Annotated[bool, Meta(description="whether the replayed output equals the layer's to 1e-6 relative")]
    why_inexact: Annotated[str, Meta(description="what differs where it does not; empty else")]
    sampled: Annotated[str, Meta(description="which share of the time steps was followed; empty where all were")]
    gradient_error: Annotated[
        Figure,
        Meta(
            description="relative difference of the weight gradients that follow from the replay to those of the "
            "script",
        ),
    ]
    gamma: Annotated[
        Figure,
        Meta(description="γ, bound of the activation's derivative; null where the kind of cell has none"),
    ]
    gamma_mean: Annotated[Figure, Meta(description="its measured mean")]
    bound_factor: Annotated[Figure, Meta(description="γλ, what one step back can multiply the gradient by at most")]
    lyapunov: Annotated[
        list[Figure],
        Meta(
            description="Lyapunov exponents of the state's Jacobian per step, largest first: over the steps past the "
            "first quarter of the way back from the last step, 128 steps long at most",
        ),
    ]
    saturated: Annotated[Share, Meta(description="share of activations under 5 % of their largest slope")]
    log10_map: Annotated[
        list[list[Figure]],
        Meta(
            description="reach map: log10 of the batch mean of ‖δ_{t→k}‖, a row for each t of `map_rows`, a "
            "column for each k of `map_columns`; null where nothing comes",
        ),
    ]
    map_rows: Annotated[list[Count], Meta(description="time steps t of the reach map, in the order of the data")]
    map_columns: Annotated[list[Count], Meta(description="time steps k of the reach map, in the order of the data")]
    lambda_: Annotated[Figure, Meta(description="λ = ‖W_hh‖₂, its spectral norm")]
    rho: Annotated[Figure, Meta(description="ρ, spectral radius of W_hh")]
    step: Annotated[Count, Meta(description="the watched step that this describes")]
    site: Annotated[Count, Meta(description="index into `sites`: the line that called backward")]


class DepthFields(Fields):
    """One leaf module."""

    module: Annotated[str, Meta(description="dotted path; empty for a root without children")]
    kind: Annotated[str, Meta(description="its class")]
    order: Annotated[Count, Meta(description="place of its first call in the order of execution")]
    calls: Annotated[Count, Meta(description="how often it ran")]
    activation_rms: Annotated[Figure, Meta(description="root mean square of its output")]
    grad_rms: Annotated[Figure, Meta(description="root mean square of the gradient that reached its output")]
    activation: Annotated[
        str,
        Meta(description="the activation that it is or that follows it; empty where there is none"),
    ]
    saturated: Annotated[
        Share,
        Meta(description="share of that activation's values that are saturated (tanh, logistic)"),
    ]
    dead: Annotated[Share, Meta(description="share of its units at zero for the whole batch (ReLU)")]
    units: Annotated[Count, Meta(description="units of that activation")]
    rows: Annotated[Count, Meta(description="values of each unit that this rests on")]
    parameters: Annotated[Count, Meta(description="parameters of its own")]
    weight_norm: Annotated[Figure, Meta(description="2-norm of its parameters")]
    weight_grad_norm: Annotated[Figure, Meta(description="2-norm of their gradients")]
    update_ratio: Annotated[Figure, Meta(description="‖Δw‖ / ‖w‖ of the update that followed")]
    step: Annotated[Count, Meta(description="the watched step that this describes")]
    site: Annotated[Count, Meta(description="index into `sites`: the line that called backward")]


class ProbeFields(Fields):
    """How far back a model without a recurrence reaches."""

    module: Annotated[str, Meta(description="dotted path of the module whose output carries the error")]
    T: Annotated[Count, Meta(description="length of the sequences, steps")]
    horizon: Annotated[Count, Meta(description="largest lag up to which the reach stays at or above 0.01, steps")]
    reach: Annotated[list[Figure], Meta(description="r(ℓ) by lag ℓ of the error's gradient at the input, r(0) = 1")]
    anchors: Annotated[Count, Meta(description="time steps that the errors were followed from")]
    step: Annotated[Count, Meta(description="the watched step that this describes")]
    site: Annotated[Count, Meta(description="index into `sites`: the line that called backward")]

"""Records made by hand, one for each shape of run that a report must render, and findings to go with them."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import accumulate

from gradreach.record.schema import (
    Dependency,
    DepthLook,
    Finding,
    GuardAction,
    GuardSummary,
    Lag,
    Look,
    NonFinite,
    Outcome,
    Overhead,
    Probe,
    Record,
    Remedy,
    Run,
    Step,
    TimeLook,
)

NAN, INF = math.nan, math.inf


def run(script: str = "train.py", *argv: str) -> Run:
    return Run(script, argv, "2026-01-02T03:04:05Z", torch="2.13.0", python="3.11.7", device="cpu")


def norms(count: int, start: float, end: float, wobble: float = 0.2) -> list[float]:
    """A smooth decay from `start` to `end` with a fixed ripple."""
    rate = math.log(end / start) / max(count - 1, 1)
    return [start * math.exp(rate * i + wobble * math.sin(1.7 * i) * math.cos(0.37 * i)) for i in range(count)]


def curve(T: int, factor: float) -> tuple[float, ...]:
    return tuple(factor**lag for lag in range(T))


def time_look(module: str = "rnn", layer: int = 0, factor: float = 0.7, T: int = 60, **changes: object) -> TimeLook:
    reach = curve(T, factor)
    horizon = next((lag - 1 for lag, r in enumerate(reach) if r < 0.01), T - 1)
    total = sum(reach)
    share = tuple(r / total for r in reach)
    bias = tuple(1.0 - kept for kept in accumulate(share, initial=0.0))
    columns = tuple(range(0, T, max(T // 40, 1)))
    look = TimeLook(
        module=module,
        kind="RNN_TANH",
        layer=layer,
        direction="forward",
        T=T,
        batch=16,
        hidden=32,
        horizon=horizon,
        factor=factor,
        reach=reach,
        lag_share=share,
        truncation_bias=bias,
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
    return replace(look, **changes)  # type: ignore[arg-type]


def depth_look(module: str, kind: str, order: int, grad_rms: float | None = 1e-3, **changes: object) -> DepthLook:
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
    return replace(look, **changes)  # type: ignore[arg-type]


def vanishing() -> Record:
    """A tanh RNN whose gradient dies within a dozen steps, clipped at 0.25 on nearly every step."""
    values = norms(300, 3.0, 0.4)
    steps = tuple(
        Step(i, 0.01 * i, 0, loss=3 - i / 150, norm=v, pre_clip=v, threshold=0.25, clip="norm", watched=i % 60 == 2)
        for i, v in enumerate(values)
    )
    depth = (
        depth_look("encoder", "Embedding", 0, 2e-5),
        depth_look("rnn", "RNN", 1, 8e-5, activation="tanh", saturated=0.04, units=64),
        depth_look("decoder", "Linear", 2, 4e-4),
    )
    looks = tuple(
        Look(
            step,
            0,
            0.05,
            time=(time_look(factor=0.66 + step / 5000), time_look(layer=1, factor=0.86)),
            depth=depth,
        )
        for step in (2, 62, 122, 182, 242)
    )
    return Record(
        run("main.py", "--model", "RNN_TANH"),
        steps,
        looks,
        sites=("main.py:180",),
        models={"model": "RNNModel"},
        overhead=Overhead(0.02, 0.013, 0.021, 0.04),
        outcome=Outcome("finished", 0, seconds=3.2),
    )


def broken() -> Record:
    """A run whose gradient is NaN from step 121 on, after a spike."""
    values = norms(120, 1.0, 2.0) + [900.0] + [NAN] * 5 + [INF]
    steps = tuple(Step(i, 0.01 * i, 0, loss=1.0 if v <= 900 else NAN, norm=v) for i, v in enumerate(values))
    look = Look(2, 0, 0.1, time=(time_look(factor=1.05),), depth=(depth_look("rnn", "RNN", 0),))
    last = Look(
        121,
        0,
        0.1,
        time=(replace(time_look(), factor=None, reach=(NAN,) * 60, horizon=0, adjoint=(NAN,) * 60),),
        depth=(depth_look("rnn", "RNN", 0, NAN),),
    )
    origin = NonFinite(121, 0, "forward", "nan", module="rnn", operation="RNN_RELU", time_step=41, layer=0)
    return Record(
        run(),
        steps,
        (look, last),
        (origin,),
        sites=("train.py:31",),
        models={"net": "Net"},
        outcome=Outcome("raised", 1, "ValueError: loss is NaN", 1.3),
    )


def healthy() -> Record:
    """An LSTM whose gradient carries through the whole window."""
    values = norms(200, 1.2, 0.6, 0.1)
    steps = tuple(Step(i, 0.02 * i, 0, loss=2.5 - i / 200, norm=v) for i, v in enumerate(values))
    lstm = time_look(
        "lstm",
        factor=0.98,
        kind="LSTM",
        gamma=None,
        gamma_mean=None,
        lambda_=None,
        rho=None,
        bound_factor=None,
        exact=False,
        why_inexact="32 of 60 steps carry the map",
    )
    look = Look(2, 0, 0.1, time=(lstm,), depth=(depth_look("lstm", "LSTM", 0), depth_look("head", "Linear", 1, 2e-3)))
    return Record(
        run(),
        steps,
        tuple(replace(look, step=step) for step in (2, 70, 140)),
        sites=("train.py:12",),
        models={"net": "Net"},
        overhead=Overhead(0.02, 0.011, 0.012, 0.05),
        outcome=Outcome("finished", 0, seconds=4.1),
    )


def empty() -> Record:
    """A script that ended before any backward pass."""
    return Record(run("hello.py"), outcome=Outcome("finished", 0, seconds=0.2))


def gan() -> Record:
    """A generator and a discriminator that call backward from two lines, on norms a hundredfold apart."""
    d, g = norms(150, 0.5, 0.2), norms(150, 40.0, 90.0)
    steps = tuple(
        Step(i, 0.01 * i, i % 2, loss=0.7 + 0.01 * (i % 7), norm=(g if i % 2 else d)[i // 2]) for i in range(300)
    )

    def layers(prefix: str) -> tuple[DepthLook, ...]:
        return tuple(
            depth_look(f"{prefix}.{2 * i}", "Linear", 2 * i, 10.0 ** (i - 5), update_ratio=2e-3) for i in range(4)
        ) + tuple(
            depth_look(
                f"{prefix}.{2 * i + 1}",
                "ReLU",
                2 * i + 1,
                10.0 ** (i - 5),
                activation="relu",
                dead=0.1 * i,
                saturated=0.0,
                units=64,
                weight_norm=None,
                weight_grad_norm=None,
                update_ratio=None,
                parameters=0,
            )
            for i in range(4)
        )

    looks = (Look(2, 0, 0.1, depth=layers("netD.main")), Look(3, 1, 0.1, depth=layers("netG.main")))
    return Record(
        run("dcgan.py"),
        steps,
        looks,
        sites=("dcgan.py:210", "dcgan.py:225"),
        models={"netD": "Discriminator", "netG": "Generator"},
        overhead=Overhead(0.02, 0.004, 0.006, 0.02),
        outcome=Outcome("stopped", 0, seconds=9.0),
        notes=("netD ran under autocast, its norms are divided by the loss scale.",),
    )


def hostile(name: str = 'a<script>alert(1)</script>"]]>&[bold red]\x1b[31m') -> Record:
    """A name that tries to break out of HTML, of SVG, of rich markup and of the terminal, wherever a name stands."""
    base = vanishing()
    looks = tuple(
        replace(
            look,
            time=tuple(replace(seen, module=name, why_inexact=name, exact=False) for seen in look.time),
            depth=tuple(replace(seen, module=name + str(seen.order), kind=name) for seen in look.depth),
        )
        for look in base.looks
    )
    return replace(base, run=run(name, name), looks=looks, sites=(name,), models={name: name}, notes=(name,))


def long(count: int = 24_000) -> Record:
    """A run longer than what a report keeps whole, with one spike and one NaN that must survive."""
    values = norms(count, 2.0, 0.5)
    values[count // 3] = 5e4
    values[count // 2] = NAN
    steps = tuple(Step(i, 0.001 * i, 0, loss=1.0, norm=v) for i, v in enumerate(values))
    return replace(healthy(), steps=steps)


def large() -> Record:
    """Ten recurrent layers over a thousand steps, five hundred modules: more than a page shows in full."""
    time = tuple(time_look(f"encoder.block.{i}.recurrent", factor=0.99 - i / 100, T=1000) for i in range(10))
    depth = tuple(depth_look(f"encoder.block.{i // 4}.projection.{i}", "Linear", i, 1e-3) for i in range(500))
    return replace(long(20_000), looks=(Look(2, 0, 0.1, time=time, depth=depth), Look(9, 0, 0.1, time, depth)))


def deep() -> Record:
    """Twelve alike blocks of two layers, through which the gradient vanishes downward."""
    kinds = (("attn.q", "Linear"), ("norm", "LayerNorm"), ("ff", "Linear"))
    depth = tuple(
        depth_look(f"net.blocks.{i}.{name}", kind, 3 * i + j, 10.0 ** (i - 14), update_ratio=10.0 ** (i - 15))
        for i in range(12)
        for j, (name, kind) in enumerate(kinds)
    )
    depth += (depth_look("net.head", "Linear", 36, 5e-3),)
    steps = tuple(Step(i, 0.01 * i, 0, loss=2.3, norm=v) for i, v in enumerate(norms(200, 0.2, 0.3)))
    looks = tuple(Look(step, 0, 0.1, depth=depth) for step in (2, 62, 122))
    return replace(healthy(), run=run("deep.py"), steps=steps, looks=looks)


def guarded() -> Record:
    """The broken run, had a guard skipped its bad step."""
    base = broken()
    deeds = (
        GuardAction(121, "skipped", "the loss is nan"),
        GuardAction(122, "rolled back", "to the snapshot of step 100"),
    )
    return replace(base, guarded=GuardSummary(optimizers=1, updates=120, clipped=3, threshold=2.5, deeds=deeds))


def lag(lag: int, until: int | None = None, share: float = 0.0, **changes: object) -> Lag:
    """A band of lags, significant where its share is above 0."""
    until, q = until or lag, 0.0014 if share else 0.71
    found = Lag(lag, until, (lag + until) // 2, 31.0 if share else -0.2, q / 2, q, share, 0.018)
    return replace(found, **changes)  # type: ignore[arg-type]


def dependency(*lags: Lag, **changes: object) -> Dependency:
    found = Dependency(lags, 256, 2560, 60, module="rnn", step=242, looks=5, error=0.94)
    return replace(found, **changes)  # type: ignore[arg-type]


def asked() -> Record:
    """The vanishing run, whose error depends on near inputs and on far ones, out of its reach."""
    bands = (lag(1), lag(2, 3, 0.08), lag(4, 6, 0.0004), lag(7, 18), lag(19, 28, 0.05), lag(29, 43, 0.24))
    made = vanishing()
    rest = tuple(replace(step, loss=2.0) for step in made.steps)
    return replace(made, steps=rest, dependency=(dependency(*bands, lag(44, 59, detectable=0.09)),))


def free() -> Record:
    """The vanishing run, had its data nothing to learn far back."""
    return replace(vanishing(), dependency=(dependency(lag(1), lag(2, 3), lag(4, 20), lag(21, 59)),))


def scarce() -> Record:
    """The vanishing run with too few sequences to ask."""
    why = "12 positions in 3 sequences are too few: at least 16 sequences are needed"
    return replace(vanishing(), dependency=(dependency(sequences=3, positions=12, why_not=why),))


def chunked() -> Record:
    """Chunks of 35 steps of one stream, whose error depends on what came before the chunk."""
    looks = tuple(
        Look(step, 0, 0.05, time=(time_look("model.rnn", factor=0.99, T=35, kind="LSTM", gamma=None),))
        for step in (2, 62, 122)
    )
    found = dependency(lag(1, 34), lag(35, 52, 0.12), lag(53, 79), module="model.rnn", T=105, block=25)
    return replace(vanishing(), looks=looks, models={"model": "Model"}, dependency=(found,))


def probed() -> Record:
    """A convolution over time that sees 15 steps back, and an error that depends on more."""
    reach = tuple(0.8**n if n < 16 else 0.0 for n in range(64))
    looks = tuple(
        Look(
            step,
            0,
            0.05,
            probes=(Probe("model.head", 64, 15, reach, 4),),
            depth=(depth_look("model.head", "Linear", 0),),
        )
        for step in (2, 62, 122)
    )
    found = dependency(lag(1, 15, 0.03), lag(16, 30, 0.0), lag(31, 46, 0.31), module="model.head", T=64)
    return replace(vanishing(), looks=looks, models={"model": "TCN"}, dependency=(found,))


_MADE = (
    vanishing,
    broken,
    healthy,
    empty,
    gan,
    hostile,
    long,
    large,
    guarded,
    asked,
    free,
    scarce,
    chunked,
    probed,
    deep,
)
ALL = {made.__name__: made() for made in _MADE}

VANISHING = Finding(
    code="GR101",
    severity="info",
    title="vanishing through time",
    where={"module": "rnn", "layer": 0, "direction": "forward"},
    evidence={"horizon": 12, "T": 60, "factor": 0.68, "bound_factor": 1.2, "exact": True},
    because="r(ℓ) falls under 0.01 after lag 12 of 59: each step back multiplies it by 0.68. The bound allows 1.2.",
    remedies=(
        Remedy("lstm", "model.rnn = torch.nn.LSTM(32, 32)", "Its cell state carries the gradient by addition."),
        Remedy("orthogonal", "gr.init.orthogonal_(model.rnn)", "Every singular value of W_hh starts at 1."),
    ),
)
BROKEN = Finding(
    code="GR301",
    severity="error",
    title="non-finite gradient",
    where={"step": 121, "module": "rnn", "layer": 0, "time_step": 41, "site": "train.py:31"},
    evidence={"phase": "forward", "value": "nan", "operation": "RNN_RELU", "norm_before": 900.0, "norm": NAN},
    because="step 121 holds the first NaN: it arose in the forward pass of `rnn`. The step before had a norm of 900.",
    remedies=(Remedy("clip", "torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)", "it caps the spike before"),),
)
CLIPPED = Finding(
    code="GR303",
    severity="warning",
    title="clipping threshold far too low",
    where={"site": "main.py:180"},
    evidence={"threshold": 0.25, "clip_rate": 1.0, "norm_median": 1.1},
    because="the threshold 0.25 lies under 100 % of the norms.",
    remedies=(Remedy("clip", "clip_grad_norm_(model.parameters(), 3.0)", "It acts on spikes alone."),),
)
FINDINGS = {"vanishing": (CLIPPED, VANISHING), "broken": (BROKEN,), "hostile": (CLIPPED, VANISHING)}

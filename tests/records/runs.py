"""One record for each shape of run that a report must render; `ALL` holds each by its name."""

from __future__ import annotations

from dataclasses import replace

from gradreach.record.schema import GuardDeed, GuardSummary, NonFinite, Outcome, Overhead, Record
from gradreach.record.seen.depth import DepthLook

from .parts import (
    INF,
    NAN,
    activation,
    at,
    dependency,
    depth_look,
    free,
    lag,
    norms,
    probe,
    record,
    run,
    steps,
    time_look,
)


def vanishing() -> Record:
    """A tanh RNN whose gradient dies within a dozen steps, clipped at 0.25 on nearly every step."""
    values = norms(300, 3.0, 0.4)
    taken = steps(300, values.__getitem__, lambda i: 3 - i / 150, threshold=0.25, clip="norm")
    depth = (
        depth_look("encoder", "Embedding", 0, 2e-5),
        depth_look("rnn", "RNN", 1, 8e-5, activation="tanh", saturated=0.04, units=64),
        depth_look("decoder", "Linear", 2, 4e-4),
    )
    looks = tuple(
        look
        for step in (2, 62, 122, 182, 242)
        for look in at(
            time_look("rnn", factor=0.66 + step / 5000),
            time_look("rnn", layer=1, factor=0.86),
            *depth,
            start=step,
            count=1,
            seconds=0.05,
        )
    )
    return record(
        tuple(replace(step, pre_clip=step.norm, watched=step.step % 60 == 2) for step in taken),
        looks,
        run=run("main.py", "--model", "RNN_TANH"),
        sites=("main.py:180",),
        models={"model": "RNNModel"},
        overhead=Overhead(0.02, 0.013, 0.021, 0.04),
        outcome=Outcome("finished", 0, seconds=3.2),
    )


def broken() -> Record:
    """A run whose gradient is NaN from step 121 on, after a spike."""
    values = norms(120, 1.0, 2.0) + [900.0] + [NAN] * 5 + [INF]
    last = time_look("rnn", factor=0.7, reach=(NAN,) * 60, horizon=0, adjoint=(NAN,) * 60)
    return record(
        steps(len(values), values.__getitem__, lambda i: 1.0 if values[i] <= 900 else NAN),
        (
            *at(time_look("rnn", factor=1.05), depth_look("rnn", "RNN", 0), start=2, count=1, seconds=0.1),
            *at(replace(last, factor=None), depth_look("rnn", "RNN", 0, NAN), start=121, count=1, seconds=0.1),
        ),
        nonfinite=(NonFinite(121, 0, "forward", "nan", module="rnn", operation="RNN_RELU", time_step=41, layer=0),),
        sites=("train.py:31",),
        models={"net": "Net"},
        outcome=Outcome("raised", 1, "ValueError: loss is NaN", 1.3),
    )


def healthy() -> Record:
    """An LSTM whose gradient carries through the whole window."""
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
    depth = (depth_look("lstm", "LSTM", 0), depth_look("head", "Linear", 1, 2e-3))
    return record(
        steps(200, norms(200, 1.2, 0.6, 0.1).__getitem__, lambda i: 2.5 - i / 200, pace=0.02),
        tuple(look for step in (2, 90, 170) for look in at(lstm, *depth, start=step, count=1, seconds=0.1)),
        sites=("train.py:12",),
        models={"net": "Net"},
        overhead=Overhead(0.02, 0.011, 0.012, 0.05),
        outcome=Outcome("finished", 0, seconds=4.1),
    )


def empty() -> Record:
    """A script that ended before any backward pass."""
    return record(run=run("hello.py"), sites=(), models={}, outcome=Outcome("finished", 0, seconds=0.2))


def gan() -> Record:
    """A generator and a discriminator that call backward from two lines, on norms a hundredfold apart."""
    d, g = norms(150, 0.5, 0.2), norms(150, 40.0, 90.0)
    taken = steps(300, lambda i: (g if i % 2 else d)[i // 2], lambda i: 0.7 + 0.01 * (i % 7))

    def layers(prefix: str) -> tuple[DepthLook, ...]:
        linear = (
            depth_look(f"{prefix}.{2 * i}", "Linear", 2 * i, 10.0 ** (i - 5), update_ratio=2e-3) for i in range(4)
        )
        relu = (
            activation(
                "ReLU",
                2 * i + 1,
                module=f"{prefix}.{2 * i + 1}",
                activation_rms=0.8,
                grad_rms=10.0 ** (i - 5),
                dead=0.1 * i,
                saturated=0.0,
            )
            for i in range(4)
        )
        return (*linear, *relu)

    return record(
        tuple(replace(step, site=step.step % 2) for step in taken),
        (
            *at(*layers("netD.main"), start=2, count=1, seconds=0.1),
            *at(*layers("netG.main"), start=3, count=1, seconds=0.1, site=1),
        ),
        run=run("dcgan.py"),
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
    return replace(healthy(), steps=steps(count, values.__getitem__, lambda _: 1.0, pace=0.001))


def large() -> Record:
    """Ten recurrent layers over a thousand steps, five hundred modules: more than a page shows in full."""
    time = (time_look(f"encoder.block.{i}.recurrent", factor=0.99 - i / 100, T=1000) for i in range(10))
    depth = (depth_look(f"encoder.block.{i // 4}.projection.{i}", "Linear", i) for i in range(500))
    return replace(long(20_000), looks=at(*time, *depth, start=2, count=2, every=7, seconds=0.1))


def deep() -> Record:
    """Twelve alike blocks of two layers, through which the gradient vanishes downward."""
    kinds = (("attn.q", "Linear"), ("norm", "LayerNorm"), ("ff", "Linear"))
    depth = tuple(
        depth_look(f"net.blocks.{i}.{name}", kind, 3 * i + j, 10.0 ** (i - 14), update_ratio=10.0 ** (i - 15))
        for i in range(12)
        for j, (name, kind) in enumerate(kinds)
    )
    return replace(
        healthy(),
        run=run("deep.py"),
        steps=steps(200, norms(200, 0.2, 0.3).__getitem__, lambda _: 2.3),
        looks=at(*depth, depth_look("net.head", "Linear", 36, 5e-3), start=2, count=3, every=60, seconds=0.1),
    )


def guarded() -> Record:
    """The broken run, had a guard skipped its bad step."""
    deeds = (
        GuardDeed(121, "skipped", "the loss is nan"),
        GuardDeed(122, "rolled back", "to the snapshot of step 100"),
    )
    return replace(broken(), guarded=GuardSummary(optimizers=1, updates=120, clipped=3, threshold=2.5, deeds=deeds))


def asked() -> Record:
    """The vanishing run, whose error depends on near inputs and on far ones, out of its reach."""
    bands = (
        free(1),
        lag(2, 3, 0.08),
        lag(4, 6, 0.0004, at=5),
        free(7, 18),
        lag(19, 28, 0.05, at=23),
        lag(29, 43, at=36),
        free(44, 59, detectable=0.09),
    )
    made = vanishing()
    rest = tuple(replace(step, loss=2.0) for step in made.steps)
    return replace(made, steps=rest, dependency=(dependency(*bands, **_OF_VANISHING),))


def nothing_far() -> Record:
    """The vanishing run, had its data nothing to learn far back."""
    bands = (free(1), free(2, 3), free(4, 20), free(21, 59))
    return replace(vanishing(), dependency=(dependency(*bands, **_OF_VANISHING),))


def scarce() -> Record:
    """The vanishing run with too few sequences to ask."""
    why = "12 positions in 3 sequences are too few: at least 16 sequences are needed"
    few = dependency(sequences=3, positions=12, why_not=why, **_OF_VANISHING)
    return replace(vanishing(), dependency=(few,))


def chunked() -> Record:
    """Chunks of 35 steps of one stream, whose error depends on what came before the chunk."""
    looks = at(time_look(factor=0.99, T=35, kind="LSTM", gamma=None), start=2, count=3, every=60, seconds=0.05)
    bands = (free(1, 34), lag(35, 52, 0.12, at=43), free(53, 79))
    found = dependency(*bands, T=105, block=25, **{**_OF_VANISHING, "module": "model.rnn"})
    return replace(vanishing(), looks=looks, models={"model": "Model"}, dependency=(found,))


def probed() -> Record:
    """A convolution over time that sees 15 steps back, and an error that depends on more."""
    reach = tuple(0.8**n if n < 16 else 0.0 for n in range(64))
    parts = (probe(T=64, reach=reach), depth_look("model.head", "Linear", 0))
    bands = (lag(1, 15, 0.03, at=8), free(16, 30), lag(31, 46, 0.31, at=38))
    found = dependency(*bands, T=64, **{**_OF_VANISHING, "module": "model.head"})
    looks = at(*parts, start=2, count=3, every=60, seconds=0.05)
    return replace(vanishing(), looks=looks, models={"model": "TCN"}, dependency=(found,))


_OF_VANISHING = {"module": "rnn", "step": 242, "looks": 5}

ALL: dict[str, Record] = {
    "vanishing": vanishing(),
    "broken": broken(),
    "healthy": healthy(),
    "empty": empty(),
    "gan": gan(),
    "hostile": hostile(),
    "long": long(),
    "large": large(),
    "guarded": guarded(),
    "asked": asked(),
    "free": nothing_far(),
    "scarce": scarce(),
    "chunked": chunked(),
    "probed": probed(),
    "deep": deep(),
}

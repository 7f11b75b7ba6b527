"""The run itself: what was run, how it ended, what watching cost, what a guard did."""

from typing import Annotated, Literal

from msgspec import Meta

from gradreach.report.fields.common import Count, Fields, Figure


class RunFields(Fields):
    """What was run, and where."""

    script: Annotated[str, Meta(description="path of the script as it was called, or name of the module")]
    argv: Annotated[list[str], Meta(description="its arguments, the script left out")]
    started: Annotated[str, Meta(description="when it began: ISO 8601, UTC")]
    torch: Annotated[str, Meta(description="version of torch")]
    python: Annotated[str, Meta(description="version of Python")]
    device: Annotated[str, Meta(description="where the parameters lay: cpu, cuda, …")]
    world_size: Annotated[int, Meta(description="processes of the distributed run; 1 where it was none", ge=1)]
    rank: Annotated[Count, Meta(description="rank of the process that this is the record of")]
    seconds: Annotated[Figure, Meta(description="how long it took, or went on until it was last seen, s")]


class OutcomeFields(Fields):
    """How the run ended."""

    how: Annotated[
        Literal["finished", "stopped", "raised", "interrupted", "unknown"],
        Meta(description="stopped: by --steps, as asked; unknown: killed, or still running"),
    ]
    code: Annotated[int | None, Meta(description="exit code of the script; null where it did not get so far")]
    error: Annotated[str, Meta(description="the exception as Python prints it; empty where none was raised")]
    seconds: Annotated[Figure, Meta(description="from start to end, s; null where the end was not seen")]


class OverheadFields(Fields):
    """What watching cost; null where it was not measured."""

    budget: Annotated[Figure, Meta(description="share of the wall time that watching was allowed")]
    measured: Annotated[
        Figure,
        Meta(description="share that it took past the first 50 steps, or of the whole of a shorter run"),
    ]
    whole: Annotated[Figure, Meta(description="share that it took over all steps")]
    seconds: Annotated[Figure, Meta(description="what it took over all steps, s")]
    norm_every: Annotated[int, Meta(description="each so-manieth step had its global norm taken, in the end", ge=1)]
    passes: Annotated[Count, Meta(description="backward passes when this was measured")]
    every: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="each so-manieth step was watched as asked, whatever it cost; null where the budget decided"),
    ]
    closing: Annotated[
        float,
        Meta(description="what the last questions to the data took after the last step, in no share, s", ge=0),
    ]
    memory: Annotated[
        Count | None,
        Meta(description="bytes by which looks raised the peak of what the process held; null where it is not known"),
    ]
    memory_allowed: Annotated[
        Count | None,
        Meta(description="bytes that a look was allowed; null where that was a quarter of what the process held"),
    ]


class DeedFields(Fields):
    """One thing that the guard did."""

    step: Annotated[Count, Meta(description="step after which")]
    what: Annotated[
        Literal["skipped", "rolled back", "accepted", "left alone", "gave up"],
        Meta(description="what it did about the update"),
    ]
    why: Annotated[str, Meta(description="why, in plain words")]


class GuardFields(Fields):
    """What `run --guard` did to the training; null without it."""

    optimizers: Annotated[Count, Meta(description="optimizers that it stood before")]
    updates: Annotated[Count, Meta(description="updates that they made or would have made")]
    clipped: Annotated[Count, Meta(description="updates that were made shorter")]
    threshold: Annotated[
        Figure,
        Meta(description="limit on the global norm that was in force last; null where the script clips by itself"),
    ]
    deeds: Annotated[list[DeedFields], Meta(description="the rest of what it did, in order")]

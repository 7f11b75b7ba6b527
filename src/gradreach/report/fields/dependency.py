"""What the data was asked, and the answer at each lag."""

from typing import Annotated, Literal

from msgspec import Meta

from gradreach.report.fields.common import Count, Fields, Figure, Share


class LagFields(Fields):
    """One band of lags that was tested."""

    module: Annotated[str, Meta(description="dotted path of the layer whose output carries the error")]
    site: Annotated[Count, Meta(description="index into `sites`: the line that called backward")]
    lag: Annotated[Count, Meta(description="first lag of the band, steps back")]
    until: Annotated[Count, Meta(description="last lag of the band, steps back")]
    at: Annotated[Count, Meta(description="the lag within the band that said most")]
    z: Annotated[Figure, Meta(description="the statistic, standardised by its null")]
    p: Annotated[Share, Meta(description="share of the null at or above it")]
    q: Annotated[Share, Meta(description="p after Benjamini and Hochberg over the lags of the test")]
    share: Annotated[
        Figure,
        Meta(
            description="share of the error's variance that the inputs there explain, out of sample; under 0 "
            "where they explain none",
        ),
    ]
    detectable: Annotated[Figure, Meta(description="the share that would have been found 95 times in 100")]
    reach: Annotated[Figure, Meta(description="r at `at`; null where it is not known, 0 past the chunk")]
    verdict: Annotated[
        Literal["vanishing", "reached", "cut off", "not judged", "slight", "nothing", "undecided"],
        Meta(
            description="of a lag on which the error depends: vanishing: under 1 % of the gradient comes from "
            "there; reached: more does; cut off: the chunk ends before it; not judged: no reach is "
            "known; slight: it depends on too little to matter. Else nothing: a share worth learning "
            "would have been found; undecided: it may have been missed",
        ),
    ]


class DependencyTestFields(Fields):
    """One test of what the error depends on."""

    sequences: Annotated[Count, Meta(description="independent sequences, or blocks of them, that it rests on")]
    positions: Annotated[Count, Meta(description="errors that it rests on")]
    T: Annotated[Count, Meta(description="length of the sequences, steps")]
    block: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="steps of a block where blocks stand for sequences"),
    ]
    why_not: Annotated[str, Meta(description="what was lacking where no lag could be tested; empty else")]
    module: Annotated[str, Meta(description="dotted path of the layer whose output carries the error")]
    site: Annotated[Count, Meta(description="index into `sites`: the line that called backward")]
    step: Annotated[Count, Meta(description="the last step that entered")]
    looks: Annotated[Count, Meta(description="watched steps that entered")]
    error: Annotated[
        Figure,
        Meta(description="root mean square of the error at the last of them, relative to the first"),
    ]
    horizon: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="of the layer there that reaches farthest, steps; null where none is known"),
    ]

"""The series over steps, and each line that calls backward."""

from typing import Annotated, Literal

from msgspec import Meta

from gradreach.report.fields.common import Count, Fields, Figure, Share


class SiteFields(Fields):
    """One line of the script that calls backward."""

    site: Annotated[str, Meta(description="file:line")]
    steps: Annotated[Count, Meta(description="measured steps that it called")]
    norm_median: Annotated[Figure, Meta(description="median of the global norm before clipping")]
    norm_largest: Annotated[Figure, Meta(description="largest finite global norm before clipping")]
    threshold: Annotated[
        Figure,
        Meta(description="limit on the global norm that was in force last; null where nothing clips by norm"),
    ]
    clip_rate: Annotated[Share, Meta(description="share of its steps whose norm lay above the limit")]
    course: Annotated[
        Literal["falls", "rests", "hardly falls", "does not fall", "rises again", "rises", "unknown"],
        Meta(
            description="how its loss went: falls: by more than its noise and 5 % or more; rests: it did, within a "
            "tenth of the run, and no more since; rises again: it did, and lost much of that; hardly falls: by more "
            "than its noise, by less than 5 %; unknown: too few steps, too much noise, or a sign that changes",
        ),
    ]
    loss_first: Annotated[Figure, Meta(description="the loss at first; null where none was read")]
    loss_last: Annotated[Figure, Meta(description="median of the loss in the last quarter; null where none was read")]


class ClipFields(Fields):
    """Clipping by global norm."""

    threshold: Annotated[Figure, Meta(description="limit that was in force last; null where nothing clips by norm")]
    rate: Annotated[Share, Meta(description="share of the steps under a limit whose norm lay above it")]
    low: Annotated[Share, Meta(description="lower end of its 95 % interval; the share itself where it is no estimate")]
    high: Annotated[Share, Meta(description="upper end of its 95 % interval")]
    scaled: Annotated[
        bool,
        Meta(description="whether the script clips norms that the loss scale still multiplies, before `unscale_`"),
    ]
    idle: Annotated[
        bool,
        Meta(
            description="whether the script's clipping calls limit nothing: they come before `backward`, after the "
            "update, or are on other parameters; the limit and its share are then null",
        ),
    ]
    advised: Annotated[
        Figure,
        Meta(
            description="the norm that only the largest 1 % of ordinary steps lie above, 10 times their median at "
            "most; null where none is known"
        ),
    ]


class NormFields(Fields, rename={"global_": "global"}):
    """The series over steps; above 20,000 steps of each stretch the lowest and the highest value stay."""

    global_: Annotated[
        list[Figure],
        Meta(description="2-norm over all gradients at the end of each step's last backward pass, before any clipping"),
    ]
    steps: Annotated[list[Count], Meta(description="the step of each entry of `global`, `site` and `loss`")]
    site: Annotated[list[Count], Meta(description="of each entry the index into `sites`")]
    loss: Annotated[
        list[Figure],
        Meta(description="the value that backward was called on; null where it was not measured"),
    ]
    clip: Annotated[ClipFields, Meta(description="clipping by global norm")]
    median: Annotated[Figure, Meta(description="median of the global norm over all steps")]
    largest: Annotated[Figure, Meta(description="largest finite global norm")]
    nonfinite_steps: Annotated[list[Count], Meta(description="steps whose norm or loss was NaN or infinite")]
    spikes: Annotated[list[Count], Meta(description="steps that the rule on gradient spikes (GR302) names")]

"""The fields of the JSON form of a comparison, typed and described: its form and its schema in one."""

from typing import Annotated, Literal

from msgspec import Meta

from gradreach.report.compare.measure import MeasureKey
from gradreach.report.fields.common import Count, Fields, Figure, Share
from gradreach.report.fields.findings import FindingFields


class SideFields(Fields):
    """One of the two runs."""

    name: Annotated[str, Meta(description="what the run is called: the path that was given")]
    script: Annotated[str, Meta(description="path of the script as it was called")]
    argv: Annotated[list[str], Meta(description="its arguments")]
    started: Annotated[str, Meta(description="when it began: ISO 8601, UTC")]
    seconds: Annotated[Figure, Meta(description="how long it took, s")]
    torch: Annotated[str, Meta(description="version of torch")]
    device: Annotated[str, Meta(description="where the parameters lay")]
    steps: Annotated[Count, Meta(description="updates, of one backward pass each or of several")]
    watched_steps: Annotated[Count, Meta(description="steps that were looked at closely")]
    outcome: Annotated[
        Literal["finished", "stopped", "raised", "interrupted", "unknown"],
        Meta(description="how it ended"),
    ]
    verdict: Annotated[str, Meta(description="what it comes to, as in its own report", min_length=1)]


class VerdictFields(Fields):
    """What it comes to."""

    level: Annotated[
        Literal["better", "worse", "mixed", "changed", "same", "incomparable"],
        Meta(
            description="of B; mixed: something better and something worse; changed: a difference, but neither "
            "loss nor error tells which way; same: none that the noise would not make; incomparable: "
            "the sentence says why",
        ),
    ]
    sentence: Annotated[str, Meta(description="in one sentence", min_length=1)]


class PartFields(Fields):
    """The steps whose figures are compared: the later half of those that both have before either broke; null where
    there are none."""

    first: Annotated[Count, Meta(description="first step")]
    last: Annotated[Count, Meta(description="last step")]
    why: Annotated[str, Meta(description="what ended it where one run goes on; empty where none does")]


class SettingFields(Fields):
    """One setting that differs."""

    name: Annotated[str, Meta(description="option or setting")]
    a: Annotated[str, Meta(description="in A; empty where it has none")]
    b: Annotated[str, Meta(description="in B; empty where it has none")]


class SeverityPairFields(Fields):
    """Its severity in either run; null where it has it not."""

    a: Annotated[Literal["error", "warning", "info"] | None, Meta(description="its severity in A")]
    b: Annotated[Literal["error", "warning", "info"] | None, Meta(description="its severity in B")]


class MatchFields(Fields):
    """A finding of either run, or of both."""

    code: Annotated[str, Meta(description="the rule's code", pattern="^GR[0-9]{3}$")]
    title: Annotated[str, Meta(description="what the rule looks for")]
    state: Annotated[
        Literal["gone", "new", "changed", "not judged", "stayed"],
        Meta(
            description="gone: in A alone; new: in B alone; changed: in both, of another severity; not judged: in "
            "one alone, while the other gave no evidence to judge by; stayed: in both alike",
        ),
    ]
    place: Annotated[str, Meta(description="where it stands, in words")]
    severity: Annotated[SeverityPairFields, Meta(description="its severity in either run; null where it has it not")]
    a: Annotated[FindingFields | None, Meta(description="the finding of A")]
    b: Annotated[FindingFields | None, Meta(description="the finding of B")]
    why: Annotated[str, Meta(description="what the other run lacked to judge by; empty else")]


class NoiseFields(Fields):
    """What the intervals are worth."""

    level: Annotated[float, Meta(description="share of two equal runs in which a change may be claimed", gt=0)]
    figures_tested: Annotated[Count, Meta(description="figures with an interval, for which p is corrected")]
    correction: Annotated[Literal["Holm"], Meta(description="how p is corrected for their number")]
    seeds: Annotated[str, Meta(description="what one run a side does not say")]


class MeasureFields(Fields):
    """One figure of both runs."""

    key: Annotated[MeasureKey, Meta(description="which figure")]
    name: Annotated[str, Meta(description="its name in words")]
    place: Annotated[str, Meta(description="line, layer or module; empty where it is of the whole run")]
    unit: Annotated[
        Literal["", "s", "share", "steps", "per step"],
        Meta(description="unit of `a` and `b`; empty where it has none"),
    ]
    over: Annotated[str, Meta(description="the steps or looks that it rests on")]
    a: Annotated[Figure, Meta(description="in A")]
    b: Annotated[Figure, Meta(description="in B")]
    ratio: Annotated[bool, Meta(description="whether `change` is B / A rather than B − A")]
    change: Annotated[
        Figure,
        Meta(
            description="by how much B differs, in the mean over what it rests on; null where no interval can be given",
        ),
    ]
    interval: Annotated[list[Figure] | None, Meta(description="95 % interval of `change`, for these two runs alone")]
    p: Annotated[
        Share,
        Meta(
            description="probability of as large a change from noise alone, after the correction; null without an "
            "interval",
        ),
    ]
    changed: Annotated[bool, Meta(description="whether p is at or under the level")]
    lacking: Annotated[str, Meta(description="why there is no interval; empty where there is one")]


class CurveFields(Fields):
    """One curve of both runs."""

    title: Annotated[str, Meta(description="what it shows")]
    x: Annotated[str, Meta(description="what x counts")]
    y: Annotated[str, Meta(description="what y measures")]
    log: Annotated[bool, Meta(description="whether y is drawn on a log axis")]
    a: Annotated[list[tuple[float, Figure]], Meta(description="points (x, y) of A")]
    b: Annotated[list[tuple[float, Figure]], Meta(description="points (x, y) of B")]
    horizons: Annotated[list[Count] | None, Meta(description="of a reach curve the horizons of A and B, steps")]
    names: Annotated[list[str], Meta(description="of a curve along the depth the modules at x = 0, 1, …")]


class ComparisonFields(Fields):
    """What changed from run A to run B: `gradreach compare A B --format json`. A figure that was not measured or is not
    finite is null, never 0."""

    schema: Annotated[
        Literal["gradreach-compare/1"],
        Meta(description="name and version of this form; the version rises where a reader could be misled"),
    ]
    version: Annotated[str, Meta(description="version of gradreach that wrote this", min_length=1)]
    a: Annotated[SideFields, Meta(description="run A, the earlier one or the one to measure by")]
    b: Annotated[SideFields, Meta(description="run B, the one that is set beside it")]
    judgement: Annotated[VerdictFields, Meta(description="what it comes to")]
    part: Annotated[
        PartFields | None,
        Meta(
            description="the steps whose figures are compared: the later half of those that both have before "
            "either broke; null where there are none",
        ),
    ]
    settings: Annotated[list[SettingFields], Meta(description="in what the runs were started and watched differently")]
    findings: Annotated[
        list[MatchFields],
        Meta(
            description="the findings of both runs: what changed first, then what stayed, each the most serious first",
        ),
    ]
    noise: Annotated[NoiseFields, Meta(description="what the intervals are worth")]
    figures: Annotated[list[MeasureFields], Meta(description="figures side by side")]
    curves: Annotated[
        list[CurveFields],
        Meta(
            description="the same curve of both runs; of more than 4,000 points the lowest and the highest of "
            "each stretch",
        ),
    ]

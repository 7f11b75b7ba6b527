"""The whole report."""

from typing import Annotated, Literal

from msgspec import Meta

from gradreach.report.fields.common import Count, Fields
from gradreach.report.fields.dependency import DependencyTestFields, LagFields
from gradreach.report.fields.findings import FindingFields, NonFiniteFields
from gradreach.report.fields.looks import DepthFields, ProbeFields, TimeFields
from gradreach.report.fields.norms import NormFields, SiteFields
from gradreach.report.fields.run import GuardFields, OutcomeFields, OverheadFields, RunFields


class RunVerdictFields(Fields):
    """What the run comes to."""

    level: Annotated[
        Literal["error", "warning", "learns", "stalled", "unseen"],
        Meta(
            description="error, warning: as the worst finding, or the script raised an error; where nothing was found, "
            "learns: the loss fell, and looks reach into the last fifth of the run; stalled: it did not, or no more; "
            "unseen: too little is known",
        ),
    ]
    sentence: Annotated[str, Meta(description="the same in words, as on the page and on a terminal", min_length=1)]


class AnswerFields(Fields):
    """The answer to one question that people come with."""

    question: Annotated[str, Meta(description="the question", min_length=1)]
    answer: Annotated[str, Meta(description="the answer, as on the page and on a terminal", min_length=1)]


class ReportFields(Fields):
    """What was seen of one training run, and what the rules make of it: `gradreach report DIR --format json`,
    `gradreach run --json FILE`. Norms are 2-norms of gradients already divided by the loss scale; times are seconds;
    steps are updates, counted from 0; lags count steps back from 0. A figure that was not measured or is not finite is
    null, never 0."""

    schema: Annotated[
        Literal["gradreach/1"],
        Meta(description="name and version of this form; the version rises where a reader could be misled"),
    ]
    version: Annotated[str, Meta(description="version of gradreach that wrote this", min_length=1)]
    run: Annotated[RunFields, Meta(description="what was run, and where")]
    outcome: Annotated[OutcomeFields, Meta(description="how the run ended")]
    verdict: Annotated[RunVerdictFields, Meta(description="what the run comes to")]
    answers: Annotated[
        list[AnswerFields],
        Meta(
            description="is my RNN (without a recurrence: my gradient) vanishing, did anything turn NaN, which clip "
            "threshold; the one that broke the run first; none without a step"
        ),
    ]
    models: Annotated[
        dict[str, str],
        Meta(description="class of each root module by the name that the script gives it"),
    ]
    sites: Annotated[
        list[SiteFields],
        Meta(description="each line of the script that calls backward; `site` elsewhere is an index into this list"),
    ]
    steps: Annotated[
        Count,
        Meta(description="updates of the run: a backward pass each, or several whose gradients are summed for one"),
    ]
    passes: Annotated[Count, Meta(description="backward passes of the run: as many as steps, or more")]
    watched_steps: Annotated[Count, Meta(description="steps that were looked at closely, as the budget allowed")]
    overhead: Annotated[OverheadFields | None, Meta(description="what watching cost; null where it was not measured")]
    guarded: Annotated[GuardFields | None, Meta(description="what `run --guard` did to the training; null without it")]
    norm: Annotated[
        NormFields,
        Meta(
            description="the series over steps; above 20,000 steps of each stretch the lowest and the highest "
            "value stay",
        ),
    ]
    time: Annotated[
        list[TimeFields],
        Meta(
            description="each direction of each recurrent layer, for each line that calls backward, at the watched "
            "step of middling horizon among its last three sound ones",
        ),
    ]
    depth: Annotated[
        list[DepthFields],
        Meta(
            description="each leaf module, for each line that calls backward, at its last sound watched step, in "
            "the order of execution",
        ),
    ]
    probes: Annotated[
        list[ProbeFields],
        Meta(description="how far back the input still moves the error of a model without a recurrence"),
    ]
    dependency: Annotated[
        list[LagFields],
        Meta(
            description="does the error depend on the inputs `lag` to `until` steps back, and how much of the "
            "gradient comes from there: an entry for each lag or band of lags of each of the "
            "`dependency_tests`",
        ),
    ]
    dependency_tests: Annotated[
        list[DependencyTestFields],
        Meta(description="the score tests that were made, one for each module and line that calls backward"),
    ]
    nonfinite: Annotated[
        list[NonFiniteFields],
        Meta(description="the first non-finite value of a step, as its replay found it"),
    ]
    findings: Annotated[
        list[FindingFields],
        Meta(
            description="what the rules found, the most serious first and among equals what is most urgent, as on "
            "the page and on a terminal",
        ),
    ]
    checks_passed: Annotated[list[str], Meta(description="codes of the checks that found nothing")]
    checks_not_judged: Annotated[
        dict[str, str],
        Meta(description="what was lacking, by the code of each check that could not be made"),
    ]
    notes: Annotated[list[str], Meta(description="plain sentences on what could not be seen, and why")]

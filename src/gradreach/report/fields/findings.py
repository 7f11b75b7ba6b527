"""What the rules found, and where a value was first not finite."""

from typing import Annotated, Literal

from msgspec import Meta

from gradreach.report.fields.common import Count, Fields


class RemedyFields(Fields):
    """One thing to do."""

    id: Annotated[str, Meta(description="its name")]
    do: Annotated[str, Meta(description="a line of code, a patch or a command")]
    why: Annotated[str, Meta(description="what it does, and what it costs")]


class FindingFields(Fields):
    """What one rule found."""

    code: Annotated[
        str,
        Meta(description="the rule's code; `gradreach explain CODE` says what it means", pattern="^GR[0-9]{3}$"),
    ]
    severity: Annotated[
        Literal["error", "warning", "info"],
        Meta(
            description="error: training is being harmed, act; warning: it will be, or likely; info: true, and "
            "harmless as things stand",
        ),
    ]
    title: Annotated[str, Meta(description="what the rule looks for, in a few words", min_length=1)]
    where: Annotated[
        dict[str, str | float | None],
        Meta(
            description="the place: module (dotted path), layer, direction, step, time_step, site (file:line), "
            "kind and others, as far as the rule knows them",
        ),
    ]
    evidence: Annotated[
        dict[str, str | float | bool | None],
        Meta(description="the figures that the finding rests on, by name; null where not finite"),
    ]
    because: Annotated[str, Meta(description="the reason in plain words with this run's own numbers", min_length=1)]
    formula: Annotated[str, Meta(description="the rule's formula with this run's own numbers; empty where it has none")]
    remedies: Annotated[list[RemedyFields], Meta(description="what to do, the first choice first")]


class NonFiniteFields(Fields):
    """A value that is not finite, and where it arose."""

    step: Annotated[Count, Meta(description="the step")]
    site: Annotated[Count, Meta(description="index into `sites`: the line that called backward")]
    phase: Annotated[
        Literal["input", "parameters", "forward", "loss", "backward"],
        Meta(
            description="where it arose: in the data, in the weights before the step, in a forward pass, in the "
            "loss, on the way back",
        ),
    ]
    value: Annotated[Literal["nan", "inf"], Meta(description="what it is")]
    module: Annotated[str, Meta(description="dotted path of the module; empty where it is not known")]
    operation: Annotated[
        str,
        Meta(description="operation in plain words, parameter, or kind of module; empty where it is not known"),
    ]
    time_step: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="time step of a recurrent layer, in the data's order, from 0"),
    ]
    layer: Annotated[Annotated[int, Meta(ge=0)] | None, Meta(description="number of the stacked layer")]
    direction: Annotated[
        Literal["forward", "reverse"] | None,
        Meta(description="direction of the layer; null where it is none"),
    ]
    replayed: Annotated[
        bool,
        Meta(description="whether the step could be run again; where not the place follows from the gradients alone"),
    ]
    scaled_away: Annotated[
        bool,
        Meta(description="whether it is an overflow that the loss scaler meets by skipping the step"),
    ]
    detail: Annotated[str, Meta(description="more on it in plain words; may be empty")]
    cause: Annotated[str, Meta(description="the kind of fault, as `log of zero`; empty where it is not known")]
    argument: Annotated[str, Meta(description="what the operation was given; empty where it is not known")]
    index: Annotated[list[Count], Meta(description="place of the first such value in its tensor, from 0")]
    shape: Annotated[list[Count], Meta(description="shape of that tensor; empty where it is not known")]
    source: Annotated[str, Meta(description="the script's line of the operation, file:line; empty where not known")]
    code: Annotated[str, Meta(description="the text of that line")]

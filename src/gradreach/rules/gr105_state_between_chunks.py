"""GR105: a state is thrown away between chunks of one stream, or never detached. It is not judged yet."""

from __future__ import annotations

from gradreach.rules.references import WILLIAMS
from gradreach.rules.rule import Explanation, Rule

RULE = Rule(
    code="GR105",
    slug="state-between-chunks",
    title="state thrown away between chunks, or never detached",
    severities=("warning",),
    family="time",
    explain=Explanation(
        cause="Chunks of one stream follow each other, yet each starts from a zero state; or the state is carried "
        "without detach, so every backward pass runs through all chunks before.",
        mathematics=("h_0 of the next chunk = h_T of the last, with its gradient cut: state = state.detach()",),
        thresholds="Not judged yet: what would show it is not recorded, so this rule never speaks. It would be judged "
        "by whether the data of one chunk goes on where the last one ended, and by the graph's growth from pass to "
        "pass: time and memory of a step that rise steadily are its sign.",
        remedies=(
            "Carry and detach: state = tuple(s.detach() for s in state); batches must then keep their streams in "
            "order.",
            "Shuffled, independent windows: then a zero state is right, and nothing beyond a window can be learned.",
        ),
        silence="It never speaks; where windows are independent samples, it would have nothing to say.",
        references=(WILLIAMS,),
    ),
)

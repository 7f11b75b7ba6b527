"""Whether the gradient gets through the depth of a model, in a breath."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.depth import Trend
from gradreach.facts.facts import Facts
from gradreach.facts.statistics import known
from gradreach.facts.wording import count, figure, shortened
from gradreach.record.schema import Finding
from gradreach.record.seen.depth import DepthLook
from gradreach.report.run_text import of_module

LITTLE = 1e-3
"""Part of the gradient at the last layer that is left at the first, under which a short model is not cleared."""

NAME = 40
"""Characters of a module's name that an answer has room for; the finding below has all of it."""


def through_depth(facts: Facts, findings: Sequence[Finding]) -> tuple[str, str]:
    """The answer in short, and the rest of the sentence."""
    codes = {finding.code for finding in findings}
    trend = max((trends[-1] for trends in facts.seen.trends.values()), key=lambda each: abs(each.decades), default=None)
    if trend is not None:
        short = "Yes" if "GR201" in codes else "No, it explodes" if "GR202" in codes else "No"
        return short, f": {_along(trend)}{facts.as_of(trend.look.step)}."
    for shown in sorted(facts.seen.depth_shown, key=lambda each: -len(facts.site(each.look.site).steps)):
        seen = [each for each in shown.modules if known([each.grad_rms]) and each.weight_norm is not None]
        if zeros := [each for each in seen if each.grad_rms == 0]:
            some = (
                f"of {count(len(zeros), 'module')}, the first of them {_name(zeros[0])},"
                if len(zeros) > 1
                else f"of {_name(zeros[0])}"
            )
            return "It is exactly 0", f": the gradient at the output {some} was 0 at step {shown.look.step:,}."
        if len(seen) > 1:
            near, far = seen[-1].grad_rms or 0.0, seen[0].grad_rms or 0.0
            short = "No sign of it" if far > LITTLE * near else "It cannot be told"
            return short, f": {_ends(seen)}; too few layers for a trend{facts.as_of(shown.look.step)}."
    return "It cannot be told", ": no gradient was seen at more than one module with weights."


def _along(trend: Trend) -> str:
    first, last = trend.layers[0], trend.layers[-1]
    return (
        f"from {_name(last)} down to {_name(first)}, over {len(trend.layers)} layers, its rms goes from "
        f"{figure(last.grad_rms)} to {figure(first.grad_rms)}, × {figure(trend.factor)} a layer"
    )


def _ends(seen: Sequence[DepthLook]) -> str:
    first, last = seen[0], seen[-1]
    return f"its rms is {figure(last.grad_rms)} at {_name(last)} and {figure(first.grad_rms)} at {_name(first)}"


def _name(seen: DepthLook) -> str:
    return f"`{shortened(of_module(seen).replace('`', ''), NAME)}`"

"""What the rules on a loss's own operation share: how its parts are named, how serious it is, and the headline."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.losses import LossPart
from gradreach.facts.wording import count
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.loss import LossLook
from gradreach.rules.rule import Where

NO_LOSS = "no look saw the loss hold an output against a target by an operation that is known"


def whose(seen: LossLook) -> str:
    """The output in words, by the module that returned it: "the output of `net.3`"."""
    return f"the output of `{seen.module}`" if seen.module else "the output"


def shape(size: tuple[int, ...]) -> str:
    """A shape as Python writes it: "(32, 1)"."""
    return f"({size[0]},)" if len(size) == 1 else f"({', '.join(map(str, size))})"


def severity(facts: Facts, part: LossPart) -> Severity:
    """An error, unless the loss falls all the same."""
    return "warning" if facts.site(part.site).learning.course == "falls" else "error"


def where(facts: Facts, part: LossPart) -> Where:
    """The module whose output is compared, and the line that calls backward."""
    module: Where = {"module": part.last.module} if part.last.module else {}
    return {**module, "site": facts.site_name(part.site)}


def over(part: LossPart) -> str:
    """How many looks saw it: "on all 30 looks"."""
    return f"on all {count(len(part.looks), 'look')}" if len(part.looks) > 1 else "on the one look"


def headline(_: Facts, finding: Finding) -> str:
    """The first sentence of the reason, which names cause and place."""
    return f"{finding.because.split('. ', 1)[0].rstrip('.')}."

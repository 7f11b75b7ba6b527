"""What two runs side by side come to in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gradreach.facts.facts import Facts
from gradreach.facts.wording import count, figure, percent
from gradreach.record.schema import Record
from gradreach.report.compare.matching import FindingMatch, State
from gradreach.report.compare.measure import Measure, signed, tested
from gradreach.report.compare.other_loss import other_loss

Level = Literal["better", "worse", "mixed", "changed", "same", "incomparable"]
"""Of B: "mixed" where something is better and something worse, "changed" where there is a difference but neither loss
nor error tells which way, "same" where there is none that the noise would not make."""

MOST = 3
"""Changes that the sentence names."""


@dataclass(frozen=True, slots=True)
class ComparisonVerdict:
    """One sentence on B beside A, and which way it goes."""

    level: Level
    sentence: str


def judge(a: Facts, b: Facts, findings: Sequence[FindingMatch], figures: Sequence[Measure]) -> ComparisonVerdict:
    """Better, worse or neither: by the loss beyond its noise, by what broke, and by errors that came or went.

    A lower loss is taken for better where one line of the script calls backward, by the same loss on targets of the
    same scale: where several do, as with adversaries, the losses decide nothing.
    """
    if why := _incomparable(a.record, b.record):
        return ComparisonVerdict("incomparable", f"Not comparable: {why}.")
    if repeated := _repeated(a.record, b.record):
        return ComparisonVerdict("same", f"No difference: the two runs have the same loss and norm at {repeated}.")
    other = other_loss(a, b)
    good, bad = _for_and_against(a, b, findings, figures, loss_decides=not other)
    if good and bad:
        return ComparisonVerdict("mixed", f"B is better and worse: {_joined(good)}; but {_joined(bad)}.")
    if good:
        return ComparisonVerdict("better", f"B is better: {_joined(good)}.")
    if bad:
        return ComparisonVerdict("worse", f"B is worse: {_joined(bad)}.")
    return _neither(findings, figures, other)


def _incomparable(a: Record, b: Record) -> str:
    without = [name for name, record in (("A", a), ("B", b)) if not record.steps]
    if without:
        return f"{' and '.join(without)} recorded no backward pass"
    if _script(a) != _script(b) and _built(a) != _built(b):
        return (
            f"they train different models by different scripts, {_script(a)} and {_script(b)}; the figures stand below"
        )
    return ""


def _built(record: Record) -> object:
    """What tells one model from another: its classes, and the kind and size of each module."""
    modules = {(seen.module, seen.kind, seen.parameters) for look in record.looks for seen in look.depth}
    return record.models, modules


def _script(record: Record) -> str:
    return record.run.script.replace("\\", "/").rpartition("/")[2]


def _repeated(a: Record, b: Record) -> str:
    """The steps that both runs measured, where loss and norm are the same on every one; else empty."""
    sides = [{step.step: (step.loss, step.unclipped) for step in record.steps} for record in (a, b)]
    both = sides[0].keys() & sides[1].keys()
    if not both or any(repr(sides[0][step]) != repr(sides[1][step]) for step in both):
        return ""
    return (
        f"every one of the {count(len(both), 'step')} that both measured"
        if len(both) > 1
        else "the one step that both measured"
    )


def _for_and_against(
    a: Facts, b: Facts, matches: Sequence[FindingMatch], figures: Sequence[Measure], *, loss_decides: bool
) -> tuple[list[str], list[str]]:
    """What speaks for B, and what against."""
    good: list[str] = []
    bad: list[str] = []
    broke = [a.first_break, b.first_break]
    told = broke[0] != broke[1] and None in broke
    findings = [each for each in matches if each.shown.code != "GR301" or not told]
    if broke[0] is None and broke[1] is not None:
        bad.append(f"it is not finite from step {broke[1]:,} on, where A stays finite")
    if broke[1] is None and broke[0] is not None:
        good.append(f"it stays finite, where A breaks at step {broke[0]:,}")
    loss = deciding(figures)
    if loss_decides and loss is not None and loss.changed and loss.change is not None:
        (good if loss.change.value < 0 else bad).append(_of_loss(loss))
    good += _errors(findings, "gone", -1)
    bad += _errors(findings, "new", 1)
    return good, bad


def deciding(figures: Sequence[Measure]) -> Measure | None:
    """The loss that decides, where there is but one."""
    losses = [each for each in figures if each.key == "loss"]
    return losses[0] if len(losses) == 1 and not losses[0].place else None


def _of_loss(loss: Measure) -> str:
    change = loss.change
    assert change is not None
    size = abs(change.value)
    ends = sorted((abs(change.low), abs(change.high)))
    share = f"{percent(size / abs(loss.a))} " if loss.a and size < abs(loss.a) else ""
    return (
        f"its loss is {share}{'lower' if change.value < 0 else 'higher'} ({figure(loss.a)} → {figure(loss.b)}, "
        f"by {figure(ends[0])} to {figure(ends[1])}; {loss.over})"
    )


def _errors(findings: Sequence[FindingMatch], state: State, way: int) -> list[str]:
    """That errors came or went."""
    errors = [each for each in findings if "error" in (each.a and each.a.severity, each.b and each.b.severity)]
    codes = dict.fromkeys(each.shown.code for each in errors if each.state == state)
    turned = dict.fromkeys(each.shown.code for each in errors if each.state == "changed" and each.shift * way > 0)
    said = [f"{_listed(list(codes))} {'is' if len(codes) == 1 else 'are'} {state}"] if codes else []
    if turned:
        now = "now" if way > 0 else "no longer"
        said.append(f"{_joined(list(turned))} {f'is {now} an error' if len(turned) == 1 else f'are {now} errors'}")
    return said


def _neither(findings: Sequence[FindingMatch], figures: Sequence[Measure], other: str) -> ComparisonVerdict:
    """No way that it goes; `other` says why the losses cannot be held against each other."""
    loss = deciding(figures)
    changed = [each for each in figures if each.changed and not (other and each.key == "loss")]
    moved = [each for each in findings if each.state in ("new", "gone", "changed")]
    if other:
        of_loss = f"the losses cannot be held against each other ({other})"
    elif loss is not None and loss.change is not None:
        change = loss.change
        of_loss = (
            f"the loss differs by {signed(change.value)}, 95 % interval {signed(change.low)} to {signed(change.high)}"
        )
    else:
        of_loss = f"no loss decides ({_why_no_loss(figures, loss)})"
    if changed or moved:
        named = [f"{each.name}{f' of {each.place}' if each.place else ''}" for each in changed[:MOST]]
        parts = [f"{_joined(named)}{_more(len(changed) - MOST)} changed"] if changed else []
        parts += [f"{each.shown.severity} {each.shown.code} {_moved(each)}" for each in moved[:MOST]]
        return ComparisonVerdict("changed", f"Neither better nor worse: {of_loss}; but {_joined(parts)}.")
    if not tested(figures):
        return ComparisonVerdict(
            "incomparable", f"Not comparable: {of_loss}, and no figure has enough measured steps to compare."
        )
    if other:
        nothing = "nothing else changed more than the noise would make it"
        return ComparisonVerdict("incomparable", f"Not comparable: {of_loss}, and {nothing}.")
    return ComparisonVerdict("same", f"No difference that the noise would not make: {of_loss}.")


def _why_no_loss(figures: Sequence[Measure], loss: Measure | None) -> str:
    if loss is not None:
        return loss.lacking
    several = any(each.key == "loss" for each in figures)
    return "several lines call backward" if several else "none was recorded in both"


def _moved(each: FindingMatch) -> str:
    if each.shift:
        return "is worse" if each.shift > 0 else "is less severe"
    return f"is {each.state}"


def _listed(codes: Sequence[str]) -> str:
    return f"error {_joined(codes)}" if len(codes) == 1 else f"errors {_joined(codes)}"


def _joined(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""

"""How the loss went, in words, and what to ask where it did not fall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gradreach.facts.facts import Facts
from gradreach.facts.learning import Learning
from gradreach.facts.site import Site
from gradreach.facts.wording import count, figure, local, percent

COUNTS = 0.1
"""Share of the run's backward passes from which a line's loss speaks for the run."""

BY_HEART = "does it learn one single batch by heart, within a few hundred steps on that batch?"
"""The question that parts a fault of model, loss or loop from a task that is hard or has no answer."""

_HEADS = {
    "does not fall": "it does not learn",
    "rises": "by its loss it does not learn",
    "hardly falls": "it hardly learns",
    "rests": "it learns no more",
    "rises again": "the loss does not stay down",
}


@dataclass(frozen=True, slots=True)
class Grounds:
    """Whether the run learns: by the loss at one line where that tells it, else why nothing does in `why_not`. It
    "guesses" where the loss fell to no less than what a constant guess gets."""

    state: Literal["learns", "guesses", "stalled", "unknown"]
    site: Site | None = None
    why_not: str = ""


def grounds(facts: Facts) -> Grounds:
    """Whether the run learns, by the losses of the lines that call backward often.

    One that does not fall decides. Losses that need not fall, as those of adversaries, tell it only where all do, and
    never where their rows are weighed by factors of both signs: such a loss falls with the factors.
    """
    often = [site for site in facts.sites if len(site.steps) >= COUNTS * len(facts.record.steps)]
    often.sort(key=lambda site: -len(site.steps))
    told = [site for site in often if site.learning.course != "unknown"]
    alone = [site for site in told if not site.need_not_fall]
    fallen = [site for site in told if site.learning.course == "falls" and site.free != "weighed"]
    if stalled := [site for site in alone if site.learning.course != "falls"]:
        return Grounds("stalled", stalled[0])
    if guessing := [site for site in alone if facts.guesses(site)]:
        return Grounds("guesses", guessing[0])
    if alone or (fallen and len(fallen) == len(often)):
        return Grounds("learns", (alone or fallen)[0])
    if any(site.need_not_fall for site in often) and told:
        went = ", ".join(f"{local(site.name)} {ends(site.learning)}" for site in told[:3])
        return Grounds("unknown", why_not=f"{_freedom(often)} ({went})")
    return Grounds("unknown", why_not=often[0].learning.why_not if often else "no loss could be read")


def _freedom(sites: Sequence[Site]) -> str:
    """Why the losses of these lines need not fall."""
    if any(site.free == "weighed" for site in sites):
        return "the rows of the loss are weighed by factors of both signs, as advantages are, and so it need not fall"
    if any(site.free == "targets grow" for site in sites):
        return (
            "the targets of the loss grow and the outputs with them, as where targets are made of the model's own "
            "outputs, and so it need not fall"
        )
    lines = f"{len(sites)} lines call backward in turns"
    lines = lines if len(sites) > 1 else "one line calls backward in turns for models that are trained apart"
    return f"{lines}, and the losses of adversaries need not fall"


def course(facts: Facts, site: Site) -> str:
    """How the loss at a line went, with its figures: "the loss fell from 3.69 to 2.24 (39 %) in 400 steps"."""
    went, over = site.learning, f"in {count(facts.record.length, 'step')}"
    which = f"the loss at {local(site.name)}" if len(facts.sites) > 1 else "the loss"
    if went.course == "does not fall":
        return f"{which} did not fall beyond its noise {over} ({ends(went)})"
    if went.course == "rises":
        return f"{which} rose {over} ({ends(went)})"
    low, high = figure(went.last), figure(went.first)
    if went.course == "rises again":
        at = f"{figure(went.lowest)} by step {went.until}"
        return f"{which} fell from {high} to {at}, and rose again to {low} at the end"
    part = "" if went.share is None else f" ({'over 99 %' if went.share > 0.99 else percent(went.share)})"
    fell = f"{which} fell from {high} to {low}{part}"
    return f"{fell} {over}" if went.until is None else f"{fell} by step {went.until}, and rests since"


def head(site: Site) -> str:
    """What a loss that is not simply falling says of the training."""
    return _HEADS[site.learning.course]


def ends(went: Learning) -> str:
    """The loss at first and at last: "0.694 at first, 0.693 at last"."""
    one, two = (figure(value, _digits(went)) for value in (went.first, went.last))
    return f"{one} at first, {two} at last"


def next_question(site: Site) -> str:
    """What to ask where nothing was found and the loss does not fall, or no more."""
    if site.learning.course == "falls":
        return (
            f"Ask next: {BY_HEART} If not, the fault lies in model, loss or loop; if so, do inputs and targets belong "
            "together, and was the training long enough?"
        )
    low = figure(site.learning.last)
    at_guess = f"is {low} what a constant guess gets"
    if site.learning.course in ("rests", "hardly falls"):
        return f"Ask next: {at_guess}, or as low as these data allow? If neither, {BY_HEART}"
    if site.learning.course in ("rises", "rises again"):
        return (
            f"Ask next: does it fall at a tenth of the rate, and {BY_HEART} Where the targets move with the model, as "
            "in Q-learning, the loss may rise while it learns: judge by the return."
        )
    return (
        f"Ask next: {BY_HEART} If not, the fault lies in model, loss or loop; if so, {at_guess}, and do the inputs "
        "determine the targets at all?"
    )


def _digits(went: Learning) -> int:
    """As many digits as it takes to tell both ends apart, three where they are equal."""
    return next((n for n in (3, 4, 5, 6) if figure(went.first, n) != figure(went.last, n)), 3)

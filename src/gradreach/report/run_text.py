"""How figures, places and units read in a sentence; the same in the terminal and in HTML."""

from __future__ import annotations

from collections import Counter

from gradreach.facts.clipping import Clipping
from gradreach.facts.facts import Facts
from gradreach.facts.wording import count, figure, local, percent, shortened
from gradreach.record.byte_sizes import readable
from gradreach.record.schema import GuardSummary, Overhead, Run
from gradreach.record.seen.depth import DepthLook


def of_module(seen: DepthLook) -> str:
    """The dotted path of a module; the root has none and goes by its kind."""
    return seen.module or seen.kind


def of_steps(facts: Facts) -> str:
    """How many steps there were, and of how many backward passes they are made where that is not one each."""
    steps = count(facts.record.length, "step")
    return steps if facts.accumulation is None else f"{steps}, {facts.accumulation.words}"


def of_overhead(overhead: Overhead) -> str:
    """What watching cost, beside what it was allowed to; with --every N nothing was said about cost."""
    spent = f"{percent(overhead.measured)} of the wall time"
    if overhead.closing >= 0.1:
        spent += f" and {overhead.closing:.1f} s at the end"
    if overhead.memory:
        spent += f", {readable(overhead.memory)} more memory at the peak"
    if overhead.every is None and overhead.measured > overhead.budget:
        over = "planned looks and some work at each step come in any case, which shows where steps are short"
        return f"{spent}, over the budget of {percent(overhead.budget)}: {over}"
    if overhead.every is None:
        return f"{spent}, budget {percent(overhead.budget)}"
    return f"{spent}; {'every step' if overhead.every == 1 else f'one step in {overhead.every}'} watched, as asked"


def of_rate(clipping: Clipping) -> str:
    """The share of the steps that are clipped, with its interval where not every step's norm is known."""
    if not clipping.is_sampled:
        return percent(clipping.rate)
    low, high = percent(clipping.low), percent(clipping.high)
    return f"{percent(clipping.rate)} ({low.removesuffix(' %')} to {high}, of a sample)"


def of_guarded(guarded: GuardSummary) -> str:
    """What the guard did to the training, in one sentence, and the last things it did."""
    if guarded.optimizers == 0:
        return "no optimizer's step was seen, so nothing was guarded"
    limit = guarded.threshold
    if limit is None:
        clipped = "no clipping of its own"
    else:
        share = percent(guarded.clipped / guarded.updates) if guarded.updates else "none"
        clipped = f"threshold {figure(limit)}, {share} of {count(guarded.updates, 'update')} clipped"
    counts = ", ".join(f"{what} {n} ×" for what, n in Counter(deed.what for deed in guarded.deeds).items())
    last = "; ".join(f"step {deed.step} {deed.what}: {deed.why}" for deed in guarded.deeds[-3:])
    return f"{clipped}; {f'{counts}; last: {last}' if counts else 'nothing else was needed'}"


def of_command(run: Run, most: int) -> str:
    """The script and its arguments, as many whole words as fit into `most` characters, the script in any case."""
    script, *rest = (local(word) for word in (run.script, *run.argv))
    kept = [shortened(script, most)]
    for word in rest:
        if len(" ".join([*kept, word])) > most - 2:
            return " ".join([*kept, "…"])
        kept.append(word)
    return " ".join(kept)

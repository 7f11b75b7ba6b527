"""Every remedy is tried: on two unlike scripts at least it removes its fault, and the loss ends lower."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from gradreach.remedies.advice.registry import ADVICE
from gradreach.rules.fitting import KEPT_SEQUENCES, UNFIT
from gradreach.watch.samples.dependency_samples import MOST_SEQUENCES
from tests import forked
from tests.remedies.trial import SCRIPTS, Script, read

OPERATIONS = {
    "biased-deviation", "bounded-exponent", "double-where", "drop-rows", "finite-mask", "initialise", "inside-edge",
    "leave-one-open", "log-sum-exp", "normalise-state", "open-label", "optimizer-eps", "positive-argument",
    "safe-divisor", "safe-domain", "safe-normalisation", "safe-slope", "split-values", "stabiliser", "wider-format",
    "zero-infinity",
}  # fmt: skip
"""Advice on operations out of their domain: tried in tests/watch/nonfinite, where a loss is NaN and not high."""

ELSEWHERE = OPERATIONS | {
    "carry-and-detach", "forward-anew", "make-once", "one-backward", "out-of-place", "scalar-loss", "unsaturated-loss",
}  # fmt: skip
"""What mends a script that raised is tried in tests/rules/test_backward_raised.py; adversaries, and layers that are
made in a forward pass, in tests/watch."""

UNTRIED = {
    "both-sides", "check-data", "distinct-rows", "find-out", "flush-subnormals", "follow-gradient", "look-at-pairs",
    "look-at-targets", "look-more-often", "name-operation", "one-batch",
    "stable-loss", "strict-load", "train-mode",
}  # fmt: skip
"""What changes no training but tells more of it, or makes it faster on some CPUs; of the last two the text alone is
tested."""

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "remedies.md"
TRIALS = [(script, advice) for script in map(read, SCRIPTS) for advice in script.remedies]


@pytest.mark.slow(4, "trains a script as it stands and once more with each remedy")
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_remedy_removes_its_fault_and_the_loss_ends_lower(path: Path) -> None:
    """In a process of its own, where shapes are not checked, which takes longer than the trainings."""
    done = forked.run("-m", "tests.remedies.trial", path.stem, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr[-6000:]
    assert f"| {read(path).code} |" in done.stdout


def test_every_remedy_is_tried_on_two_scripts() -> None:
    tried = Counter(advice for _, advice in TRIALS)
    assert {advice for advice in ADVICE if tried[advice] < 2} <= ELSEWHERE | UNTRIED


def test_a_remedy_is_tried_for_a_fault_that_it_answers() -> None:
    assert all(script.code in ADVICE[advice].answers for script, advice in TRIALS)


def test_the_page_has_every_trial() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert not [
        row for script, advice in TRIALS if (row := f"| {advice} | {script.code} | {script.about} |") not in page
    ]


def test_a_script_has_its_remedy_pasted_and_what_it_replaces_taken_out() -> None:
    text = "# try: {}\n'x'\nif on:\n    # with a\n    # with a, b: by_hand()\n    old()  # not with a\n    kept()\n"
    script = Script(Path("x.py"), text, "GR000", {"a": "loss"})
    assert script.form() == "# try: {}\n'x'\nif on:\n    old()  # not with a\n    kept()\n"
    assert script.form("a", "first()\nsecond()").splitlines()[2:] == [
        "if on:", "    first()", "    second()", "    by_hand()", "    kept()",
    ]  # fmt: skip
    assert script.form("b").splitlines()[3:] == ["    by_hand()", "    old()  # not with a", "    kept()"]


def test_what_does_not_fit_is_advice_that_there_is() -> None:
    assert set(UNFIT) <= set(ADVICE)


def test_more_looks_are_advised_up_to_the_sequences_that_are_kept() -> None:
    assert KEPT_SEQUENCES == MOST_SEQUENCES

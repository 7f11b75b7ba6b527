"""Whether a loss fell: by repeated trials on noise of its own, and on every course that it may take."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradreach.facts.learning import MOST, Course, learning

Shape = Callable[[float], float]

TRIALS = 1000


def told(shape: Shape, n: int, noise: float, seed: int, carried: float = 0.0) -> Course:
    """The course of n losses of a shape over 0 … 1 with normal noise, of which a part is carried to the next one."""
    draw, off, losses = random.Random(seed), 0.0, []
    for i in range(n):
        off = carried * off + math.sqrt(1 - carried**2) * draw.gauss(0, 1)
        losses.append(shape(i / n) + noise * off)
    return learning(range(n), losses).course


def share(courses: set[Course], shape: Shape, n: int, noise: float, carried: float = 0.0) -> float:
    """The share of the trials that came to one of the courses."""
    counts = Counter(told(shape, n, noise, seed, carried) for seed in range(TRIALS))
    return sum(counts[course] for course in courses) / TRIALS


def flat(_: float) -> float:
    return 1.0


@pytest.mark.parametrize("noise", [0.1, 0.5])
@pytest.mark.parametrize("n", [20, 40, 60, 200, 400])
def test_noise_alone_is_not_taken_for_a_fall(n: int, noise: float) -> None:
    assert share({"falls", "rests"}, flat, n, noise) <= 0.01 + 3 * math.sqrt(0.01 / TRIALS)


@pytest.mark.parametrize("n", [60, 300])
def test_noise_that_neighbours_share_is_seldom_taken_for_a_fall(n: int) -> None:
    assert share({"falls", "rests"}, flat, n, 0.1, carried=0.3) <= 0.025


@pytest.mark.parametrize(
    ("n", "noise", "least"), [(20, 0.02, 0.9), (60, 0.02, 0.99), (200, 0.1, 0.8), (400, 0.1, 0.95)]
)
def test_a_fall_by_a_tenth_is_found_in_noise_of_its_size(n: int, noise: float, least: float) -> None:
    assert share({"falls"}, lambda t: 1 - 0.1 * t, n, noise) >= least


@pytest.mark.parametrize("n", [20, 40, 60, 100])
def test_a_short_run_whose_noise_hides_a_fall_is_not_called_flat(n: int) -> None:
    assert share({"does not fall"}, lambda t: 1 - 0.1 * t, n, 0.1) <= 0.03


@pytest.mark.parametrize(("n", "noise", "least"), [(20, 0.005, 0.98), (60, 0.02, 0.95), (300, 0.1, 0.97)])
def test_a_flat_loss_is_called_so(n: int, noise: float, least: float) -> None:
    assert share({"does not fall", "hardly falls"}, flat, n, noise) >= least


def test_a_loss_that_is_lowest_at_its_end_has_not_risen_again() -> None:
    assert share({"falls"}, lambda t: 1 - 0.2 * t - 0.3 * (t > 0.9), 1200, 0.05) == 1.0


@pytest.mark.parametrize(
    ("shape", "course"),
    [
        (lambda t: math.exp(-4 * t), "falls"),
        (lambda t: 3 * math.exp(-12 * t) + 1e-3, "falls"),
        (lambda t: 0.5 + 0.5 * math.exp(-40 * t), "rests"),
        (lambda t: 0.5 + 0.5 * math.exp(-10 * t), "falls"),
        (lambda t: 1 - 0.02 * t, "hardly falls"),
        (lambda t: 1 + t, "rises"),
        (lambda t: 1 - 1.6 * min(t, 0.5) + 1.2 * max(t - 0.5, 0), "rises again"),
        (lambda t: -10 - 5 * t, "falls"),
        (lambda t: 1 - 3 * t, "falls"),
        (lambda t: 7 * math.exp(-20 * t) - 3, "falls"),
        (flat, "does not fall"),
        (lambda _: 0.0, "does not fall"),
    ],
)
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_every_course(shape: Shape, course: Course, noise: float) -> None:
    size = noise * abs(shape(0))
    assert told(shape, 400, size, 1) == course


def test_a_loss_whose_sign_changes_says_nothing() -> None:
    assert told(lambda _: 0.0, 200, 1.0, 1) == "unknown"


def test_too_few_losses_say_nothing() -> None:
    assert learning(range(19), [1 / (1 + i) for i in range(19)]).course == "unknown"
    assert learning((), ()).why_not == "no loss could be read"


def test_single_batches_far_out_decide_nothing() -> None:
    spiky = [1.0 - 0.5 * i / 200 + (100.0 if i % 40 == 39 else 0.0) for i in range(200)]
    assert learning(range(200), spiky).course == "falls"
    level = [1.0 + (100.0 if i < 3 else 0.0) + 0.01 * math.sin(i) for i in range(200)]
    assert learning(range(200), level).course != "falls"


def test_a_long_run_is_judged_by_stretches() -> None:
    n = 40 * MOST
    found = learning(range(n), [math.exp(-3 * i / n) for i in range(n)])
    assert (found.course, found.losses) == ("falls", n)


@given(st.lists(st.floats(-1e30, 1e30), max_size=80), st.integers(1, 1000))
def test_any_losses_have_a_course_whatever_their_steps(losses: list[float], pace: int) -> None:
    found = learning([pace * i for i in range(len(losses))], losses)
    assert found.losses == len(losses)
    assert bool(found.why_not) == (found.course == "unknown")


@given(st.integers(0, 10_000), st.floats(1e-6, 1e6))
def test_the_unit_of_the_loss_does_not_matter(seed: int, unit: float) -> None:
    draw = random.Random(seed)
    losses = [1 + 0.1 * draw.gauss(0, 1) - draw.random() * i / 100 for i in range(60)]
    assert learning(range(60), losses).course == learning(range(60), [unit * loss for loss in losses]).course

import math
import random
from collections.abc import Sequence
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradreach.remedies.guard.options import GuardPolicy
from gradreach.remedies.guard.verdict import (
    FAR,
    LEAST,
    GuardAction,
    GuardState,
    RecentSteps,
    StepFigures,
    StepKind,
    after_new_snapshot,
    after_rollback,
    classify,
    judge,
    state_from,
)

NAN, INF = math.nan, math.inf
POLICY = GuardPolicy(patience=3, limit=10, attempts=2)


def run(
    steps: Sequence[StepFigures], state: GuardState | None = None, changed: bool = True
) -> tuple[GuardState, list[GuardAction]]:
    """The machine alone; a rollback keeps the present recent, as if a snapshot had just been taken."""
    state, actions = state or GuardState(), []
    for figures in steps:
        found = judge(state, figures, POLICY, lambda: changed)
        state = found.state
        actions.append(found.action)
        if found.action is GuardAction.ROLL_BACK:
            state = after_rollback(state, state)
    return state, actions


def good(count: int) -> list[StepFigures]:
    return [StepFigures(1.0 + 0.1 * math.sin(step), 2.0 + math.cos(step)) for step in range(count)]


BAD, SPIKE = StepFigures(NAN, NAN), StepFigures(1.0, 1e4)


@pytest.mark.parametrize(
    ("figures", "kind"),
    [
        (StepFigures(NAN, 1.0), StepKind.NONFINITE),
        (StepFigures(INF, 1.0, scaled=True), StepKind.NONFINITE),
        (StepFigures(1.0, INF), StepKind.NONFINITE),
        (StepFigures(None, NAN), StepKind.NONFINITE),
        (StepFigures(1.0, INF, scaled=True), StepKind.OVERFLOW),
        (StepFigures(1.0, 31.0), StepKind.SPIKE),
        (StepFigures(1.0, 29.0), StepKind.GOOD),
        (StepFigures(1e3, 1.0), StepKind.SPIKE),
        (StepFigures(-1e3, 1.0), StepKind.GOOD),
        (StepFigures(None, 0.0), StepKind.GOOD),
    ],
)
def test_kinds(figures: StepFigures, kind: StepKind) -> None:
    recent = run(good(50))[0].recent
    assert max(recent.norms) <= 3.0
    assert classify(recent, figures)[0] is kind


def test_nothing_finite_is_a_spike_before_there_is_something_to_compare_with() -> None:
    early = run(good(LEAST - 1))[0].recent
    assert classify(early, StepFigures(1e9, 1e9))[0] is StepKind.GOOD
    assert classify(run(good(LEAST))[0].recent, StepFigures(1e9, 1e9))[0] is StepKind.SPIKE


def test_a_level_that_the_run_has_had_is_no_spike() -> None:
    """Nearly learned by heart, a hard sample brings back the loss and the gradient of the start."""
    falling = [StepFigures(2.0 * 0.9**step, 5.0 * 0.9**step) for step in range(300)]
    state, _ = run(falling)
    assert classify(state.recent, StepFigures(1.9, 4.9))[0] is StepKind.GOOD
    assert classify(state.recent, StepFigures(1.9, 500.0))[0] is StepKind.SPIKE


def test_zeros_are_no_level() -> None:
    """Masked batches, or a margin that is met: the first gradient after them is no spike."""
    state, actions = run([StepFigures(0.0, 0.0)] * 200 + [StepFigures(1.0, 3.0)] * 30)
    assert set(actions) == {GuardAction.STEP}
    assert state.recent.norms == (3.0,) * 30


def test_regular_spikes_are_taken() -> None:
    """Norms that jump × 1000 every 30 steps are the run's own, for the clip to handle."""
    steps = [StepFigures(1.0, 1e3 if step % 30 == 29 else 1.0) for step in range(1000)]
    state, actions = run(steps)
    assert actions.count(GuardAction.SKIP) == POLICY.patience
    assert GuardAction.ROLL_BACK not in actions
    assert state.accepted == 1  # from then on the recent knows them


def test_patience_then_back_then_skip_on_then_back_then_give_up() -> None:
    _, actions = run(good(30) + [BAD] * 60)
    assert actions[30:33] == [GuardAction.SKIP, GuardAction.SKIP, GuardAction.ROLL_BACK]
    assert actions[33:43] == [GuardAction.SKIP] * 9 + [GuardAction.ROLL_BACK]
    assert actions[43:53] == [GuardAction.SKIP] * 9 + [GuardAction.GIVE_UP]


def test_where_nothing_changed_there_is_nothing_to_go_back_to() -> None:
    _, actions = run(good(30) + [BAD] * 10, changed=False)
    assert actions[30:] == [GuardAction.SKIP] * 9 + [GuardAction.GIVE_UP]


def test_a_shard_of_bad_batches_is_outlasted() -> None:
    for bad in (BAD, SPIKE):
        state, actions = run(good(30) + [bad] * 9 + good(30))
        assert actions.count(GuardAction.ROLL_BACK) == 1
        assert set(actions[39:]) == {GuardAction.STEP}
        assert state.streak == 0


def test_a_lasting_level_is_taken_at_the_limit() -> None:
    state, actions = run(good(30) + [SPIKE] * 50)
    assert actions[30:43] == [GuardAction.SKIP] * 2 + [GuardAction.ROLL_BACK] + [GuardAction.SKIP] * 9 + [
        GuardAction.STEP
    ]
    assert set(actions[43:]) == {GuardAction.STEP}
    assert state.accepted == 1
    assert state.recent.norms[:2] == (1e4, 1e4)


def test_a_new_snapshot_gives_new_attempts() -> None:
    state, _ = run(good(30) + [BAD] * 3)
    assert state.returns == 1
    _, actions = run([BAD] * 3, after_new_snapshot(state))
    assert actions[-1] is GuardAction.ROLL_BACK


def test_overflow_neither_counts_as_bad_nor_ends_a_streak() -> None:
    overflow = StepFigures(1.0, INF, scaled=True)
    state, actions = run([*good(30), BAD, overflow, BAD, overflow, overflow, BAD])
    assert actions[-1] is GuardAction.ROLL_BACK
    assert (state.overflowed, state.skipped) == (3, 3)


def test_a_state_can_be_written_down() -> None:
    state, _ = run(good(40) + [BAD] * 2 + [SPIKE])
    assert state_from(asdict(state)) == state


@pytest.mark.slow(3, "plays a hundred long runs")
@given(
    start=st.floats(-3, 3),
    drift=st.floats(-0.2, 0.05),
    noise=st.floats(0.0, 0.7),
    offset=st.floats(-100, 100),
    seed=st.integers(0, 2**32 - 1),
)
def test_noisy_drifting_runs_are_left_alone(start: float, drift: float, noise: float, offset: float, seed: int) -> None:
    """Norms that are log-normal about a geometric course, losses of any sign and level: no step is skipped."""
    draw = random.Random(seed)
    steps = [
        StepFigures(
            offset + math.exp(start + drift * step / 10 + noise * draw.gauss(0, 1)),
            math.exp(start + drift * step / 10 + noise * draw.gauss(0, 1)),
        )
        for step in range(400)
    ]
    _, actions = run(steps)
    assert set(actions) == {GuardAction.STEP}


@given(st.lists(st.floats(1e-3, 1e3), min_size=LEAST, max_size=150), st.floats(1e-3, 1e3))
def test_the_rule_of_the_spike(norms: list[float], factor: float) -> None:
    last = tuple(norms[-100:])
    norm = factor * FAR * max(last)
    kind, _ = classify(RecentSteps(last, (), max(norms), -INF), StepFigures(None, norm))
    assert (kind is StepKind.SPIKE) == (norm > max(max(norms), FAR * max(last)))


def test_the_first_bad_step_outlives_rollbacks_but_no_good_step() -> None:
    state, actions = run(good(30) + [BAD] * 20)
    assert actions.count(GuardAction.ROLL_BACK) == 2
    assert state.first_bad == 30
    assert run(good(1), state)[0].first_bad is None

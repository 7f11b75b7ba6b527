import math
import statistics

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradreach.remedies.clip import Norm, Percentile, ZScore
from gradreach.remedies.clip.norm_rules import NormRule

CPU = torch.device("cpu")
norms = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=60)


def thresholds(rule: NormRule, course: list[float]) -> list[float]:
    state, found = rule.start(CPU), []
    for norm in course:
        judged = rule.judge(state, norm, math.inf)
        state = judged.state
        found.append(float(judged.threshold))
    return found


@given(norms)
def test_a_fixed_threshold_stays(course: list[float]) -> None:
    assert thresholds(Norm(2.0), course) == [2.0] * len(course)


@given(norms, st.sampled_from([0, 10, 50, 100]), st.sampled_from([5, 1000]))
def test_percentile_of_the_norms_so_far(course: list[float], percent: int, window: int) -> None:
    found = thresholds(Percentile(percent, window), course)
    for step, threshold in enumerate(found):
        past = sorted(course[max(step + 1 - window, 0) : step + 1])
        assert threshold == pytest.approx(past[int((len(past) - 1) * (percent / 100))], rel=1e-6)


def test_z_score_follows_the_paper() -> None:
    course = [1.0, 2.0, 1.5, 1.2, 40.0, 1.3, 1.4]
    found = thresholds(ZScore(z=2.5, decay=0.97, warmup=4), course)
    mean, variance = statistics.fmean(course[:4]), statistics.pvariance(course[:4])
    z = (40.0 - mean) / variance**0.5
    cut = mean + 2.5**2 / z * variance**0.5
    assert found[:4] == [math.inf] * 4
    assert found[4] == pytest.approx(cut)
    assert found[5] == math.inf
    apart = cut - mean  # the averages take the norm after clipping
    mean, variance = mean + 0.03 * apart, 0.97 * variance + 0.97 * 0.03 * apart**2
    state = ZScore(warmup=4).start(CPU)
    for norm in course[:5]:
        state = ZScore(warmup=4).judge(state, norm, math.inf).state
    assert state.mean == pytest.approx(mean)
    assert state.variance > 0

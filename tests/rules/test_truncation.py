"""GR104: what the data needs lies before the chunk that the gradient is carried back through."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gradreach.record.schema import Lag, Record
from tests.records.parts import at, dependency, falling, flat, free, lag, record, steps, time_look
from tests.rules.judging import codes, not_judged, passed, the

CHUNK = 60


def made(
    *lags: Lag, factor: float = 0.99, gamma_mean: float = 0.61, loss: Callable[[int], float] = flat, **more: object
) -> Record:
    found = dependency(*lags, **{"T": 180, **more})
    return record(steps(loss=loss), at(time_look(factor=factor, gamma_mean=gamma_mean)), dependency=(found,))


def test_a_lag_past_the_chunk_is_cut_off() -> None:
    found = the(made(free(1, 59), lag(60, 90, at=70)), "GR104")
    assert found.severity == "warning"
    assert found.where == {"module": "model.rnn", "site": "train.py:20"}
    assert found.evidence["chunk"] == CHUNK
    assert found.evidence["lag"] == 70
    assert found.because == (
        "the error still depends on the input 60–90 steps back (share 24 % of its variance, q = 0.0014, "
        "256 sequences), and the gradient is carried back through chunks of 60 steps: what came "
        "before cannot be learned from it."
    )
    assert [remedy.id for remedy in found.remedies] == ["longer-window"]


def test_all_lags_that_are_cut_off_are_named() -> None:
    found = the(made(lag(60, 90, share=0.02), lag(91, 137), lag(150)), "GR104")
    assert "depends on the input 91–137 steps back" in found.because
    assert found.because.endswith("All such lags: 60–137 and 150.")
    assert found.evidence["lags"] == "60–137 and 150"


@pytest.mark.parametrize(("n", "k2"), [(60, 120), (61, 180), (120, 180), (121, 240)])
def test_the_window_it_names_reaches_from_every_step_of_a_chunk(n: int, k2: int) -> None:
    """From the first step of a window the gradient goes k2 − k1 steps back."""
    (remedy,) = the(made(lag(n), T=400), "GR104").remedies
    assert f"k1={CHUNK}, k2={k2}," in remedy.do
    assert k2 - CHUNK >= n
    assert f"{k2} steps back" in remedy.why


def test_a_longer_window_alone_does_not_help_where_the_gradient_has_vanished_within_the_chunk() -> None:
    found = the(made(lag(70), factor=0.5, gamma_mean=0.98), "GR104")
    assert "Within the chunk too it vanishes" in found.because
    assert [remedy.id for remedy in found.remedies] == ["longer-window", "orthogonal", "gated-cell"]


@pytest.mark.parametrize("near", [lag(59), lag(60, share=0.001), free(60, 90)])
def test_within_the_chunk_or_without_a_dependency_nothing_is_cut(near: Lag) -> None:
    found = made(near, free(80, 120))
    assert "GR104" not in codes(found)
    assert "GR104" in passed(found)


def test_chunks_that_follow_no_stream_are_not_judged() -> None:
    for found in (made(free(1, 59)), made(), record(steps(), at(time_look()))):
        assert "no stream was followed" in not_judged(found)["GR104"]


def test_too_little_data_past_the_chunk_is_said() -> None:
    why = not_judged(made(free(1, 59), free(60, 90, detectable=0.4)))["GR104"]
    assert why.startswith("not enough data yet: 60–90 steps back a share of 40 %")


def test_what_is_cut_off_does_not_vanish() -> None:
    assert "GR402" not in codes(made(lag(70), factor=0.5))


def test_while_the_loss_falls_the_cut_is_information() -> None:
    assert the(made(lag(70), loss=falling), "GR104").severity == "info"

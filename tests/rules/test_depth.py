from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.look import Look
from gradreach.record.schema import NonFinite
from tests.records.parts import at, chain, falling, flat, record, steps
from tests.rules.judging import codes, findings, not_judged, the


def test_ten_logistic_layers_vanish() -> None:
    found = the(record(steps(loss=flat), at(*chain(10, 0.15))), "GR201")
    assert found.severity == "error"
    assert found.where["module"] == "model.0"
    assert found.evidence["last_module"] == "model.18"
    assert found.evidence["growth_per_layer"] == pytest.approx(0.15)


def test_vanishing_without_harm_is_silent() -> None:
    healthy = chain(10, 0.4, update_ratio=1e-3)
    assert "GR201" not in codes(record(steps(loss=falling), at(*healthy)))
    assert "GR201" in codes(record(steps(loss=flat), at(*healthy)))


def test_six_decades_are_harm_by_themselves() -> None:
    assert "GR201" in codes(record(steps(loss=falling), at(*chain(10, 0.15, update_ratio=1e-3))))


def test_pooling_thins_the_gradient_out_but_cuts_no_weight_off() -> None:
    pooled = tuple(replace(layer, weight_grad_norm=0.1, update_ratio=1e-3) for layer in chain(10, 0.4))
    assert "GR201" not in codes(record(steps(loss=flat), at(*pooled)))


def test_one_cliff_is_no_trend() -> None:
    layers = chain(10, 1.0)
    cliff = tuple(
        replace(layer, grad_rms=1e-6, weight_grad_norm=1e-5) if i < 2 else layer for i, layer in enumerate(layers)
    )
    assert "GR201" not in codes(record(steps(loss=flat), at(*cliff)))


def test_norms_embeddings_and_the_head_do_not_make_a_trend() -> None:
    even = chain(8, 1.0)
    odd = (
        replace(even[0], module="model.embed", kind="Embedding", grad_rms=1e-9, order=-2),
        replace(even[0], module="model.norm", kind="LayerNorm", grad_rms=1e-8, order=-1),
        *even[:-1],
        replace(even[-1], grad_rms=1e6),
    )
    assert "GR201" not in codes(record(steps(loss=flat), at(*odd)))


@pytest.mark.parametrize(("layers", "judged"), [(4, False), (5, True)])
def test_a_short_chain_is_not_judged(layers: int, judged: bool) -> None:
    made = record(steps(loss=flat), at(*chain(layers, 0.01)))
    assert ("GR201" in codes(made)) == judged
    assert ("GR201" in not_judged(made)) != judged


def test_a_chain_that_recovers_is_silent() -> None:
    looks = (
        *at(*chain(10, 0.1), count=2),
        *(replace(look, step=look.step + 50) for look in at(*chain(10, 0.9), count=2)),
    )
    assert "GR201" not in codes(record(steps(loss=flat), looks))


def test_a_chain_that_recovers_after_nothing_was_learned() -> None:
    looks = (*at(*chain(10, 0.1), count=6), *at(*chain(10, 0.9), count=2, start=60))
    found = the(record(steps(loss=flat), looks), "GR201")
    assert found.because.startswith("at step 50, ")
    assert found.because.endswith("; it shrinks by less since step 60, but the loss does not fall.")
    assert "GR201" not in codes(record(steps(loss=falling), looks))


def test_two_looks_are_too_few() -> None:
    assert "GR201" in not_judged(record(steps(loss=flat), at(*chain(10, 0.1), count=2)))


def test_exploding_where_the_loss_does_not_fall() -> None:
    found = the(record(steps(loss=flat), at(*chain(10, 4.0, update_ratio=1e-3))), "GR202")
    assert found.severity == "error"
    assert found.where["module"] == "model.0"


def test_growth_towards_the_input_is_healthy_while_it_learns() -> None:
    assert "GR202" not in codes(record(steps(loss=falling), at(*chain(10, 4.0, update_ratio=1e-3))))


def test_upsampling_does_not_explode() -> None:
    decoder = tuple(replace(layer, weight_grad_norm=0.1, update_ratio=1e-3) for layer in chain(10, 4.0))
    assert "GR202" not in codes(record(steps(loss=flat), at(*decoder)))


def test_one_look_is_enough_where_the_run_broke() -> None:
    broken = (NonFinite(step=1, site=0, phase="forward", value="inf"),)
    assert "GR202" in codes(record(steps(1), at(*chain(10, 4.0), count=1), nonfinite=broken))
    assert "GR202" not in codes(record(steps(1), at(*chain(10, 1.1), count=1), nonfinite=broken))


def test_looks_after_the_break_are_not_read() -> None:
    broken = (NonFinite(step=5, site=0, phase="loss", value="nan"),)
    sound, ruined = at(*chain(10, 1.0), count=1), at(*chain(10, 4.0, grad_rms=float("nan")), count=3)
    looks = (*sound, *(replace(look, step=10 + look.step) for look in ruined))
    assert codes(record(steps(5), looks, nonfinite=broken)) == ["GR301"]


def test_no_looks_at_all() -> None:
    made = record(steps(), (Look(0, 0, 0.0),))
    assert {"GR201", "GR202", "GR203", "GR204"} <= set(not_judged(made))


def test_an_explosion_may_end_with_its_first_update() -> None:
    looks = (
        *at(*chain(10, 4.0, update_ratio=50.0), count=1),
        *(replace(x, step=9) for x in at(*chain(10, 1.0), count=4)),
    )
    assert the(record(steps(), looks), "GR202").evidence["growth_per_layer"] == pytest.approx(4.0)
    mild = (
        *at(*chain(10, 4.0, update_ratio=0.05), count=1),
        *(replace(x, step=9) for x in at(*chain(10, 1.0), count=4)),
    )
    assert "GR202" not in codes(record(steps(), mild))


@pytest.mark.parametrize(("loss", "speaks"), [(flat, True), (falling, False)])
def test_a_gradient_that_grows_with_the_activations_harms_where_the_loss_does_not_fall(loss, speaks):  # type: ignore[no-untyped-def]
    layers = tuple(
        replace(each, activation_rms=6.3**i, weight_grad_norm=0.1, update_ratio=1e-7)
        for i, each in enumerate(chain(10, 6.3))
    )
    made = record(steps(400, loss=lambda i: 1e9 * loss(i)), at(*layers))
    found = [finding.code for finding in findings(made)]
    assert ("GR202" in found) == speaks
    assert "GR305" not in found

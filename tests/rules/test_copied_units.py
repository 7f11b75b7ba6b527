"""GR205: layers whose units are copies of one another, look after look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.look import Look
from tests.records.parts import falling, flat, record, steps
from tests.records.speaking import copied
from tests.rules.judging import codes, not_judged, the


def test_layers_of_one_kind_of_unit_that_learn_nothing_are_an_error_at_the_first() -> None:
    found = the(record(steps(loss=flat), copied("model.2.weight", "model.0.weight")), "GR205")
    assert (found.severity, found.where["module"]) == ("error", "model.0")
    assert found.because.startswith(
        "The 64 units of `model.0` and the 64 units of `model.2` are copies of one another: they have the same weights "
        "and get the same gradient, so that training keeps them the same, and each of these layers can do no more than "
        "a single unit could. So it was in all "
    )
    assert found.because.endswith("With that, the loss does not fall.")
    assert found.remedies[0].do.startswith("nn.init.xavier_uniform_(model[0].weight)")


def test_where_the_loss_falls_it_is_a_warning() -> None:
    assert the(record(steps(loss=falling), copied()), "GR205").severity == "warning"


def test_repeated_units_are_counted_and_never_an_error() -> None:
    found = the(record(steps(loss=flat), copied(different=16)), "GR205")
    assert (found.severity, found.evidence["different"]) == ("warning", 16)
    assert "the 64 units of `model.0` (16 different ones) are copies" in found.because.replace("The", "the")
    assert "no more than a part of its units could" in found.because


def test_weights_that_no_module_has_are_named_by_their_shape() -> None:
    found = the(record(steps(loss=flat), copied("a weight of shape (4, 64)", kind="")), "GR205")
    assert found.because.startswith("The 64 units of a weight of shape (4, 64) are copies")
    assert "module" not in found.where
    assert found.remedies[0].do.startswith("nn.init.xavier_uniform_(w)")


def test_of_many_layers_some_are_named_and_all_started_anew() -> None:
    found = the(record(steps(loss=flat), copied(*(f"model.0.w{i}" for i in range(6)))), "GR205")
    assert "those of 3 more layers are copies" in found.because
    assert found.remedies[0].do.startswith("for w in model.parameters()")


def _but(at: int, looks: tuple[Look, ...]) -> tuple[Look, ...]:
    """The same looks, one of which sees units that differ."""
    return tuple(replace(look, copied_units=()) if i == at else look for i, look in enumerate(looks))


def _unreached(looks: tuple[Look, ...]) -> tuple[Look, ...]:
    return tuple(
        replace(look, copied_units=tuple(replace(each, is_reached=False) for each in look.copied_units))
        for look in looks
    )


@pytest.mark.parametrize(
    ("looks", "why"),
    [
        (_but(0, copied()), "the first gradient told them apart"),
        (_but(5, copied(count=6)), "they came to differ"),
        (copied("model.6.weight"), "the last layer's targets may be the same"),
        (_unreached(copied()), "no gradient came to any of them"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_silent_where(looks: tuple[Look, ...], why: str) -> None:
    assert "GR205" not in codes(record(steps(loss=flat), looks)), why


def test_looks_at_which_no_gradient_comes_do_not_count_against_it() -> None:
    first, *others = copied(count=6)
    idle = tuple(replace(each, weight_grad_norm=0.0) for each in first.depth)
    looks = (replace(first, depth=idle, copied_units=()), *others)
    assert the(record(steps(loss=flat), looks), "GR205").evidence["looks"] == 5


def test_it_is_not_judged_by_two_looks() -> None:
    assert "GR205" in not_judged(record(steps(loss=flat), copied(count=2)))

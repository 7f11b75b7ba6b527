"""GR207: a normalisation over single values."""

from __future__ import annotations

from dataclasses import replace

from tests.records.parts import activation, at, between, chain, falling, flat, record, steps, zero_gradient
from tests.records.speaking import OF_ONE_VALUE
from tests.rules.judging import codes, not_judged, the


def test_the_first_of_them_is_named_with_what_it_takes_in() -> None:
    other = replace(OF_ONE_VALUE, module="model.1")
    found = the(record(steps(loss=flat), at(*chain(2), single_values=(other, OF_ONE_VALUE))), "GR207")
    assert (found.severity, found.where["module"], found.evidence["modules"]) == ("error", "model.0", 2)
    assert found.because == (
        "`model.0` (LayerNorm) normalises each value by itself, and nothing of what goes into it comes out. What it "
        "takes in has the shape (32, 1), of which it takes one value at a time: a value less its own mean is 0, "
        "whatever it was, in 4 looks. So it is with 1 other module."
    )
    assert found.remedies[0].do.startswith("model[0] = torch.nn.Identity()")


def test_a_function_is_told_with_the_module_that_calls_it() -> None:
    seen = replace(OF_ONE_VALUE, module="model", kind="Model")
    found = the(record(steps(), at(*chain(2), single_values=(seen,))), "GR207")
    assert found.because.startswith("a layer norm in `model` (Model) normalises each value by itself, and nothing of ")
    assert found.remedies[0].do.startswith("# no layer_norm")


def test_it_is_a_warning_where_the_loss_falls_all_the_same() -> None:
    made = record(steps(loss=falling), at(*chain(2), single_values=(OF_ONE_VALUE,)))
    assert the(made, "GR207").severity == "warning"


def test_units_behind_it_that_are_off_and_the_gradient_that_ends_there_are_not_told_beside_it() -> None:
    dead = between(activation("ReLU", dead=0.97))
    ends = zero_gradient("model.9.weight", why="single", module="model.0", operation="native_layer_norm")
    made = record(steps(loss=flat), at(*dead, single_values=(OF_ONE_VALUE,), zero_gradient=(ends,)))
    assert not {"GR204", "GR307"} & set(codes(made))
    behind = at(*dead, single_values=(OF_ONE_VALUE,), zero_gradient=(replace(ends, why="input", module="model.1"),))
    assert "GR307" not in codes(record(steps(loss=flat), behind))
    assert {"GR204", "GR307"} <= set(codes(record(steps(loss=flat), at(*dead, zero_gradient=(ends,)))))


def test_a_module_that_had_more_values_at_another_look_is_not_told() -> None:
    looks = (*at(*chain(2), single_values=(OF_ONE_VALUE,)), *at(*chain(2), start=90, count=1))
    assert "GR207" not in codes(record(steps(), looks))
    assert "GR207" in not_judged(record(steps(), at(single_values=(OF_ONE_VALUE,), count=2)))

"""Which lags the error depends on at the place of a recurrent layer."""

from __future__ import annotations

from gradreach.facts.dependency import LagResult
from gradreach.facts.facts import Facts
from gradreach.facts.modules import of_one_stack
from gradreach.facts.time import Shown


def asked_of(facts: Facts, shown: Shown) -> tuple[LagResult, ...]:
    """What the error depends on at the place of a layer whose gradient goes to earlier inputs."""
    if shown.layer.direction != "forward":
        return ()
    here = [test for test in facts.dependency_tests if test.dependency.site == shown.look.site]
    return next((test.depends for test in here if of_one_stack(test.dependency.module, shown.layer.module)), ())

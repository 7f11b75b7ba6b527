"""The experiments by name: each module or package of this folder that makes an `Experiment` is one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from gradreach.experiments.experiment import Experiment
from gradreach.record.members import in_folder


@cache
def experiments() -> Mapping[str, Experiment[Any, Any]]:
    """Every experiment by its name, in the order in which the theory is taught."""
    found = in_folder("gradreach.experiments", Experiment)
    return {each.name: each for each in sorted(found, key=lambda each: each.lesson)}

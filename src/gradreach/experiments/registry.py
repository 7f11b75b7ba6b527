"""The experiments by name. Each is imported where it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gradreach.experiments.experiment import Experiment

NAMES = (
    "jacobian-product",
    "gradient-sum",
    "sentence",
    "near-beats-far",
    "powers",
    "deep-stack",
    "exploding",
    "cliff",
    "truncation",
    "vanishing-or-not",
    "cures",
    "temporal-order",
    "irnn",
)
"""In the order in which the theory is taught."""


def experiment(name: str) -> Experiment[Any, Any]:
    """The experiment of that name. Raises ModuleNotFoundError where there is none."""
    found: Experiment[Any, Any] = import_module(f"gradreach.experiments.{name.replace('-', '_')}").EXPERIMENT
    return found

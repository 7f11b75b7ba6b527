"""The experiments by name. Each is imported where it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gradreach.experiments.experiment import Experiment

NAMES: dict[str, str] = {
    "jacobian-product": "jacobian_product",
    "gradient-sum": "gradient_sum",
    "sentence": "sentence",
    "near-beats-far": "near_beats_far",
    "powers": "powers",
    "deep-stack": "deep_stack",
    "exploding": "exploding",
    "cliff": "cliff",
    "truncation": "truncation",
    "vanishing-or-not": "vanishing_or_not",
    "cures": "cures",
    "temporal-order": "temporal_order",
    "irnn": "irnn",
}
"""Name → module, in the order in which the theory is taught."""


def experiment(name: str) -> Experiment[Any, Any]:
    """The experiment of that name. Raises KeyError where there is none."""
    found: Experiment[Any, Any] = import_module(f"gradreach.experiments.{NAMES[name]}").EXPERIMENT
    return found

"""How large the input of a model is, told from its first layer's output and weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import gradreach as gr
from gradreach.facts.facts import Facts
from gradreach.facts.input_size import input_sizes
from tests.records.parts import at, chain, depth_look

LAYERS = {
    "linear": (lambda: nn.Linear(20, 48), (32, 20)),
    "wide": (lambda: nn.Linear(500, 8), (32, 500)),
    "conv": (lambda: nn.Conv2d(3, 16, 3, padding=1), (8, 3, 10, 10)),
    "conv1d": (lambda: nn.Conv1d(4, 16, 5), (8, 4, 60)),
}


@pytest.mark.parametrize("size", [0.1, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize("kind", LAYERS)
def test_it_lies_within_a_factor_of_two_and_a_half(kind: str, size: float) -> None:
    torch.manual_seed(0)
    make, shape = LAYERS[kind]
    model = nn.Sequential(make(), nn.Tanh())
    x = size * torch.randn(shape)
    with gr.observe(model, every=1) as watch:
        model(x).sum().backward()
    (found,) = Facts(watch.record()).seen.input_sizes.values()
    assert size / 2.5 < found < 2.5 * max(size, 0.2)  # under that a bias outweighs the input


def test_it_is_unknown_where_the_first_module_is_no_weighted_sum_of_the_input() -> None:
    embedding = depth_look("model.embed", "Embedding", 0, 1e-2, weight_norm=3.0)
    assert not input_sizes(at(embedding, *chain(3)), lambda _: "model")
    assert not input_sizes(at(*chain(3)), lambda _: "model")  # its units are not known
    assert not input_sizes((), lambda _: "model")

"""What beartype would see first at the public calls while tests run."""

from typing import Any

import numpy as np
import pytest
import torch

from gradreach.remedies.arguments import check_at_least_one, check_positive, integer
from gradreach.remedies.tbptt import arguments


@pytest.mark.parametrize("given", [5, np.int64(5), np.uint8(5), torch.tensor(5)])
def test_whatever_counts_is_a_number_of_steps(given: Any) -> None:
    assert arguments.steps("k1", given) == 5
    assert type(arguments.steps("k1", given)) is int


@pytest.mark.parametrize("given", [True, 5.0, "5", None, [5]])
def test_what_does_not_count_is_named(given: Any) -> None:
    with pytest.raises(TypeError, match="k1: expected a whole number of steps, got"):
        arguments.steps("k1", given)
    with pytest.raises(TypeError, match="dim: expected a whole number, got"):
        integer("dim", given)
    with pytest.raises(TypeError, match="patience: expected a whole number, got"):
        check_at_least_one(patience=given)


def test_numbers_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="window: expected at least 1, got 0"):
        check_at_least_one(window=0)
    with pytest.raises(ValueError, match="z: expected a finite number above 0, got inf"):
        check_positive(z=float("inf"))
    with pytest.raises(TypeError, match="z: expected a finite number above 0, got True"):
        check_positive(z=True)


@pytest.mark.parametrize("given", [None, 3, torch.nn.MSELoss])
def test_what_cannot_be_called_is_named(given: Any) -> None:
    with pytest.raises(TypeError, match="loss: expected a function, got"):
        arguments.check_callable("loss", given, "a function")


@pytest.mark.parametrize("given", ["ab", ["a"], [[1], [1, 2]], object()])
def test_what_is_no_tensor_is_named(given: Any) -> None:
    with pytest.raises(TypeError, match="lengths: expected a tensor, or numbers in lists"):
        arguments.tensor_of("lengths", given)


def test_states_are_of_tensors_and_numbers() -> None:
    arguments.check_state("state", {"h": (torch.ones(2), None), "t": np.float32(3), "n": [1, True, 1j, "mode"]})
    with pytest.raises(TypeError, match=r"state: .* got a set; .*register_pytree_node"):
        arguments.check_state("state", (torch.ones(2), {1}))

"""The states of torch's, Python's and NumPy's generators of random numbers, as plain values and tensors."""

from __future__ import annotations

import random
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch


def generator_states(devices: Sequence[int]) -> dict[str, Any]:
    """The states of the default generators, those of the GPUs with these indices among them."""
    numpy: Any = np.random.get_state(legacy=False)
    if numpy["bit_generator"] == "MT19937":
        numpy["state"]["key"] = torch.from_numpy(numpy["state"]["key"].astype(np.int64))
    version, key, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": {index: torch.cuda.get_rng_state(index) for index in devices},
        "python": (version, torch.tensor(key), gauss),
        "numpy": numpy,
    }


def set_generator_states(saved: dict[str, Any]) -> None:
    """Set the default generators to what `generator_states` returned."""
    torch.set_rng_state(saved["torch"].clone())
    for index, state in saved["cuda"].items():
        torch.cuda.set_rng_state(state.clone(), index)
    version, key, gauss = saved["python"]
    random.setstate((version, tuple(key.tolist()), gauss))
    numpy = deepcopy(saved["numpy"])
    if numpy["bit_generator"] == "MT19937":
        numpy["state"]["key"] = numpy["state"]["key"].numpy().astype(np.uint32)
    np.random.set_state(numpy)

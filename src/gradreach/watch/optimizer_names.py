"""What an optimizer is called."""

from __future__ import annotations

from typing import Any

import torch


def torch_name(optimizer: Any) -> str:
    """The name of the optimizer of torch that this one is, or is made of; its own where it is neither."""
    kinds = type(optimizer).__mro__
    known = (kind.__name__ for kind in kinds if getattr(torch.optim, kind.__name__, None) is kind)
    return next((name for name in known if name != "Optimizer"), kinds[0].__name__)

"""How large the eps of an optimizer like Adam is, beside the roots of the second moments that it is added to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gradreach.engine.norms import local, to_host
from gradreach.record.seen.loop import Epsilon
from gradreach.watch.optimizer_names import torch_name
from gradreach.watch.tensors import is_dense_and_real

MOST_ELEMENTS = 1 << 18
"""Of the weights of a larger group an evenly spaced sample of this size stands for all."""

_MOMENTS: Mapping[str, str] = {
    "Adam": "exp_avg_sq",
    "AdamW": "exp_avg_sq",
    "NAdam": "exp_avg_sq",
    "RAdam": "exp_avg_sq",
    "RMSprop": "square_avg",
    "Adagrad": "sum",
}
"""Where torch's optimizers keep the second moment whose root eps is added to. To that of Adadelta it is added within
the root, above and below, and Adamax adds it to the gradient: with these a large one does not shorten the step."""


@torch.no_grad()
def epsilons(optimizer: Any, stepped: Collection[int]) -> list[Epsilon]:
    """Of each group of an optimizer that has just stepped, over the parameters whose identities are `stepped`."""
    key = _MOMENTS.get(torch_name(optimizer))
    if key is None:
        return []
    told = (_epsilon(optimizer, group, key, stepped) for group in optimizer.param_groups)
    return [each for each in told if each is not None]


def _epsilon(optimizer: Any, group: Mapping[str, Any], key: str, stepped: Collection[int]) -> Epsilon | None:
    eps = group.get("eps")
    states = [optimizer.state.get(p, {}) for p in group["params"] if id(p) in stepped]
    held = [(state, moment) for state in states if _is_known(moment := state.get(key))]
    if not isinstance(eps, float | int) or not eps > 0 or not held:
        return None
    stride = max(1, sum(moment.numel() for _, moment in held) // MOST_ELEMENTS)
    steps = to_host([torch.as_tensor(state.get("step", 1.0), dtype=torch.float32) for state, _ in held])
    seen = [
        local(moment).reshape(-1)[::stride].float() / _weight(group, key, step)
        for (_, moment), step in zip(held, steps, strict=True)
    ]
    roots = torch.cat([each.to(seen[0].device) for each in seen]).sqrt()
    roots = roots[roots > 0]
    if not roots.numel():
        return None
    root, below = to_host([roots.median(), (roots < eps).float().mean()])
    elements = sum(moment.numel() for _, moment in held)
    return Epsilon(torch_name(optimizer), float(eps), root, below, elements, float(group["lr"]))


def _is_known(moment: Any) -> bool:
    return isinstance(moment, Tensor) and is_dense_and_real(moment)


def _weight(group: Mapping[str, Any], key: str, step: float) -> float:
    """What the weights of a mean that began with 0 add up to by now; 1 where the optimizer does not correct for it."""
    betas: Sequence[Any] = group.get("betas", ())
    if key != "exp_avg_sq" or len(betas) < 2:
        return 1.0
    kept = float(betas[1])
    return float(max(1.0 - kept ** max(step, 1.0), 1e-12))

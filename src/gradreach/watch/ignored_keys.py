"""Which keys an attention ignores, read from what the graph saved: weights of exactly 0, or the mask itself."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gradreach.watch.graph import Node, operation, softmax_axis
from gradreach.watch.nonfinite.operations import key_of
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.tensors import is_dense

MOST_QUERIES = 16
"""Places, evenly spaced, that are read to tell which keys all of them ignore."""

IGNORED = -1e4
"""A bias of the scores from which nothing is left of a weight."""

SOFTMAXES = ("softmax", "safesoftmax")
MASKS = ("attn_mask", "attn_bias")


def is_attention(node: Node) -> bool:
    """Whether a node may weigh keys: a softmax, or an attention that is one operation."""
    key = key_of(operation(node))
    return key in SOFTMAXES or key.startswith("scaleddotproduct")


@torch.no_grad()
def ignored_keys(node: Node) -> Tensor | None:
    """Of each row (N, S) of scores the keys that no query attends to; N is a multiple of the batch, for heads are rows.

    None where a node has no scores of queries and keys, or no mask of its own for each entry.
    """
    if key_of(operation(node)) in SOFTMAXES:
        weights = saved_value(node, "result")
        if not isinstance(weights, Tensor) or weights.dim() < 3 or softmax_axis(node)[0] != weights.dim() - 1:
            return None
        return _of_all_queries(weights, lambda x: x == 0)
    mask = next((each for name in MASKS if isinstance(each := saved_value(node, name), Tensor)), None)
    if mask is None or mask.dim() < 3:
        return None
    return _of_all_queries(mask, torch.logical_not if mask.dtype == torch.bool else lambda x: x <= IGNORED)


def _of_all_queries(x: Tensor, is_ignored: Callable[[Tensor], Tensor]) -> Tensor | None:
    """Of numbers (…, L, S) which keys all queries that are read ignore."""
    if not x.numel() or not is_dense(x):
        return None
    queries = torch.linspace(0, x.shape[-2] - 1, min(x.shape[-2], MOST_QUERIES), device=x.device).long()
    return is_ignored(x.index_select(-2, queries)).all(-2).flatten(0, -2)

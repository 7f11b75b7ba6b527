"""The state of any cell as one vector a row, and what its leaves are called and hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._pytree import (
    TreeSpec,
    keystr,
    tree_flatten_with_path,
    tree_map,
    tree_unflatten,
)

HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, slots=True)
class StateForm:
    """How one row's state lies in a vector of `size` numbers: leaves in order, a complex number as two, no integers."""

    spec: TreeSpec
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[torch.dtype, ...]
    device: torch.device

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64 if {torch.float64, torch.complex128} & set(self.dtypes) else torch.float32

    @property
    def size(self) -> int:
        return sum(width for _, _, width in self._varying())

    def varying(self, leaves: Iterable[Tensor]) -> list[Tensor]:
        return [leaf for leaf, dtype in zip(leaves, self.dtypes, strict=True) if varies(dtype)]

    def join(self, varying: Iterable[Tensor]) -> Float[Tensor, "*lead S"]:
        """What belongs to the leaves that vary, (*lead, …), as one vector a row."""
        each = zip(varying, self._varying(), strict=True)
        parts = [(real(leaf), leaf.shape[: leaf.dim() - len(shape)], width) for leaf, (shape, _, width) in each]
        return torch.cat([leaf.reshape(*lead, width).to(self.dtype) for leaf, lead, width in parts], dim=-1)

    def split(self, joint: Float[Tensor, "*lead S"]) -> list[Tensor]:
        """The inverse of `join`."""
        parts = zip(joint.split([width for _, _, width in self._varying()], dim=-1), self._varying(), strict=True)
        lead = joint.shape[:-1]
        return [
            torch.view_as_complex(part.to(dtype.to_real()).reshape(*lead, *shape, 2).contiguous())
            if dtype.is_complex
            else part.to(dtype).reshape(*lead, *shape)
            for part, (shape, dtype, _) in parts
        ]

    def tree(self, joint: Float[Tensor, "*lead S"]) -> Any:
        """A state's pytree of adjoints, None for integers."""
        parts = iter(self.split(joint))
        return tree_unflatten([next(parts) if varies(dtype) else None for dtype in self.dtypes], self.spec)

    def _varying(self) -> list[tuple[tuple[int, ...], torch.dtype, int]]:
        each = zip(self.shapes, self.dtypes, strict=True)
        return [(s, d, math.prod(s) * (2 if d.is_complex else 1)) for s, d in each if varies(d)]


def named(name: str, tree: Any) -> list[tuple[str, Any]]:
    return [(name + keystr(path), leaf) for path, leaf in tree_flatten_with_path(tree)[0]]


def refuse_nan(named: Sequence[tuple[str, Tensor]], where: str) -> None:
    for name, leaf in named:
        if varies(leaf.dtype) and bool(leaf.isnan().any()):
            first = int(leaf.isnan().nonzero()[0][:1].sum())
            raise ValueError(f"{name}: expected numbers, got NaN, first at {where.format(first)}")


def outline(tree: Any) -> str:
    """How a pytree is built: str of it with shapes in place of tensors."""
    return str(tree_map(lambda leaf: tuple(leaf.shape) if isinstance(leaf, Tensor) else leaf, tree))


def shown(leaf: Tensor) -> str:
    return f"{name_of(leaf.dtype)} {tuple(leaf.shape)}"


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def varies(dtype: torch.dtype) -> bool:
    return dtype.is_floating_point or dtype.is_complex


def own(leaf: Tensor) -> Tensor:
    return leaf.detach().float() if leaf.dtype in HALF else leaf.detach()


def double(leaf: Tensor) -> Tensor:
    return leaf.to(torch.complex128 if leaf.is_complex() else torch.float64) if varies(leaf.dtype) else leaf


def real(leaf: Tensor) -> Tensor:
    return torch.view_as_real(leaf.resolve_conj()) if leaf.is_complex() else leaf

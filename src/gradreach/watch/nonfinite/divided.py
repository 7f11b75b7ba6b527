"""Whether NaN in what a model is given comes from a division by 0 that was to normalise it, as all the rest shows."""

from __future__ import annotations

import torch
from torch import Tensor

from gradreach.record.nonfinite import Cause

FEWEST = 8
"""Sound rows or columns that show by which rule all were divided."""

FEWEST_ROWS = 8
"""Rows over which the deviation of a column says how it was scaled."""

EXACT = 1e-5
"""How far a sum or a norm may lie from 1 for the rounding of float32; of a deviation, 10 times that."""

MOST_NUMBERS = 1 << 24


def divided(plain: Tensor | None) -> tuple[Cause, str]:
    """By what rows or columns that are NaN throughout were divided, and how many of how many these are; "inputs" where
    that does not follow from the others."""
    unknown: tuple[Cause, str] = ("inputs", "")
    if plain is None or plain.dim() != 2 or plain.dtype not in (torch.float32, torch.float64):
        return unknown
    if plain.numel() > MOST_NUMBERS or bool(torch.isinf(plain).any()):
        return unknown
    bad = torch.isnan(plain)
    rows, columns = bad.all(1), bad.all(0)
    if bool((bad == rows[:, None]).all()):
        return _rows(plain[~rows].double(), f"{int(rows.sum()):,} of {len(rows):,} rows") or unknown
    if bool((bad == columns).all()):
        return _columns(plain[:, ~columns].double(), f"{int(columns.sum()):,} of {len(columns):,} columns") or unknown
    return unknown


def _rows(sound: Tensor, which: str) -> tuple[Cause, str] | None:
    if len(sound) < FEWEST or _are_marks(sound):
        return None
    if bool((sound >= 0).all()) and _are_one(sound.sum(1), EXACT):
        return "sum of a row", which
    return ("norm of a row", which) if _are_one(sound.norm(dim=1), EXACT) else None


def _columns(sound: Tensor, which: str) -> tuple[Cause, str] | None:
    if sound.shape[1] < FEWEST or len(sound) < FEWEST_ROWS or bool((sound.mean(0).abs() > 10 * EXACT).any()):
        return None
    scaled = any(_are_one(sound.std(0, correction=each), 10 * EXACT) for each in (0, 1))
    return ("deviation of a column", which) if scaled else None


def _are_marks(sound: Tensor) -> bool:
    """Whether most rows are a single 1, as a code of classes has them, which nobody divided."""
    alone = (sound != 0).sum(1) <= 1
    return bool(alone.double().mean() > 0.5)


def _are_one(numbers: Tensor, apart: float) -> bool:
    return bool(((numbers - 1.0).abs() <= apart).all())

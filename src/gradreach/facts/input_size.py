"""How large the input of a model is: as its layers were given it, else as its first one's output and weights tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gradreach.facts.depth import in_order
from gradreach.facts.statistics import is_positive
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.seen.data import GivenData
from gradreach.record.seen.depth import DepthLook

RAW = 10.0
"""Rms of an input from which its size may be the cause: weights start for inputs of size 1, and a rate that suits it
lies 100 times lower, which no clipping and no tenth of the rate makes up for."""

SMALL = 0.1
"""Rms of data up to which their size may be why they are lost: weights and biases start for inputs of size 1."""

DIFFERENT = 0.2
"""Deviation of data from row to row, in parts of their rms, from which the rows are told apart by them."""

LOST = 0.1
"""The same of what a layer puts out up to which its bias is nearly all of it."""

TOWERING = 1e5
"""Rms of a row, and that in parts of the median row's, from which the others count for nothing beside it: heavy tails
of counts and prices end below, and a float32 has seven digits."""


@dataclass(frozen=True, slots=True)
class LargeRows:
    """Rows that tower above the others of what a layer takes in: as last seen, in `looks` of the `of` looks at rows."""

    given: GivenData
    looks: int
    of: int

    @property
    def row(self) -> float:
        """The rms of the largest row."""
        return self.given.largest_row or 0.0

    @property
    def other(self) -> float:
        """The median rms of the rows that are not all 0."""
        return self.given.middle_row or 0.0


def given_data(looks: Sequence[Look], root_of: Callable[[str], str]) -> dict[str, GivenData]:
    """Of each root the largest data of the script's own that a layer of it was given, at the first look at them."""
    largest: dict[str, GivenData] = {}
    for look in looks:
        first: dict[str, GivenData] = {}
        for given in sorted(look.given, key=lambda each: -max(each.rms, each.largest)):
            first.setdefault(root_of(given.module), given)
        for root, given in first.items():
            largest.setdefault(root, given)
    return largest


def large_rows(looks: Sequence[Look], root_of: Callable[[str], str]) -> dict[str, LargeRows]:
    """Of each root the layer whose data have the largest row, where it towers above the others in more than half of the
    looks at them, in MIN_LOOKS or more, and in one of the first MIN_LOOKS: what grows while a model trains, as samples
    of its own do, came later.

    No norm of rows may stand anywhere in the root: behind it a row counts the same whatever its size.
    """
    layers: dict[str, list[GivenData]] = {}
    for given in (each for look in looks for each in look.given if each.largest_row is not None):
        layers.setdefault(given.module, []).append(given)
    largest: dict[str, LargeRows] = {}
    for module, seen in layers.items():
        root, odd = root_of(module), [each for each in seen if _towers(each)]
        often = len(odd) >= MIN_LOOKS and 2 * len(odd) > len(seen)
        if not often or not any(map(_towers, seen[:MIN_LOOKS])) or _norms_rows(looks, root, root_of):
            continue
        rows = LargeRows(odd[-1], len(odd), len(seen))
        if root not in largest or largest[root].row < rows.row:
            largest[root] = rows
    return largest


def _norms_rows(looks: Sequence[Look], root: str, root_of: Callable[[str], str]) -> bool:
    return any("BatchNorm" not in kind for kind in _norms(looks, root, root_of))


def _towers(given: GivenData) -> bool:
    row, other = given.largest_row, given.middle_row
    return is_positive(row) and row >= TOWERING and is_positive(other) and row >= TOWERING * other


def lost_data(looks: Sequence[Look], root_of: Callable[[str], str]) -> dict[str, GivenData]:
    """Of each root whose data are all small the largest of them, where the layer that takes them in puts out nearly the
    same for every row, in each of MIN_LOOKS looks or more: beside its bias nothing is left of them.

    No norm may stand anywhere in the root that takes the bias away again.
    """
    lost: dict[str, GivenData] = {}
    for root, given in given_data(looks, root_of).items():
        each = [seen for look in looks for seen in look.given if seen.module == given.module]
        restored = any(kind not in ("LayerNorm", "RMSNorm") for kind in _norms(looks, root, root_of))
        if len(each) >= MIN_LOOKS and not restored and all(map(_is_lost, each)):
            lost[root] = each[-1]
    return lost


def _norms(looks: Sequence[Look], root: str, root_of: Callable[[str], str]) -> set[str]:
    """The kinds of norms that stand in a root."""
    kinds = {seen.kind for look in looks for seen in look.depth if root_of(seen.module) == root}
    return {kind for kind in kinds if "Norm" in kind}


def _is_lost(given: GivenData) -> bool:
    small = is_positive(given.rms) and given.largest <= SMALL
    differs = given.apart_in is not None and given.apart_in >= DIFFERENT
    return small and differs and given.apart_out is not None and given.apart_out <= LOST


def input_sizes(looks: Sequence[Look], root_of: Callable[[str], str]) -> dict[str, float]:
    """The rms of the input of each root, at the first look at it.

    Where no layer was seen to take data in, as under compiled code, a first module that is a Linear or a convolution
    tells: for weights of mean 0, as at the start, the rms of W x is ‖W‖ / √units times that of x. That is an estimate,
    good to a factor of two or three.
    """
    sizes = {root: given.rms for root, given in given_data(looks, root_of).items()}
    for look in looks:
        first: dict[str, DepthLook] = {}
        for seen in in_order(look):
            first.setdefault(root_of(seen.module), seen)
        for root, seen in first.items():
            if (size := _of(seen)) is not None:
                sizes.setdefault(root, size)
    return sizes


def _of(seen: DepthLook) -> float | None:
    """The rms of what one layer takes in; None for other kinds and where it cannot be told."""
    if not ("Linear" in seen.kind or "Conv" in seen.kind) or not seen.units:
        return None
    if not is_positive(seen.activation_rms) or not is_positive(seen.weight_norm):
        return None
    return float(seen.activation_rms * seen.units**0.5 / seen.weight_norm)

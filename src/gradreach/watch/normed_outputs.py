"""The least loss that an output can reach which comes straight from a normalisation, whatever the network before it.

Each group of numbers that was normalised together has mean 0 and mean square 1 at most, before a scale and a shift of
the normalisation's own. A loss that is convex in the output lies above each of its tangents, and the least value of a
tangent under these conditions is known: over each group, minus its size times the deviation of the slopes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gradreach.record.seen.loss import Normalisation, NormedOutput
from gradreach.watch.comparisons import IN_ORDER, Compared, path_of, shape_of
from gradreach.watch.graph import Node, is_leaf, operation
from gradreach.watch.nonfinite.operations import key_of
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.row_losses import MOST_CLASSES, is_likelihood
from gradreach.watch.tensors import is_dense, is_dense_and_real

MOST_NUMBERS = 1 << 22
"""Numbers of an output up to which the bound is computed."""

_OF_BATCHES = ("nativebatchnorm", "cudnnbatchnorm", "miopenbatchnorm")


@dataclass(frozen=True, slots=True)
class _Groups:
    """Which group each number of an output was normalised in, and how many numbers each group has in all; by what each
    number was multiplied then, and what was added."""

    of_each: Tensor
    sizes: Tensor
    scale: Tensor
    shift: Tensor

    def total(self, numbers: Tensor) -> Tensor:
        """The sum of these numbers in each group."""
        return torch.zeros_like(self.sizes).index_add_(0, self.of_each.flatten(), numbers.flatten().double())

    def deviation(self, numbers: Tensor) -> Tensor:
        """How far these numbers lie apart in each group; those of it that are not compared count as 0."""
        mean = self.total(numbers) / self.sizes
        return (self.total(numbers.square()) / self.sizes - mean.square()).clamp(min=0.0).sqrt()

    def standardised(self, numbers: Tensor, *, most: bool = False) -> Tensor:
        """The numbers less their mean in each group, at a factor that brings their deviation to 1, or to 1 at most."""
        mean, deviation = self.total(numbers) / self.sizes, self.deviation(numbers)
        factor = torch.where(deviation > 0.0, 1.0 / deviation, 0.0).clamp(max=1.0 if most else torch.inf)
        return (numbers.double() - mean[self.of_each]) * factor[self.of_each]


@torch.no_grad()
def normed_output(each: Compared) -> NormedOutput | None:
    """What the normalisation is that an output comes from, and the least mean of its comparison on these targets; None
    of any other output, and where the bound is not known."""
    target, path = each.target, _path(each)
    normalisation = _normalisation(path)
    if normalisation is None or target is None or each.is_weighted or each.is_turned or not is_dense(target):
        return None
    groups = _groups(path, normalisation, each.shape)
    if groups is None or (bound := _least(each, target, groups)) is None:
        return None
    is_scaled = saved_value(path[-1], "weight") is not None
    return NormedOutput(normalisation, int(groups.sizes.median().item()), max(bound, 0.0), is_scaled)


def _path(each: Compared) -> tuple[Node, ...]:
    """From the output to what computed it; past a sigmoid that its binary cross entropy undoes."""
    last = each.path[-1]
    before = last.next_functions[0][0] if last.next_functions else None
    if each.kind == "binary cross entropy" and key_of(operation(last)) == "sigmoid" and before is not None:
        return (*each.path, *path_of(before))
    return each.path


def _normalisation(path: Sequence[Node]) -> Normalisation | None:
    """The kind of a normalisation that gives mean 0 and mean square 1, whatever else is trained."""
    node = path[-1]
    key = key_of(operation(node))
    if key == "nativelayernorm":
        return "layer norm"
    if key == "nativegroupnorm":
        return "group norm"
    if key not in _OF_BATCHES or not saved_value(node, "training"):
        return None
    shape, after = shape_of(node), shape_of(path[-2]) if len(path) > 1 else ()
    is_split = shape[:1] == (1,) and len(after) == len(shape) and after[0] * after[1] == shape[1] and after != shape
    return "instance norm" if is_split else "batch norm"


def _groups(path: Sequence[Node], kind: Normalisation, shape: tuple[int, ...]) -> _Groups | None:
    """The groups of the numbers that are compared; None where the way from the normalisation to them is not known."""
    node, normed = path[-1], shape_of(path[-1])
    count = torch.Size(normed).numel()
    if not 0 < count <= MOST_NUMBERS or len(normed) < 2:
        return None
    if kind in ("batch norm", "instance norm"):
        ids = torch.arange(normed[1]).view(1, -1, *[1] * (len(normed) - 2)).expand(normed)
    else:
        size = torch.Size(saved_value(node, "normalized_shape") or ()).numel()
        if kind == "group norm":
            size = count // (normed[0] * int(saved_value(node, "group")))
        ids = torch.arange(count // size).repeat_interleave(size).view(normed)
    moved = _moved(torch.arange(count).view(normed), path)
    affine = _affine(node, normed)
    if moved is None or tuple(moved.shape) != shape or affine is None:
        return None
    ids, sizes = ids.reshape(-1), torch.bincount(ids.reshape(-1)).double()
    return _Groups(ids[moved], sizes, *(each.reshape(-1)[moved] for each in affine))


def _affine(node: Node, normed: tuple[int, ...]) -> tuple[Tensor, Tensor] | None:
    """The scale and the shift of each number that a normalisation puts out; None where they are not known."""
    weight, edges = saved_value(node, "weight"), [edge for edge, _ in node.next_functions[1:]]
    if weight is None and not any(edges):
        return torch.ones(normed).double(), torch.zeros(normed).double()
    source = edges[-1] if len(edges) == 2 else None
    while source is not None and not is_leaf(source):
        source = source.next_functions[0][0] if len(source.next_functions) == 1 else None
    if weight is None or source is None or not is_dense_and_real(weight) or not is_dense_and_real(source.variable):
        return None
    bias = source.variable
    if weight.numel() % bias.numel():
        return None
    both = (weight.detach().cpu().double(), bias.detach().cpu().double().reshape(-1))
    scale, shift = both[0], both[1].repeat(weight.numel() // bias.numel()).view(weight.shape)
    if key_of(operation(node)) != "nativelayernorm":
        scale, shift = (each.view(1, -1, *[1] * (len(normed) - 2)) for each in (scale, shift))
    return scale.expand(normed), shift.expand(normed)


def _moved(ids: Tensor, path: Sequence[Node]) -> Tensor | None:
    """These numbers at the places to which the script moved those of the normalisation."""
    for node in reversed(path[:-1]):
        key = key_of(operation(node))
        if key in IN_ORDER or key == "sigmoid":
            shape = shape_of(node)
            if torch.Size(shape).numel() != ids.numel():
                return None
            ids = ids.reshape(shape)
        elif key == "permute":
            ids = ids.permute([_signed(axis) for axis in saved_value(node, "dims")])
        elif key == "transpose":
            ids = ids.transpose(*(_signed(saved_value(node, name)) for name in ("dim0", "dim1")))
        elif key == "select":
            ids = ids.select(*(_signed(saved_value(node, name)) for name in ("dim", "index")))
        else:
            return None
    return ids


def _signed(axis: int) -> int:
    return axis - (1 << 64) if axis >= 1 << 63 else axis


def _least(each: Compared, target: Tensor, groups: _Groups) -> float | None:
    """The least mean of a comparison, from its tangent at what comes near to the best output."""
    target = target.detach().cpu()
    if is_likelihood(each):
        if each.kind != "cross entropy" or not 2 <= each.shape[1] <= MOST_CLASSES or len(each.shape) < 2:
            return None
        return _of_classes(target, -100 if each.ignored is None else each.ignored, each.shape, groups)
    if not is_dense_and_real(target) or tuple(target.shape) != each.shape or not bool(torch.isfinite(target).all()):
        return None
    target = target.double()
    if each.kind.startswith("binary"):
        at = groups.standardised(target)
        output = groups.scale * at + groups.shift
        values, slopes = F.binary_cross_entropy_with_logits(output, target, reduction="none"), output.sigmoid() - target
    elif each.kind == "squared error":
        at = groups.standardised((target - groups.shift) / groups.scale.where(groups.scale != 0.0, 1.0), most=True)
        output = groups.scale * at + groups.shift
        values, slopes = (output - target).square(), 2.0 * (output - target)
    else:
        return None
    return _under_tangent(values.sum(), slopes, at, groups) / target.numel()


def _of_classes(target: Tensor, ignored: int, shape: tuple[int, ...], groups: _Groups) -> float | None:
    counts = (target != ignored) & (target >= 0) & (target < shape[1])
    if tuple(target.shape) != (shape[0], *shape[2:]) or not bool(counts.any()):
        return None
    labels = torch.where(counts, target, 0).unsqueeze(1)
    asked = torch.zeros(shape, dtype=torch.float64).scatter_(1, labels, 1.0) * counts.unsqueeze(1)
    at = groups.standardised(asked)
    likelihoods = F.log_softmax(groups.scale * at + groups.shift, 1)
    slopes = (likelihoods.exp() - asked) * counts.unsqueeze(1)
    value = -(likelihoods * asked).sum()
    return _under_tangent(value, slopes, at, groups) / int(counts.sum())


def _under_tangent(value: Tensor, slopes: Tensor, at: Tensor, groups: _Groups) -> float:
    """The least of a tangent over all outputs that are normalised in these groups; `at` is without scale and shift."""
    slopes = groups.scale * slopes
    return float(value - (slopes * at).sum() - (groups.sizes * groups.deviation(slopes)).sum())

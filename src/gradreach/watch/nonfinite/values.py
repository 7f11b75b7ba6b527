"""What stands in a tensor: whether it is finite, which value is not, and where the first of them lies."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from gradreach.record.nonfinite import NonFiniteValue
from gradreach.watch.tensors import is_without_memory


def readable(tensor: object) -> Tensor | None:
    """The numbers of a real or complex floating-point tensor as a plain one; None of any other, and of one that holds
    none: on the meta device, within a transform, spread over ranks, with its memory given back."""
    if not isinstance(tensor, Tensor) or type(tensor) not in (Tensor, torch.nn.Parameter):
        return None
    if not (tensor.is_floating_point() or tensor.is_complex()) or tensor.device.type == "meta":
        return None
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor) or tensor.is_nested or tensor.is_quantized:
        return None
    plain = tensor.detach()
    if plain.layout == torch.strided:
        return plain if plain.numel() and not is_without_memory(plain) else None
    return plain._values() if plain.layout == torch.sparse_coo and plain._nnz() else None


def numbers(tensor: object) -> Tensor | None:
    """The numbers of a tensor of any kind, whole ones in float64; None where they cannot be read."""
    plain = readable(tensor)
    if plain is not None or not isinstance(tensor, Tensor) or tensor.is_floating_point() or tensor.is_complex():
        return plain
    return readable(tensor.double()) if type(tensor) is Tensor and tensor.layout == torch.strided else None


def is_finite(tensor: object) -> bool:
    """Whether a tensor holds no NaN and no infinity, as far as it can be read."""
    plain = readable(tensor)
    return plain is None or bool(torch.isfinite(plain).all())


def value_of(tensors: Iterable[object]) -> NonFiniteValue | None:
    """Which non-finite value stands in tensors: NaN before infinity; None where all that can be read are finite."""
    bad = [plain for t in tensors if (plain := readable(t)) is not None and not bool(torch.isfinite(plain).all())]
    if not bad:
        return None
    return "nan" if any(bool(torch.isnan(plain).any()) for plain in bad) else "inf"


def is_mask(tensor: object) -> bool:
    """Whether −∞ is all that is not finite in a tensor, as in a mask of attention."""
    plain = readable(tensor)
    if plain is None or plain.is_complex() or bool(torch.isnan(plain).any()):
        return False
    return bool((plain == float("-inf")).any()) and not bool((plain == float("inf")).any())


def first(where: Tensor) -> tuple[int, ...] | None:
    """The index of the first true entry of a mask; None where there is none."""
    found = where.nonzero()
    return tuple(int(i) for i in found[0]) if len(found) else None


def first_bad(tensor: Tensor) -> tuple[int, ...] | None:
    """The index of the first NaN, or of the first infinity where there is no NaN; None where all is finite."""
    nan = first(torch.isnan(tensor))
    return first(~torch.isfinite(tensor)) if nan is None else nan


def entry(tensor: object, index: tuple[int, ...]) -> float | None:
    """The number that an argument has at an index of the output, as broadcasting lays it out; None where that cannot be
    told."""
    if isinstance(tensor, (int, float)) and not isinstance(tensor, bool):
        return float(tensor)
    plain = numbers(tensor)
    if plain is None or plain.is_complex() or plain.dim() > len(index):
        return None
    own = index[len(index) - plain.dim() :]
    place = tuple(0 if size == 1 else i for i, size in zip(own, plain.shape, strict=True))
    if any(i >= size for i, size in zip(place, plain.shape, strict=True)):
        return None
    return float(plain[place])


def told(number: float) -> str:
    """A number as it reads in a sentence, with a real minus."""
    return f"{number:.4g}".replace("-", "−").replace("inf", "∞").replace("nan", "NaN")


def in_half(tensor: object) -> str:
    """The end of a sentence that names a format of half precision: near 1 it holds no number that a small eps makes."""
    kind = format_of(tensor)
    return f" in {kind}" if kind.endswith("float16") else ""


def format_of(tensor: object) -> str:
    """The number format of a tensor, as torch names it."""
    return str(tensor.dtype).removeprefix("torch.") if isinstance(tensor, Tensor) else ""

"""Operations of torch by their names: what each is called in plain words, and why its result is not finite."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradreach.record.nonfinite import Cause, NonFiniteValue
from gradreach.watch.nonfinite.values import entry, first, first_bad, format_of, in_half, readable, told, value_of

_WORDS = {
    "add": "addition",
    "addmm": "matrix product",
    "baddbmm": "matrix product",
    "bmm": "matrix product",
    "convolution": "convolution",
    "ctcloss": "CTC loss",
    "div": "division",
    "linalgeigh": "eigh",
    "linalgsvd": "svd",
    "linalgvectornorm": "norm",
    "linear": "matrix product",
    "logsoftmax": "log-softmax",
    "matmul": "matrix product",
    "mm": "matrix product",
    "mseloss": "mean squared error",
    "mul": "multiplication",
    "nllloss": "negative log-likelihood",
    "nllloss2d": "negative log-likelihood",
    "pow": "power",
    "rsub": "subtraction",
    "safesoftmax": "softmax",
    "scaleddotproductflashattentionforcpu": "attention",
    "sub": "subtraction",
    "tocopy": "conversion",
}

EXPONENTIALS = ("exp", "expm1", "exp2", "sinh", "cosh")
LOGARITHMS = ("log", "log2", "log10", "log1p")
ARCS = ("acos", "asin", "atanh", "acosh", "erfinv", "logit", "specialndtri")
SOFTMAXES = ("softmax", "logsoftmax", "safesoftmax", "logsumexp")
CTC = ("ctcloss",)
_DEVIATIONS = ("std", "var", "stdmean", "varmean")
_MOVES = frozenset(
    {
        *("alias", "asstrided", "cat", "chunk", "clone", "constantpadnd", "contiguous", "copy", "copyslices", "detach"),
        *("diagonal", "embedding", "empty", "expand", "fill", "flatten", "flip", "full", "gather", "index", "indexput"),
        *("liftfresh", "maskedfill", "narrow", "new", "permute", "repeat", "reshape", "roll", "scatter", "select"),
        *("slice", "slicescatter", "split", "squeeze", "stack", "t", "take", "to", "transpose", "tril", "triu"),
        *("unbind", "unfold", "unsafeview", "unsqueeze", "view", "where", "zeros"),
    }
)
_HALVES = {torch.float16: 65504.0}


@dataclass(frozen=True, slots=True)
class Ground:
    """Why an operation made a value that is not finite: the operation in plain words, the kind of fault, what it was
    given, and where the first such value lies in a tensor of this shape."""

    operation: str
    cause: Cause
    value: NonFiniteValue
    argument: str = ""
    index: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()


def key_of(name: str) -> str:
    """One spelling for an operation, whether an autograd node ("LogSoftmaxBackward0") or ATen ("_log_softmax") named
    it: small letters alone."""
    bare = re.sub(r"Backward\d*$", "", name.rpartition("::")[2])
    return bare.replace("_", "").lower()


def plain_word(name: str) -> str:
    """What an operation is called in a sentence."""
    key = key_of(name)
    key = key.removeprefix("mkldnn").removeprefix("native").removeprefix("cudnn")
    return _WORDS.get(key, key)


def moves(name: str) -> bool:
    """Whether an operation only places values, or puts an infinity where it is meant, as a mask of attention does."""
    return key_of(name) in _MOVES


def why_not_finite(name: str, args: Sequence[Any], output: Tensor, again: Callable[[], Tensor] | None = None) -> Ground:
    """Why `output` of the operation `name` with the arguments `args` is not finite; `again` computes it in float32."""
    plain = readable(output)
    assert plain is not None
    index = first_bad(plain)
    assert index is not None
    value: NonFiniteValue = "nan" if bool(torch.isnan(plain[index]).any()) else "inf"
    self, other = (args[0] if args else None), (args[1] if len(args) > 1 else None)
    cause, argument, place = _why(key_of(name), self, other, output, index)
    if cause in ("", "overflow", "exp overflow") and value == "inf" and output.dtype in _HALVES:
        cause, argument = "half overflow", _past_half(output, index, again, argument)
    shown = place if place is not None else index
    shape = tuple(output.shape) if place is None else tuple(getattr(self, "shape", ()))
    return Ground(plain_word(name), cause, value, argument, shown, shape)


Why = tuple[Cause, str, "tuple[int, ...] | None"]


def _why(key: str, self: Any, other: Any, output: Tensor, index: tuple[int, ...]) -> Why:
    x, y, kind = entry(self, index), entry(other, index), format_of(output)
    if key in EXPONENTIALS:
        return "exp overflow", f"{key} of {told(x)} in {kind}" if x is not None else f"{key} in {kind}", None
    if key in LOGARITHMS and x is not None:
        zero = -1.0 if key == "log1p" else 0.0
        return "log of zero" if x == zero else "log of a negative", f"{key} of {told(x)}{in_half(self)}", None
    if key == "xlogy" and y is not None:
        return "log of zero" if y == 0 else "log of a negative", f"log of {told(y)}", None
    if key in ("sqrt", "rsqrt"):
        if bool(torch.isinf(output[index])):
            return ("division by zero", "1 / sqrt of 0", None) if key == "rsqrt" else ("overflow", "", None)
        return "root of a negative", f"{key} of {told(x) if x is not None else 'a negative number'}", None
    if key == "reciprocal":
        return "division by zero", f"1 / {told(x) if x is not None else '0'}", None
    if key in ("div", "truedivide", "fmod", "remainder") and y is not None:
        return _of_a_quotient(x, y, kind)
    if key == "pow" and x is not None and y is not None:
        return _of_a_power(x, y, kind)
    if key in ARCS and x is not None:
        edge = key in ("atanh", "erfinv", "logit", "specialndtri") and abs(x) in (0.0, 1.0)
        return "edge of its domain" if edge else "outside of its domain", f"{key} of {told(x)}", None
    if key in SOFTMAXES:
        return _of_a_softmax(self, other, output, index)
    if key in ("add", "sub", "rsub", "mul") and x is not None and y is not None:
        cause, asked, place = _of_arithmetic(key, x, y, kind)
        driven = key == "mul" and cause == "overflow" and any(map(_is_exponential, (self, other)))
        return "exponential factor" if driven else cause, asked, place
    if key in _DEVIATIONS:
        return "deviation of one", _counted(self, output), None
    return _of_the_rest(key, self, other, output)


def _of_the_rest(key: str, self: Any, other: Any, output: Tensor) -> Why:
    if key in CTC:
        return "utterance too short", "a target that is longer than its input", None
    if key in ("nllloss", "nllloss2d", "nlllossforward", "nllloss2dforward"):
        if (plain := readable(self)) is not None and bool(torch.isfinite(plain).all()):
            return "division by zero", "the mean over no label, for every one is ignored or weighs 0", None
        return "impossible label", "a label whose log-probability is −∞", None
    if key in ("mean", "nanmean") and isinstance(self, Tensor) and self.numel() == 0:
        return "division by zero", "the mean of no value", None
    given = [plain for t in (self, other) if (plain := readable(t)) is not None]
    if value_of(given) or not given:
        return "", "", None
    largest = max(float(plain.abs().max()) for plain in given)
    return "overflow", f"values up to {told(largest)} in {format_of(output)}", None


def _of_a_quotient(x: float | None, y: float, kind: str) -> Why:
    asked = f"{'x' if x is None else told(x)} / {told(y)}"
    if y == 0:
        return "division by zero", asked, None
    if x in (float("inf"), float("-inf")):
        return "infinity less infinity", asked, None
    return ("division by zero" if abs(y) < 1e-12 else "overflow"), f"{asked} in {kind}", None


def _of_a_power(x: float, y: float, kind: str) -> Why:
    asked = f"{told(x)} to the power of {told(y)}"
    if x == 0 and y < 0:
        return "division by zero", asked, None
    if x < 0 and y != int(y):
        return "power of a negative", asked, None
    return "overflow", f"{asked} in {kind}", None


def _of_arithmetic(key: str, x: float, y: float, kind: str) -> Why:
    sign = {"add": "+", "sub": "−", "rsub": "−", "mul": "×"}[key]
    if key == "rsub":
        x, y = y, x
    asked = f"{told(x)} {sign} {told(y)}"
    infinite = [abs(v) == float("inf") for v in (x, y)]
    if key == "mul" and any(infinite):
        return "zero times infinity", asked, None
    if any(infinite):
        return "infinity less infinity", asked, None
    return "overflow", f"{asked} in {kind}", None


def _is_exponential(tensor: Any) -> bool:
    made_by = getattr(tensor, "grad_fn", None)
    return made_by is not None and key_of(made_by.name()) in EXPONENTIALS


def _of_a_softmax(self: Any, dim: Any, output: Tensor, index: tuple[int, ...]) -> Why:
    plain = readable(self)
    if plain is None:
        if bool(torch.isnan(output).any()):
            return "softmax of nothing", "a row of −∞ alone", None
        return "impossible label", "a label whose log-probability is −∞", None
    along = dim[0] if isinstance(dim, (list, tuple)) and len(dim) == 1 else dim
    if isinstance(along, int) and bool((plain == float("-inf")).all(along).any()):
        return "softmax of nothing", "a row of −∞ alone", None
    if bool((plain == float("inf")).any()):
        return "infinity less infinity", "a row that holds ∞", first(plain == float("inf"))
    if bool(torch.isnan(plain).any()):
        return "", "", None
    return "impossible label", f"a logit of {told(entry(self, index) or 0.0)}", None


def _counted(self: Any, output: Tensor) -> str:
    each = self.numel() // max(output.numel(), 1) if isinstance(self, Tensor) else 0
    return "the deviation of a single value" if each <= 1 else f"the deviation of {each} values"


def _past_half(output: Tensor, index: tuple[int, ...], again: Callable[[], Tensor] | None, asked: str) -> str:
    """How far a result lies past the largest number of its format; what was asked where that cannot be computed."""
    most = _HALVES[output.dtype]
    try:
        whole = entry(again(), index) if again is not None else None
    except Exception:  # the operation may know no float32
        whole = None
    if whole is None:
        return f"a result past float16's largest number, {most:,.0f}" + (f" ({asked})" if asked else "")
    return f"a result of {told(whole)}, past float16's largest number, {most:,.0f}"

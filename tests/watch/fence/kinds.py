"""What modules hand to each other: tensors of every kind, and containers of every kind."""

from __future__ import annotations

from collections import OrderedDict, UserDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.utils._pytree import tree_map


class Broken:
    """An object of the script's own on which nothing can be asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name} here")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("cannot be compared")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError("cannot be shown")

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    @property
    def __class__(self) -> Any:
        raise RuntimeError("of no class")

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise RuntimeError("of no class")


class BrokenDict(dict[str, Any]):
    def values(self) -> Any:
        raise RuntimeError("no values here")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("cannot be walked")


class Pair(NamedTuple):
    first: Tensor
    second: Any


class ModelOutput(OrderedDict[str, Any]):
    """As the libraries of language models make them: items are attributes too."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


@dataclass
class Output:
    hidden: Tensor
    rest: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Slotted:
    hidden: Tensor


class Overriding(Tensor):
    """A class with overrides of torch's functions, which counts how often it is asked."""

    asked = 0

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        Overriding.asked += 1
        return super().__torch_function__(func, types, args, kwargs or {})


class Dispatching(Tensor):
    """A wrapper that computes in its own way, and counts how often."""

    asked = 0
    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Dispatching:
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, inner.shape, dtype=inner.dtype, device=inner.device, requires_grad=inner.requires_grad
        )
        made.inner = inner
        return made  # type: ignore[no-any-return]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        Dispatching.asked += 1
        if func is torch.ops.aten.norm.Scalar or "foreach_norm" in str(func):
            raise RuntimeError("has no norm")
        unwrap = lambda x: x.inner if isinstance(x, Dispatching) else x  # noqa: E731
        wrap = lambda x: Dispatching(x) if isinstance(x, Tensor) else x  # noqa: E731
        return tree_map(wrap, func(*tree_map(unwrap, args), **tree_map(unwrap, kwargs or {})))


class _Wrap(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        return Dispatching(x.detach())

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return gradient.inner if isinstance(gradient, Dispatching) else gradient


class _Unwrap(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, x: Any) -> Tensor:
        return x.inner.detach().clone()  # type: ignore[no-any-return]

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return Dispatching(gradient)


@dataclass(frozen=True)
class Kind:
    """`make` turns a real (B, H) tensor into the kind, `take` turns it back into a real (B, H) tensor."""

    make: Callable[[Tensor], Any]
    take: Callable[[Any], Tensor]


def _beside(make: Callable[[Tensor], Any]) -> Kind:
    """A kind that carries no gradient: handed on beside the real tensor."""
    return Kind(lambda x: (make(x.detach()), x), lambda both: both[1])


def _first_beside(make: Callable[[Tensor], Any]) -> Kind:
    return Kind(lambda x: [x, make(x.detach())], lambda both: both[0])


def _in_place_view(x: Tensor) -> Tensor:
    whole = x.clone()
    row = whole[0]
    row.mul_(2.0)
    return whole


def _view_torch_cannot_tell_of(x: Tensor) -> Any:
    whole = x.detach().clone()
    with torch.no_grad():
        view = whole.view(-1)
    whole.requires_grad_(False)
    whole.add_(0)
    return view


def _freed(x: Tensor) -> Tensor:
    given_back = x.clone()
    given_back.untyped_storage().resize_(0)
    return given_back


def _cycle(x: Tensor) -> list[Any]:
    circle: list[Any] = [x]
    circle.append(circle)
    return circle


def _fake(x: Tensor) -> Tensor:
    with FakeTensorMode() as mode:
        return mode.from_tensor(x)


def _mesh() -> Any:
    return torch.distributed.device_mesh.init_device_mesh("cpu", (1,))


def _nested(layout: torch.layout) -> Kind:
    def make(x: Tensor) -> Tensor:
        return torch.nested.as_nested_tensor([x[:1], x[1:]], layout=layout)

    return Kind(make, lambda nested: torch.cat(nested.unbind()))


KINDS: dict[str, Kind] = {
    "dense": Kind(lambda x: x, lambda x: x),
    "sparse COO": Kind(lambda x: x.to_sparse(), lambda x: x.to_dense()),
    "sparse CSR": Kind(lambda x: x.to_sparse_csr(), lambda x: x.to_dense()),
    "sparse CSR beside": _beside(lambda x: x.to_sparse_csr()),
    "sparse COO of ids": _beside(lambda x: (x > 0).long().to_sparse()),
    "nested, strided": _nested(torch.strided),
    "nested, jagged": _nested(torch.jagged),
    "quantized": _beside(lambda x: torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8)),
    "complex": Kind(lambda x: torch.complex(x, x), lambda x: x.real),
    "conjugate": Kind(lambda x: torch.complex(x, x).conj(), lambda x: x.real),
    "negative bit": Kind(lambda x: torch.complex(x, -x).conj().imag, lambda x: x * 1.0),
    "of no size": _first_beside(lambda x: x[:0]),
    "of no size first": _beside(lambda x: x[:, :0]),
    "a number": Kind(lambda x: [x.sum(), x], lambda both: both[1] + both[0]),
    "true or false": _beside(lambda x: x > 0),
    "integers": _beside(lambda x: x.long()),
    "integers, three axes": _beside(lambda x: x.long()[None]),
    "half": Kind(lambda x: x.half(), lambda x: x.float()),
    "float8": _beside(lambda x: x.to(torch.float8_e4m3fn)),
    "meta": _beside(lambda x: x.to("meta")),
    "fake": _beside(_fake),
    "MKL-DNN": _beside(lambda x: x.to_mkldnn()),
    "overriding functions": Kind(lambda x: x.as_subclass(Overriding), lambda x: x.as_subclass(Tensor)),
    "dispatching": Kind(lambda x: _Wrap.apply(x), lambda x: _Unwrap.apply(x)),
    "dispatching beside": _beside(Dispatching),
    "sharded": Kind(lambda x: distribute_tensor(x, _mesh(), [Shard(0)]), lambda x: x.full_tensor()),
    "sharded, whole": Kind(lambda x: DTensor.from_local(x, _mesh(), [Replicate()]), lambda x: x.to_local()),
    "memory given back": _beside(_freed),
    "a leaf": Kind(lambda x: (x.detach().requires_grad_(), x), lambda both: both[1] + both[0].detach() * 0),
    "changed in place": Kind(_in_place_view, lambda x: x),
    "a view without a history": _beside(_view_torch_cannot_tell_of),
    "expanded": Kind(lambda x: x[:, :1].expand(-1, 3), lambda x: x * 1.0),
    "nothing": Kind(lambda x: (None, x), lambda both: both[1]),
    "text": Kind(lambda x: ("text", x), lambda both: both[1]),
    "a named tuple": Kind(lambda x: Pair(x, None), lambda pair: pair.first),
    "a dict": Kind(lambda x: {"x": x, 3: None}, lambda each: each["x"]),
    "a model's output": Kind(lambda x: ModelOutput(hidden=x), lambda output: output.hidden),
    "a dict of its own": Kind(lambda x: BrokenDict(x=x), lambda each: each["x"]),
    "a user's dict": Kind(lambda x: UserDict(x=x), lambda each: each["x"]),
    "a dataclass": Kind(lambda x: Output(x, [x]), lambda output: output.hidden),
    "a slotted dataclass": Kind(lambda x: Slotted(x), lambda output: output.hidden),
    "a namespace": Kind(lambda x: SimpleNamespace(x=x), lambda output: output.x),
    "a deque": Kind(lambda x: deque([x]), lambda each: each[0]),
    "a generator": Kind(lambda x: (x for _ in range(1)), next),
    "a circle": Kind(_cycle, lambda circle: circle[0]),
    "broken objects": Kind(lambda x: [Broken(), x], lambda both: both[1]),
    "many numbers": Kind(lambda x: [list(range(30_000)), x], lambda both: both[1]),
}

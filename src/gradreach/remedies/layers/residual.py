"""A skip connection through depth."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence


class Residual(nn.Module):
    """h = P x + α f(x): the module f with a path past it, which an error passes unchanged (He et al. 2016).

    Where f keeps the size, P = 1. Where it does not, `projection` is P: nn.Linear(in, out, bias=False) for sequences
    and vectors, nn.Conv2d(in, out, 1, bias=False) for maps. α = 1; with `scale` it is learned, one number for the
    module, and starts there: from 0 a stack of any depth begins as the identity (SkipInit, De and Smith 2020).
    f may be a recurrent layer, or any module that returns a tuple: the path leads to the first of what it returns,
    the output, and its state passes as it is. Further arguments go to f. PackedSequence goes in and out. What else is
    asked of f is asked of `.module`: residual.module.hidden_size, gr.orthogonal(residual.module).

    >>> import torch, gradreach as gr
    >>> layers = [torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Tanh()) for _ in range(50)]
    >>> stack = torch.nn.Sequential(*map(gr.nn.Residual, layers))
    >>> rnn = gr.nn.Residual(torch.nn.LSTM(8, 32), projection=torch.nn.Linear(8, 32, bias=False), scale=0.0)
    >>> output, (h_n, c_n) = rnn(torch.zeros(20, 4, 8))
    >>> output.shape
    torch.Size([20, 4, 32])

    Raises TypeError for an f or P that is no nn.Module. Calls raise ValueError where x (or P x) and f(x) differ in
    shape, TypeError where x is no tensor or f returns none first, and RuntimeError where f writes into its own input,
    as nn.ReLU(inplace=True) does: the path needs that input (not seen under torch.compile and inference_mode).
    """

    def __init__(self, module: nn.Module, projection: nn.Module | None = None, scale: float | None = None) -> None:
        for name, given in (("module", module), ("projection", projection)):
            if not isinstance(given, nn.Module) and not (name == "projection" and given is None):
                came = f"the class {given.__name__}" if isinstance(given, type) else repr(given)
                raise TypeError(f"{name}: expected an nn.Module, as nn.Linear(8, 8), got {came}; pass one that is made")
        super().__init__()
        self.module = module
        self.projection = projection
        self.scale = None if scale is None else nn.Parameter(torch.tensor(float(scale)))

    def forward(self, input: Tensor | PackedSequence, *args: Any, **kwargs: Any) -> Any:
        """What f returns, with h in the place of its output."""
        x = input.data if isinstance(input, PackedSequence) else input
        if not isinstance(x, Tensor):
            raise TypeError(f"input: expected a tensor or a PackedSequence, got {type(x).__name__}")
        versioned = not torch.compiler.is_compiling() and not x.is_inference()
        version = x._version if versioned else 0
        returned = self.module(input, *args, **kwargs)
        if versioned and x._version != version:
            raise RuntimeError(
                "Residual: expected a module that leaves its input alone, got one that writes into it; "
                "use inplace=False in its first layer"
            )
        output, *rest = (
            returned if isinstance(returned, tuple) and not isinstance(returned, PackedSequence) else (returned,)
        )
        f = output.data if isinstance(output, PackedSequence) else output
        if not isinstance(f, Tensor):
            raise TypeError(
                f"Residual: expected a tensor from the module, got {type(f).__name__}; return the output first"
            )
        past = x if self.projection is None else self.projection(x)
        if past.shape != f.shape:
            raise ValueError(self._mismatch(x, past, f))
        h = past + (f if self.scale is None else self.scale * f)
        if isinstance(output, PackedSequence):
            h = PackedSequence(h, *output[1:])
        if output is returned:
            return h
        return returned._replace(**{returned._fields[0]: h}) if hasattr(returned, "_fields") else (h, *rest)

    def _mismatch(self, x: Tensor, past: Tensor, f: Tensor) -> str:
        wanted, came = tuple(f.shape), tuple(past.shape)
        if self.projection is not None:
            return f"projection: expected it to give {wanted}, as the module does, got {came}; change its sizes"
        if wanted[:-1] == came[:-1]:
            cure = f"nn.Linear({came[-1]}, {wanted[-1]}, bias=False)"
        elif x.dim() == f.dim() == 4:
            cure = f"nn.Conv2d({came[1]}, {wanted[1]}, 1, bias=False), with the stride of the module"
        else:
            cure = "a module from the one to the other"
        return f"Residual: expected the module to give the shape of its input, {came}, got {wanted}; projection={cure}"


torch.serialization.add_safe_globals([Residual])  # as for gr.nn's other layers

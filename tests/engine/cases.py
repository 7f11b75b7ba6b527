"""Random stock recurrent calls, and the same mathematics written plainly, row by row, for autograd."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

ONEDNN = "ignore:LSTM with projections is not supported with oneDNN"


def close(ours: Tensor, theirs: Tensor, tolerance: float) -> bool:
    """Equal up to `tolerance` of the 2-norm of theirs."""
    return float((ours.detach() - theirs.detach()).norm()) <= tolerance * max(float(theirs.detach().norm()), 1e-30)


@dataclass(frozen=True)
class Case:
    """One call of a stock layer, what is needed to run it again, and errors for all its outputs."""

    module: nn.RNNBase
    x: Tensor | PackedSequence
    hx: Tensor | tuple[Tensor, Tensor] | None
    lengths: tuple[int, ...]
    generator_state: Tensor
    output: Tensor | PackedSequence
    h_n: Tensor
    c_n: Tensor | None
    grad_output: Tensor
    grad_h_n: Tensor
    grad_c_n: Tensor | None

    def run_backward(self) -> None:
        values = self.output if isinstance(self.output, Tensor) else self.output.data
        loss = (values * self.grad_output).sum() + (self.h_n * self.grad_h_n).sum()
        if self.c_n is not None:
            loss = loss + (self.c_n * self.grad_c_n).sum()
        loss.backward()


@st.composite
def cases(draw: st.DrawFn, dtype: torch.dtype = torch.float64, dropout: bool = True) -> Case:
    kind = draw(st.sampled_from(["tanh", "relu", "GRU", "LSTM"]))
    T, B, inputs, H = (draw(st.integers(1, most)) for most in (7, 4, 4, 5))
    layers = draw(st.integers(1, 3))
    shape = draw(st.sampled_from(["plain", "batch_first", "unbatched", "packed", "packed sorted"]))
    options: dict[str, object] = {"bias": draw(st.booleans()), "bidirectional": draw(st.booleans()), "dtype": dtype}
    if kind == "LSTM" and H > 1 and draw(st.booleans()):
        options["proj_size"] = draw(st.integers(1, H - 1))
    if layers > 1 and dropout:
        options["dropout"] = draw(st.sampled_from([0.0, 0.3, 1.0]))
    torch.manual_seed(draw(st.integers(0, 10**6)))
    family = {"GRU": nn.GRU, "LSTM": nn.LSTM}.get(kind, nn.RNN)
    if family is nn.RNN:
        options["nonlinearity"] = kind
    module = family(inputs, H, num_layers=layers, batch_first=shape == "batch_first", **options)
    module.train(draw(st.booleans()))
    if shape == "unbatched":
        B = 1
    x: Tensor | PackedSequence = torch.randn(T, B, inputs, dtype=dtype)
    lengths = (T,) * B
    if shape.startswith("packed"):
        lengths = tuple(draw(st.lists(st.integers(1, T), min_size=B, max_size=B)))
        if shape == "packed sorted":
            lengths = tuple(sorted(lengths, reverse=True))
        x = pack_padded_sequence(x, lengths, enforce_sorted=shape == "packed sorted")
    elif shape == "batch_first":
        x = x.transpose(0, 1).contiguous()
    elif shape == "unbatched":
        x = x.squeeze(1)
    return call(module, x, lengths, draw(st.booleans()))


def call(module: nn.RNNBase, x: Tensor | PackedSequence, lengths: tuple[int, ...], with_state: bool) -> Case:
    """Run the module on x, with random errors for its outputs."""
    count, P = module.num_layers * (1 + module.bidirectional), module.proj_size or module.hidden_size
    rows = () if isinstance(x, Tensor) and x.dim() == 2 else (len(lengths),)
    hx: Tensor | tuple[Tensor, Tensor] | None = None
    if with_state:
        h_0 = torch.randn(count, *rows, P, dtype=x.data.dtype, requires_grad=True)
        c_0 = torch.randn(count, *rows, module.hidden_size, dtype=x.data.dtype, requires_grad=True)
        hx = (h_0, c_0) if isinstance(module, nn.LSTM) else h_0
    generator_state = torch.get_rng_state()
    output, end = module(x, hx)
    h_n, c_n = end if isinstance(end, tuple) else (end, None)
    grads = [None if y is None else torch.randn_like(y.data) for y in (output, h_n, c_n)]
    return Case(module, x, hx, lengths, generator_state, output, h_n, c_n, *grads)


def step(mode: str, w: dict[str, Tensor], x: Tensor, h: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """One step of one row by torch's documented formulas; missing biases count as 0."""
    zero = torch.zeros((), dtype=h.dtype)
    a_x = w["weight_ih"] @ x + w.get("bias_ih", zero)
    a_h = w["weight_hh"] @ h + w.get("bias_hh", zero)
    if mode == "GRU":
        (r_x, z_x, n_x), (r_h, z_h, n_h) = a_x.chunk(3), a_h.chunk(3)
        r, z = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
        return (1 - z) * torch.tanh(n_x + r * n_h) + z * h, None
    if mode == "LSTM":
        i, f, g, o = (a_x + a_h).chunk(4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return (w["weight_hr"] @ h if "weight_hr" in w else h), c
    return (torch.tanh if mode == "RNN_TANH" else torch.relu)(a_x + a_h), None


def weights_of(module: nn.RNNBase, name: str) -> dict[str, Tensor]:
    """The parameters of one layer and direction, by the part of their name before `name`."""
    found = {key: value for key, value in module.named_parameters() if key.split("_l")[1] == name[2:]}
    return {key.split("_l")[0]: value.detach() for key, value in found.items()}

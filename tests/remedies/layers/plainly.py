"""The layers written plainly, step by step, in ordinary autograd operations: what the closed form is held against."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gradreach.engine.replay import weights_of
from gradreach.engine.scan import Remedies

State = tuple[Tensor, Tensor | None]


def normed(a: Tensor, gates: int, gain: Tensor | None) -> Tensor:
    if gain is None:
        return a
    return nn.functional.layer_norm(a.unflatten(-1, (gates, -1)), (a.shape[-1] // gates,)).flatten(-2) * gain


def step(mode: str, w: Any, x: Tensor, state: State, past: Tensor | None) -> State:
    """One step from (h, c), `past` the h that a shortcut brings."""
    h, c = state
    gates = {"MinGRU": 2, "MinLSTM": 3, "GRU": 3, "LSTM": 4}.get(mode, 1)
    zero = x.new_zeros(())
    b_ih, b_hh = (zero if b is None else b for b in (w.b_ih, w.b_hh))
    a_x = normed(x @ w.w_ih.t(), gates, w.gain_ih) + b_ih
    a_h = None if w.w_hh is None else normed(h @ w.w_hh.t(), gates, w.gain_hh) + b_hh
    if mode == "MinGRU":
        z, made = a_x.chunk(2, -1)
        new = (1 - torch.sigmoid(z)) * h + torch.sigmoid(z) * made
    elif mode == "MinLSTM":
        f, i, made = a_x.chunk(3, -1)
        f, i = torch.sigmoid(f), torch.sigmoid(i)
        new = f / (f + i) * h + i / (f + i) * made
    elif mode == "GRU":
        (r_x, z_x, n_x), (r_h, z_h, n_h) = a_x.chunk(3, -1), a_h.chunk(3, -1)
        r, z = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
        new = (1 - z) * torch.tanh(n_x + r * n_h) + z * h
    elif mode == "LSTM":
        i, f, g, o = (a_x + a_h).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        new = torch.sigmoid(o) * torch.tanh(c)
        new = new if w.w_hr is None else new @ w.w_hr.t()
    else:
        sigma = {"RNN_TANH": torch.tanh, "RNN_RELU": torch.relu, "RNN_SIGMOID": torch.sigmoid}[mode]
        new = sigma(a_x + a_h)
    return (new if past is None else (new + past) / 2), c


class Clip(torch.autograd.Function):
    """Passes (h, c) on; scales each row's joint gradient down to the 2-norm `most`."""

    @staticmethod
    def forward(ctx: Any, most: float, h: Tensor, c: Tensor | None) -> Any:
        ctx.most = most
        return h.clone(), None if c is None else c.clone()

    @staticmethod
    def backward(ctx: Any, dh: Tensor, dc: Tensor | None) -> Any:
        joint = dh if dc is None else torch.cat([dh, dc], -1)
        scale = (ctx.most / joint.norm(dim=-1, keepdim=True)).clamp(max=1.0)
        return None, dh * scale, None if dc is None else dc * scale


def run(mode: str, w: Any, x: Tensor, state: State, remedies: Remedies, states: list[State] | None = None) -> Tensor:
    """The outputs (T, B, P) of one direction; appends the states after each step to `states`."""
    past, outputs = [state[0]], []
    for t in range(len(x)):
        back = t + 1 - remedies.skip
        state = step(mode, w, x[t], state, past[back] if remedies.skip and back >= 0 else None)
        state = Clip.apply(remedies.clip, *state)
        past.append(state[0])
        outputs.append(state[0])
        if states is not None:
            states.append(state)
    return torch.stack(outputs)


def truncated_loss(mode: str, w: Any, x: Tensor, state: State, remedies: Remedies, error: Tensor, k2: int) -> Tensor:
    """Σ_t ⟨e_t, h_t⟩, each term through the last k2 steps alone: every older state stands as a constant."""
    with torch.no_grad():
        states = [state]
        run(mode, w, x, state, Remedies(skip=remedies.skip), states)
    loss = x.new_zeros(())
    for t in range(len(x)):
        first = max(0, t + 1 - k2)
        known: dict[int, State] = {
            n: s if n == 0 and first == 0 else _constant(s) for n, s in enumerate(states[: first + 1])
        }
        for k in range(first, t + 1):
            back = k + 1 - remedies.skip
            past = known[back][0] if remedies.skip and back >= 0 else None
            known[k + 1] = step(mode, w, x[k], known[k], past)
        loss = loss + (known[t + 1][0] * error[t]).sum()
    return loss


def _constant(state: State) -> State:
    return state[0].detach(), None if state[1] is None else state[1].detach()


def weights(layer: nn.RNNBase) -> Any:
    return weights_of(layer, "_l0")

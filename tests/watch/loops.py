"""Small training loops of every shape, for tests: each is a function of nothing that trains and returns its models."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

STEPS = 6


class Recurrent(nn.Module):
    def __init__(self, layer: nn.Module, width: int, last: str = "output") -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(width, 3)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        output, state = self.layer(x)
        if self.last == "state":
            state = state[0] if isinstance(state, tuple) else state
            return self.head(state[-1])
        if self.last == "step":
            return self.head(output[:, -1] if self.layer.batch_first else output[-1])
        return self.head(output).mean(dim=1 if self.layer.batch_first else 0)


def _classify(model: nn.Module, make: Callable[[], Tensor], optimizer: torch.optim.Optimizer | None = None) -> None:
    optimizer = optimizer or torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    for _ in range(STEPS):
        loss = cross_entropy(model(make()), torch.randint(3, (4,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def stacked_lstm_with_dropout() -> list[nn.Module]:
    model = Recurrent(nn.LSTM(5, 8, 2, dropout=0.3), 8)
    _classify(model, lambda: torch.randn(7, 4, 5))
    return [model]


def bidirectional_gru_last_step() -> list[nn.Module]:
    model = Recurrent(nn.GRU(5, 8, 2, bidirectional=True, batch_first=True), 16, "step")
    _classify(model, lambda: torch.randn(4, 7, 5))
    return [model]


def relu_rnn_on_h_n() -> list[nn.Module]:
    model = Recurrent(nn.RNN(5, 8, nonlinearity="relu"), 8, "state")
    _classify(model, lambda: torch.randn(7, 4, 5))
    return [model]


def projected_lstm() -> list[nn.Module]:
    model = Recurrent(nn.LSTM(5, 8, proj_size=3), 3)
    _classify(model, lambda: torch.randn(7, 4, 5))
    return [model]


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(5, 8, 2, bidirectional=True, dropout=0.2, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, torch.tensor([7, 3, 5, 1]), batch_first=True, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.layer(packed)[0], batch_first=True)
        return self.head(output.sum(1))


def packed_lstm() -> list[nn.Module]:
    model = Packed()
    _classify(model, lambda: torch.randn(4, 7, 5))
    return [model]


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LSTMCell(1, 8), nn.GRUCell(8, 8)
        self.head = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        zero = x.new_zeros(len(x), 8)
        lstm, gru, out = (zero, zero), zero, []
        for x_t in x.unbind(1):
            lstm = self.first(x_t[:, None], lstm)
            gru = self.second(lstm[0], gru)
            out.append(self.head(gru))
        return torch.cat(out, 1)


def cells_with_lbfgs() -> list[nn.Module]:
    model = Cells().double()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)
    x = torch.sin(torch.arange(9.0).double() + torch.rand(4, 1).double())
    for _ in range(2):

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = mse_loss(model(x[:, :-1]), x[:, 1:])
            loss.backward()
            return loss

        optimizer.step(closure)
    return [model]


class Loop(nn.Module):
    """h_t = tanh(W_ih x_t + W_hh h_{t−1}), written with two Linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.i2h, self.h2h = nn.Linear(5, 8), nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 8)
        for x_t in x:
            h = torch.tanh(self.i2h(x_t) + self.h2h(h))
        return self.head(h)


def custom_loop() -> list[nn.Module]:
    model = Loop()
    _classify(model, lambda: torch.randn(7, 4, 5))
    return [model]


class Decay(nn.Module):
    """s_t = a_t s_{t−1} + b_t in a container's own forward."""

    def __init__(self) -> None:
        super().__init__()
        self.keep, self.take, self.head = nn.Linear(5, 8), nn.Linear(5, 8), nn.Linear(8, 3)
        self.drop = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        keep, take = self.keep(x).sigmoid(), self.drop(self.take(x))
        state = torch.zeros_like(take[0])
        for a_t, b_t in zip(keep, take, strict=True):
            state = a_t * state + b_t
        return self.head(state)


def loop_without_modules() -> list[nn.Module]:
    model = Decay()
    _classify(model, lambda: torch.randn(12, 4, 5))
    return [model]


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.head(self.body(self.embed(x), mask=mask, is_causal=True))


def tied_transformer() -> list[nn.Module]:
    model = Tied()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    for _ in range(STEPS):
        x = torch.randint(11, (4, 9))
        loss = cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
    return [model]


def gan() -> list[nn.Module]:
    generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1), nn.Sigmoid())
    g_opt, c_opt = (torch.optim.Adam(m.parameters(), 1e-3) for m in (generator, critic))
    criterion = nn.BCELoss()
    for _ in range(STEPS):
        fake = generator(torch.randn(8, 4))
        critic.zero_grad()
        criterion(critic(torch.randn(8, 2)), torch.ones(8, 1)).backward()
        criterion(critic(fake.detach()), torch.zeros(8, 1)).backward()
        c_opt.step()
        generator.zero_grad()
        criterion(critic(fake), torch.ones(8, 1)).backward()
        g_opt.step()
    return [generator, critic]


def gradient_penalty() -> list[nn.Module]:
    model = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(STEPS):
        x = torch.randn(8, 3, requires_grad=True)
        y = model(x).sum()
        (slope,) = torch.autograd.grad(y, x, create_graph=True)
        loss = (slope.norm(dim=1) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward(create_graph=False)
        optimizer.step()
    return [model]


def accumulation() -> list[nn.Module]:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    for step in range(STEPS):
        (cross_entropy(model(torch.randn(4, 1, 8, 8)), torch.randint(3, (4,))) / 2).backward()
        if step % 2:
            optimizer.step()
            optimizer.zero_grad()
    return [model]


def by_hand() -> list[nn.Module]:
    model = Recurrent(nn.RNN(5, 8), 8)
    for _ in range(STEPS):
        model.zero_grad()
        cross_entropy(model(torch.randn(7, 4, 5)), torch.randint(3, (4,))).backward()
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-0.05)
    return [model]


def checkpointed() -> list[nn.Module]:
    blocks = nn.ModuleList(nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Dropout(0.2)) for _ in range(3))
    head = nn.Linear(8, 3)
    optimizer = torch.optim.SGD([*blocks.parameters(), *head.parameters()], 0.05)
    for _ in range(STEPS):
        x = torch.randn(4, 8, requires_grad=True)
        for reentrant, block in zip((True, False, True), blocks, strict=True):
            x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=reentrant)
        optimizer.zero_grad()
        cross_entropy(head(x), torch.randint(3, (4,))).backward()
        optimizer.step()
    return [blocks, head]


def loss_scaling() -> list[nn.Module]:
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for _ in range(STEPS):
        with torch.autocast("cpu", torch.bfloat16):
            loss = cross_entropy(model(torch.randn(4, 6)), torch.randint(3, (4,)))
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 0.3)
        scaler.step(optimizer)
        scaler.update()
    return [model]


ALL = (
    stacked_lstm_with_dropout,
    bidirectional_gru_last_step,
    relu_rnn_on_h_n,
    projected_lstm,
    packed_lstm,
    cells_with_lbfgs,
    custom_loop,
    loop_without_modules,
    tied_transformer,
    gan,
    gradient_penalty,
    accumulation,
    by_hand,
    checkpointed,
    loss_scaling,
)

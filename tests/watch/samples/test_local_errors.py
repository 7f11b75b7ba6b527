"""What the score test is given: errors, inputs and states of the script's own steps, in the data's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from gradreach.record.schema import Dependency
from gradreach.watch.samples.local_errors import identities
from tests.watch.conftest import Watched

B, T, F, H = 4, 9, 3, 8
Asked = list[dict[str, list[Tensor]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the test was called with, instead of the test itself."""
    calls: Asked = []

    def note(errors: Any, inputs: Any, states: Any, *, groups: Any) -> Dependency:
        calls.append({"errors": errors, "inputs": inputs, "states": states, "groups": groups})
        return Dependency((), sum(map(len, errors)), 0, errors[-1].shape[1])

    monkeypatch.setattr("gradreach.score.dependency.dependency", note)
    return calls


def _same(found: Tensor, expected: Tensor) -> None:
    """Up to the float16 in which errors and states are kept."""
    torch.testing.assert_close(found.double(), expected.detach().double(), rtol=2e-3, atol=2e-3)


def _unit(error: Tensor) -> Tensor:
    """Divided by its rms over the positions that carry an error."""
    return error / error[error.abs().amax(-1) > 0].square().mean().sqrt()


def _weighted(output: Tensor, error: Tensor) -> Tensor:
    """A loss whose gradient at `output` is `error`."""
    return (output * error).sum()


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("family", [nn.RNN, nn.GRU, nn.LSTM])
def test_stock_layers(family, batch_first: bool, watched: Watched, asked: Asked) -> None:
    x, e = torch.randn(B, T, F), torch.randn(B, T, H)
    layer = family(F, H, 2, batch_first=batch_first)

    def turn(each: Tensor) -> Tensor:
        return each if batch_first else each.transpose(0, 1)

    _, record = watched(lambda: _weighted(layer(turn(x))[0], turn(e)).backward())
    (call,) = asked
    _same(call["errors"][0], _unit(e))
    _same(call["states"][0], turn(layer(turn(x))[0]))
    assert torch.equal(call["inputs"][0], x)
    (found,) = record.dependency
    assert (found.module, found.step, found.looks, found.error) == ("layer", 0, 1, 1.0)


def test_both_directions(watched: Watched, asked: Asked) -> None:
    x, e = torch.randn(B, T, F), torch.randn(B, T, 2 * H)
    layer = nn.LSTM(F, H, 2, batch_first=True, bidirectional=True)
    watched(lambda: _weighted(layer(x)[0], e).backward())
    _same(asked[0]["errors"][0], _unit(e))
    _same(asked[0]["states"][0], layer(x)[0])


def test_one_sequence_without_a_batch(watched: Watched, asked: Asked) -> None:
    x, e = torch.randn(T, F), torch.randn(T, H)
    layer = nn.GRU(F, H)
    watched(lambda: _weighted(layer(x)[0], e).backward())
    assert torch.equal(asked[0]["inputs"][0], x.unsqueeze(0))
    _same(asked[0]["errors"][0], _unit(e).unsqueeze(0))


def test_an_error_at_the_last_state_alone(watched: Watched, asked: Asked) -> None:
    x, e = torch.randn(B, T, F), torch.randn(B, H)
    layer = nn.LSTM(F, H, 2, batch_first=True)
    watched(lambda: _weighted(layer(x)[1][0][-1], e).backward())
    errors = asked[0]["errors"][0]
    _same(errors[:, -1], _unit(e))
    assert not errors[:, :-1].any()


@pytest.mark.parametrize("at_the_end", [False, True])
def test_packed_sequences_carry_no_error_where_padded(at_the_end: bool, watched: Watched, asked: Asked) -> None:
    x, lengths = torch.randn(B, T, F), torch.tensor([7, 3, T, 1])
    e = torch.randn(B, T, H)
    layer = nn.GRU(F, H, batch_first=True)
    inside = torch.arange(T) < lengths[:, None]

    def train() -> None:
        packed, state = layer(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        output, _ = pad_packed_sequence(packed, batch_first=True)
        (_weighted(state[0], e[:, 0]) if at_the_end else _weighted(output, e)).backward()

    watched(train)
    expected = e * inside[..., None]
    if at_the_end:
        expected = torch.zeros_like(e)
        expected[torch.arange(B), lengths - 1] = e[:, 0]
    _same(asked[0]["errors"][0], _unit(expected))
    torch.testing.assert_close(asked[0]["inputs"][0], x * inside[..., None])


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.GRUCell, nn.LSTMCell])
def test_cells_in_a_loop(kind, watched: Watched, asked: Asked) -> None:
    x, e, cell = torch.randn(B, T, F), torch.randn(B, T, H), kind(F, H)

    def unrolled() -> Tensor:
        state, outputs = None, []
        for x_t in x.unbind(1):
            state = cell(x_t, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs, 1)

    watched(lambda: _weighted(unrolled(), e).backward())
    _same(asked[0]["errors"][0], _unit(e))
    _same(asked[0]["states"][0], unrolled())
    assert torch.equal(asked[0]["inputs"][0], x)


class Joined(nn.Module):
    """A recurrence of the script's own: input and state joined, then the next state and the output from both."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.out = nn.Linear(F + H, H), nn.Linear(F + H, 5)

    def forward(self, x: Tensor) -> Tensor:
        h, out = x.new_zeros(len(x), H), []
        for x_t in x.unbind(1):
            both = torch.cat([x_t, h], -1)
            h = torch.tanh(self.state(both))
            out.append(self.out(both))
        return torch.stack(out, 1)


class Summed(nn.Module):
    """h_t = tanh(W x_t + U h_{t−1}), the state itself the output."""

    def __init__(self) -> None:
        super().__init__()
        self.i2h, self.h2h = nn.Linear(F, H), nn.Linear(H, H)

    def forward(self, x: Tensor) -> Tensor:
        h, out = x.new_zeros(len(x), H), []
        for x_t in x.unbind(1):
            h = torch.tanh(self.i2h(x_t) + self.h2h(h))
            out.append(h)
        return torch.stack(out, 1)


def test_a_recurrence_of_the_scripts_own_that_joins_input_and_state(watched: Watched, asked: Asked) -> None:
    x, e, model = torch.randn(B, T, F), torch.randn(B, T, 5), Joined()
    watched(lambda: _weighted(model(x), e).backward())
    errors, inputs, states = (asked[0][name][0] for name in ("errors", "inputs", "states"))
    assert torch.equal(inputs, x)
    _same(states[:, 1:, :F], x[:, 1:])
    assert not errors[:, 0].any()
    _same(errors[:, 1:], _unit(e[:, 1:] @ model.out.weight))


def test_a_recurrence_of_the_scripts_own_that_adds_them(watched: Watched, asked: Asked) -> None:
    x, e, model = torch.randn(B, T, F), torch.randn(B, T, H), Summed()
    e[:, -1] = 0.0  # the last state goes into no further call
    watched(lambda: _weighted(model(x), e).backward())
    errors, inputs, states = (asked[0][name][0] for name in ("errors", "inputs", "states"))
    assert torch.equal(inputs, x[:, :-1])
    _same(states, model(x)[:, :-1])
    _same(errors, _unit(e[:, :-1]))


def test_chunks_of_one_backward_pass_are_one_sequence(watched: Watched, asked: Asked) -> None:
    x, e, layer = torch.randn(B, T, F), torch.randn(B, T, H), nn.LSTM(F, H, batch_first=True)

    def train() -> None:
        first, state = layer(x[:, :4])
        second, _ = layer(x[:, 4:], state)
        _weighted(torch.cat([first, second], 1), e).backward()

    watched(train)
    assert torch.equal(asked[0]["inputs"][0], x)
    _same(asked[0]["errors"][0], _unit(e))


class Words(nn.Module):
    """A model of token ids, (T, B) or (B, T), that may be given more sequences and returns its state."""

    def __init__(self, batch_first: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, F)
        self.places = nn.Embedding(T, F)
        self.layer = nn.GRU(F, H, batch_first=batch_first)
        self.head = nn.Linear(H, 20)

    def forward(self, x: Tensor, state: Any = None, places: Tensor | None = None) -> tuple[Tensor, Any]:
        embedded = self.embed(x) if places is None else self.embed(x) + self.places(places)
        output, state = self.layer(embedded, state)
        return self.head(output), state


@pytest.mark.parametrize("batch_first", [False, True])
def test_token_ids_stay_ids(batch_first: bool, watched: Watched, asked: Asked) -> None:
    ids, model = torch.randint(20, (B, T) if batch_first else (T, B)), Words(batch_first)
    watched(lambda: model(ids)[0].square().sum().backward())
    assert torch.equal(asked[0]["inputs"][0], ids if batch_first else ids.t())


def test_positions_are_no_input(watched: Watched, asked: Asked) -> None:
    ids, model = torch.randint(20, (B, T)), Words(True)
    places = torch.arange(T).expand(B, T).contiguous()
    watched(lambda: model(ids, places=places)[0].square().sum().backward())
    assert torch.equal(asked[0]["inputs"][0], ids)


def test_of_two_inputs_the_layer_tells_which_it_got(watched: Watched, asked: Asked) -> None:
    """A source and a target of the same length: only what the layer itself was given is beyond doubt."""
    ids, other, model = torch.randint(20, (B, T)), torch.randint(20, (B, T)), Words(True)

    def train() -> None:
        encoded = model.embed(other).mean()
        (model(ids)[0].square().sum() + encoded).backward()

    watched(train)
    torch.testing.assert_close(asked[0]["inputs"][0], model.embed(ids))


def _stream(steps: int, change: Callable[[Tensor], Tensor] = lambda state: state) -> tuple[Tensor, Callable[[], None]]:
    data, model = torch.randint(20, (steps * T, B)), Words()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def train() -> None:
        state = None
        for chunk in data.split(T):
            output, state = model(chunk, state)
            state = change(state.detach())
            optimizer.zero_grad()
            output.square().mean().backward()
            optimizer.step()

    return data.t(), train


def test_chunks_that_continue_a_stream_bring_the_inputs_before_them(watched: Watched, asked: Asked) -> None:
    data, train = _stream(5)
    watched(train)
    inputs, errors = asked[0]["inputs"], asked[0]["errors"]
    assert [x.shape[1] for x in inputs] == [T, 2 * T, 3 * T, 3 * T, 3 * T]
    assert torch.equal(inputs[4], data[:, 2 * T : 5 * T])
    assert not errors[4][:, : 2 * T].any()
    assert bool(errors[4][:, 2 * T :].any(-1).all())


def test_the_steps_before_a_look_are_followed_where_a_stream_goes_on(
    watched: Watched, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, train = _stream(40)
    _, record = watched(train, every=None)
    assert len(record.steps) >= 4
    late = [look.step for look in record.looks if look.step > 2]
    assert late, "the warm-up has more than two looks"
    sizes = {look.step: x.shape[1] for look, x in zip(record.looks, asked[0]["inputs"], strict=True)}
    assert all(sizes[step] == 3 * T for step in late)
    last = asked[0]["inputs"][-1]
    assert torch.equal(last, data[:, (late[-1] - 2) * T : (late[-1] + 1) * T])


@pytest.mark.parametrize("every", [1, None])
def test_training_on_a_stream_is_bit_identical(every: int | None, watched: Watched) -> None:
    def train() -> list[Tensor]:
        torch.manual_seed(1)
        data, model = torch.randint(20, (40 * T, B)), Words()
        optimizer, state = torch.optim.Adam(model.parameters(), 0.01), None
        for chunk in data.split(T):
            output, state = model(chunk, state)
            optimizer.zero_grad()
            (output * torch.randn_like(output)).mean().backward()
            optimizer.step()
            state = state.detach()
        return [*model.parameters(), state, torch.get_rng_state()]

    plain = train()
    seen, record = watched(train, every)
    assert all(torch.equal(a, b) for a, b in zip(plain, seen, strict=True))
    assert record.dependency
    assert record.notes == ()


def test_a_state_from_elsewhere_continues_nothing(watched: Watched, asked: Asked) -> None:
    _, train = _stream(5, change=lambda state: state.flip(1))
    watched(train)
    assert [x.shape[1] for x in asked[0]["inputs"]] == [T] * 5


def test_the_loss_scale_is_taken_out(watched: Watched, asked: Asked) -> None:
    x, e, layer = torch.randn(T, B, F), torch.randn(T, B, H), nn.RNN(F, H)

    def train() -> None:
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=1)
        optimizer = torch.optim.SGD(layer.parameters(), 0.0)
        for size in (1.0, 1.0, 3.0):
            scaler.scale(size * _weighted(layer(x)[0], e)).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()

    _, record = watched(train)
    (found,) = record.dependency
    assert found.error == pytest.approx(3.0, rel=1e-4)
    assert found.looks == 3
    _same(asked[0]["errors"][2], _unit(e.transpose(0, 1)))


def test_the_same_sample_is_the_same_whenever_it_comes(watched: Watched, asked: Asked) -> None:
    x, layer = torch.randn(T, B, F), nn.RNN(F, H)
    orders = [torch.arange(B), torch.randperm(B), torch.randperm(B)]

    def train() -> None:
        for order in orders:
            layer(x[:, order])[0].square().sum().backward()

    watched(train)
    groups = asked[0]["groups"]
    assert len(set(groups[0].tolist())) == B
    assert all(torch.equal(found, groups[0][order]) for found, order in zip(groups, orders, strict=True))


def test_identities_tell_samples_apart_and_padding_does_not() -> None:
    every = torch.cartesian_prod(*[torch.arange(4)] * 5)
    assert identities([every]).unique().numel() == len(every)
    padded = torch.cat([every, torch.zeros(len(every), 3, dtype=torch.long)], 1)
    assert torch.equal(identities([every]), identities([padded]))
    real = torch.randn(64, 5, 2)
    assert torch.equal(identities([real]), identities([real.clone()]))
    assert not torch.equal(identities([real]), identities([real + 1e-6]))
    assert not torch.equal(identities([real, real]), identities([real]))


def test_what_fails_in_the_test_is_told_and_harms_nothing(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Dependency:
        raise ArithmeticError("no way")

    monkeypatch.setattr("gradreach.score.dependency.dependency", fails)
    layer = nn.RNN(F, H)
    result, record = watched(lambda: layer(torch.randn(T, B, F))[0].sum().backward() or "done")
    assert result == "done"
    assert record.dependency == ()
    assert len(record.looks) == 1
    assert "no way" in record.notes[0]


def test_errors_that_are_not_finite_are_left_out(watched: Watched, asked: Asked) -> None:
    layer = nn.RNN(F, H)

    def train() -> None:
        for factor in (1.0, float("nan"), 1.0):
            (factor * layer(torch.randn(T, B, F))[0].square().sum()).backward()

    watched(train)
    assert len(asked[0]["errors"]) == 2

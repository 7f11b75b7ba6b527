import copy
from collections.abc import Callable, Sequence
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from gradreach.engine.reach import reach
from gradreach.remedies import layers as ours
from gradreach.remedies.omega import Omega
from gradreach.remedies.orthogonal import orthogonal

F64 = torch.float64


def added(layer: nn.RNNBase, run: Callable[[], Tensor], strength: float = 1.0) -> tuple[Tensor, dict[str, Tensor]]:
    """Ω and what add_gradient() added to the gradient of each parameter, by way of a loss that `run` gives."""
    with Omega(layer, strength) as omega:
        layer.zero_grad()
        run().backward()
        before = {name: p.grad.clone() for name, p in layer.named_parameters()}
        value = omega.add_gradient()
    return value, {name: p.grad - before[name] for name, p in layer.named_parameters()}


def states_of(layer: nn.RNNBase, x: Tensor) -> tuple[Tensor, dict[str, list[Tensor]]]:
    """The output, and the states that every layer and direction of an nn.RNN goes through, in its own order."""
    f = torch.tanh if layer.nonlinearity == "tanh" else torch.relu
    found: dict[str, list[Tensor]] = {}
    for number in range(layer.num_layers):
        outputs = []
        for end in ("", "_reverse") if layer.bidirectional else ("",):
            name = f"_l{number}{end}"
            W, U = getattr(layer, "weight_hh" + name), getattr(layer, "weight_ih" + name)
            b = getattr(layer, "bias_ih" + name) + getattr(layer, "bias_hh" + name) if layer.bias else 0.0
            h, run = x.new_zeros(x.shape[1], layer.hidden_size), []
            for x_t in x.flip(0) if end else x:
                h = f(x_t @ U.T + h @ W.T + b)
                run.append(h)
            found[name] = run
            outputs.append(torch.stack(run[::-1] if end else run))
        x = torch.cat(outputs, -1)
    return x, found


def written_out(
    layer: nn.RNN, calls: Sequence[tuple[Tensor, Callable[[Tensor], Tensor]]]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Ω of eq. 9 as a function of W_hh alone, and its gradient by autograd; δ by autograd too."""
    W = {n: p.detach().clone().requires_grad_() for n, p in layer.named_parameters() if n.startswith("weight_hh")}
    terms = []
    for x, loss in calls:
        output, states = states_of(layer, x)
        flat = [h for run in states.values() for h in run]
        deltas = iter(torch.autograd.grad(loss(output), flat, allow_unused=True))
        for name, run in states.items():
            for k, h in enumerate(run):
                delta = next(deltas)
                slope = 1 - h.detach() ** 2 if layer.nonlinearity == "tanh" else (h.detach() > 0).to(h)
                for row in range(h.shape[0]):
                    if k == 0 or delta is None or not delta[row].any():
                        continue
                    jacobian = slope[row].diag() @ W["weight_hh" + name]
                    terms.append(((delta[row] @ jacobian).norm() / delta[row].norm() - 1) ** 2)
    value = torch.stack(terms).mean()
    value.backward()
    return value, {name: torch.zeros_like(w) if w.grad is None else w.grad for name, w in W.items()}


@settings(max_examples=25)
@given(
    T=st.integers(2, 7),
    B=st.integers(1, 3),
    H=st.integers(1, 5),
    layers=st.integers(1, 2),
    bidirectional=st.booleans(),
    bias=st.booleans(),
    nonlinearity=st.sampled_from(["tanh", "relu"]),
    last=st.booleans(),
    kind=st.sampled_from([nn.RNN, ours.RNN]),
    seed=st.integers(0, 10_000),
)
def test_against_autograd(
    T: int,
    B: int,
    H: int,
    layers: int,
    bidirectional: bool,
    bias: bool,
    nonlinearity: str,
    last: bool,
    kind: type,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    layer = kind(3, H, layers, nonlinearity, bias=bias, bidirectional=bidirectional, dtype=F64)
    x, y = torch.randn(T, B, 3, dtype=F64), torch.randn(T, B, H * (1 + bidirectional), dtype=F64)
    loss = (lambda output: ((output - y)[-1] ** 2).sum()) if last else (lambda output: ((output - y) ** 2).sum())
    try:
        value, gradients = written_out(layer, [(x, loss)])
    except RuntimeError:  # no pair with δ ≠ 0: all ReLU units silent
        return
    omega, found = added(layer, lambda: loss(layer(x)[0]), strength=1.7)
    assert torch.allclose(omega, value, rtol=1e-10, atol=1e-12)
    for name, gradient in found.items():
        expected = 1.7 * gradients[name] if name in gradients else torch.zeros_like(gradient)
        assert torch.allclose(gradient, expected.nan_to_num(0.0), rtol=1e-10, atol=1e-10)


def test_state_and_batch_first_and_h_n() -> None:
    torch.manual_seed(0)
    layer = nn.RNN(3, 4, batch_first=True, dtype=F64)
    x, h_0 = torch.randn(2, 6, 3, dtype=F64), torch.randn(1, 2, 4, dtype=F64)
    y, h = torch.zeros(()), h_0[0]
    W = layer.weight_hh_l0.detach().clone().requires_grad_()
    states = []
    for x_t in x.unbind(1):
        h = torch.tanh(x_t @ layer.weight_ih_l0.T + h @ layer.weight_hh_l0.T + layer.bias_ih_l0 + layer.bias_hh_l0)
        states.append(h)
    y = (states[2] * states[4]).sum() + (h**3).sum()
    deltas = torch.autograd.grad(y, states)
    u = torch.stack([(d * (1 - s.detach() ** 2)) @ W for d, s in zip(deltas[1:], states[1:], strict=True)])
    value = ((u.norm(dim=-1) / torch.stack(deltas[1:]).norm(dim=-1) - 1) ** 2).mean()
    value.backward()

    def run() -> Tensor:
        output, h_n = layer(x, h_0)
        return (output[:, 2] * output[:, 4]).sum() + (h_n**3).sum()

    omega, found = added(layer, run)
    assert torch.allclose(omega, value, rtol=1e-12)
    assert torch.allclose(found["weight_hh_l0"], W.grad, rtol=1e-10, atol=1e-12)


def gru_pull(layer: nn.GRU, x: Tensor, h: Tensor, delta: Tensor, W: Tensor) -> Tensor:
    """(∂h′/∂h)ᵀ δ of one step with the gates held constant, as a function of W_hh."""
    H = layer.hidden_size
    a = (x @ layer.weight_ih_l0.T + layer.bias_ih_l0).detach().split(H, -1)
    b = (h @ layer.weight_hh_l0.T + layer.bias_hh_l0).detach().split(H, -1)
    r, z = torch.sigmoid(a[0] + b[0]), torch.sigmoid(a[1] + b[1])
    n = torch.tanh(a[2] + r * b[2])
    d_n = delta * (1 - z) * (1 - n**2)
    g = torch.cat([d_n * b[2] * r * (1 - r), delta * (h - n) * z * (1 - z), d_n * r], -1)
    return g @ W + delta * z


def lstm_pull(
    layer: nn.LSTM, x: Tensor, state: tuple[Tensor, Tensor], delta: tuple[Tensor, Tensor], W: Tensor
) -> Tensor:
    (h, c), (dh, dc) = state, delta
    a = (x @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ layer.weight_hh_l0.T + layer.bias_hh_l0).detach()
    i, f, g, o = a.chunk(4, -1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    squashed = torch.tanh(f * c + i * g)
    dc = dc + dh * o * (1 - squashed**2)
    gates = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * squashed * o * (1 - o)]
    return torch.cat([torch.cat(gates, -1) @ W, dc * f], -1)


def test_gru() -> None:
    torch.manual_seed(0)
    layer, x = nn.GRU(3, 4, dtype=F64), torch.randn(6, 2, 3, dtype=F64)
    cell = nn.GRUCell(3, 4, dtype=F64)
    cell.load_state_dict({name.removesuffix("_l0"): p for name, p in layer.named_parameters()})
    h, states = x.new_zeros(2, 4), []
    for x_t in x:
        h = cell(x_t, h)
        states.append(h)
    deltas = torch.autograd.grad((h**2).sum(), states)
    W = layer.weight_hh_l0.detach().clone().requires_grad_()
    terms = []
    for k in range(1, 6):
        u = gru_pull(layer, x[k], states[k - 1].detach(), deltas[k], W)
        assert torch.allclose(u, deltas[k - 1])  # the last step alone has an error: all of δ_k comes from δ_{k+1}
        terms.append((u.norm(dim=-1) / deltas[k].norm(dim=-1) - 1) ** 2)
    value = torch.stack(terms).mean()
    value.backward()
    omega, found = added(layer, lambda: (layer(x)[0][-1] ** 2).sum())
    assert torch.allclose(omega, value, rtol=1e-12)
    assert torch.allclose(found["weight_hh_l0"], W.grad, rtol=1e-10, atol=1e-12)


def test_lstm() -> None:
    torch.manual_seed(0)
    layer, x = nn.LSTM(3, 4, dtype=F64), torch.randn(6, 2, 3, dtype=F64)
    W = layer.weight_hh_l0.detach().clone().requires_grad_()
    state, states = (x.new_zeros(1, 2, 4), x.new_zeros(1, 2, 4)), []
    for x_t in x:
        state = layer(x_t[None], state)[1]
        states.append((state[0][0].detach(), state[1][0].detach()))
    dh, dc = 2 * states[-1][0], torch.zeros(2, 4, dtype=F64)
    terms = []
    for k in range(5, 0, -1):
        u = lstm_pull(layer, x[k], states[k - 1], (dh, dc), W)
        terms.append((u.norm(dim=-1) / torch.cat([dh, dc], -1).norm(dim=-1) - 1) ** 2)
        dh, dc = u.detach().chunk(2, -1)
    value = torch.stack(terms).mean()
    value.backward()
    omega, found = added(layer, lambda: (layer(x)[0][-1] ** 2).sum())
    assert torch.allclose(omega, value, rtol=1e-12)
    assert torch.allclose(found["weight_hh_l0"], W.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("used", [c for n in (1, 2, 3) for c in combinations(("y", "h_n", "c_n"), n)])
def test_lstm_of_which_the_loss_uses_some_results(used: tuple[str, ...]) -> None:
    """Of the second of two calls; the first gets its error by way of the state that is carried."""
    torch.manual_seed(0)
    layer, x = nn.LSTM(3, 4, dtype=F64), torch.randn(8, 2, 3, dtype=F64)
    zeros = torch.zeros(1, 2, 4, dtype=F64)
    states = [(zeros, zeros)]
    for x_t in x:
        states.append(tuple(s.detach() for s in layer(x_t[None], states[-1])[1]))
    W = layer.weight_hh_l0.detach().clone().requires_grad_()
    dh = torch.zeros(2, 4, dtype=F64) + 2 * states[8][0][0] * ("h_n" in used)
    dc = torch.zeros(2, 4, dtype=F64) + 2 * states[8][1][0] * ("c_n" in used)
    terms = []
    for k in range(7, 0, -1):  # dh, dc: the error at the state after step k
        if k >= 4:
            dh = dh + 2 * states[k + 1][0][0] * ("y" in used)
        before = (states[k][0][0], states[k][1][0])
        u = lstm_pull(layer, x[k], before, (dh, dc), W)
        if k != 4:  # across two calls there is no pair
            terms.append((u.norm(dim=-1) / torch.cat([dh, dc], -1).norm(dim=-1) - 1) ** 2)
        dh, dc = u.detach().chunk(2, -1)
    value = torch.stack(terms).mean()
    value.backward()

    def run() -> Tensor:
        y, (h_n, c_n) = layer(x[4:], layer(x[:4])[1])
        results = {"y": y, "h_n": h_n, "c_n": c_n}
        return sum(results[name].square().sum() for name in used)

    omega, found = added(layer, run)
    assert torch.allclose(omega, value, rtol=1e-12)
    assert torch.allclose(found["weight_hh_l0"], W.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_packed_rows_count_by_their_own_steps(bidirectional: bool) -> None:
    torch.manual_seed(0)
    layer = nn.RNN(3, 4, bidirectional=bidirectional, dtype=F64)
    rows = [torch.randn(n, 3, dtype=F64) for n in (2, 6, 1, 4)]
    packed = pack_sequence(rows, enforce_sorted=False)
    loss = lambda output: (output**2).sum()  # noqa: E731
    value, gradients = written_out(layer, [(row[:, None], loss) for row in rows])
    omega, found = added(layer, lambda: loss(layer(packed)[0].data))
    assert torch.allclose(omega, value, rtol=1e-10)
    assert all(torch.allclose(found[name], gradient, rtol=1e-9, atol=1e-12) for name, gradient in gradients.items())


def test_several_calls_and_one_without_gradient() -> None:
    torch.manual_seed(0)
    layer = nn.RNN(3, 4, dtype=F64)
    first, second, third = (torch.randn(T, 2, 3, dtype=F64) for T in (5, 7, 4))
    loss = lambda output: (output[-1] ** 2).sum()  # noqa: E731
    value, gradients = written_out(layer, [(first, loss), (second, loss)])
    with Omega(layer) as omega:
        total = loss(layer(first)[0])
        layer(third)
        with torch.no_grad():
            layer(third)
        (total + loss(layer(second)[0])).backward()
        plain = layer.weight_hh_l0.grad.clone()
        assert torch.allclose(omega.add_gradient(), value, rtol=1e-10)
        assert torch.allclose(layer.weight_hh_l0.grad - plain, gradients["weight_hh_l0"], rtol=1e-9, atol=1e-12)
        assert omega.add_gradient() == 0  # all told once
        loss(layer(first)[0]).backward()  # accumulates, in two backward passes
        loss(layer(second)[0]).backward()
        assert torch.allclose(omega.add_gradient(), value, rtol=1e-10)


def test_calls_from_before_an_update_do_not_count() -> None:
    layer, x = nn.RNN(3, 4), torch.randn(5, 2, 3)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    with Omega(layer) as omega:
        layer(x)[0].sum().backward()
        optimizer.step()
        before = layer.weight_hh_l0.grad.clone()
        assert omega.add_gradient() == 0
        assert torch.equal(layer.weight_hh_l0.grad, before)
        for _ in range(3):  # nobody asks: nothing piles up
            layer(x)[0].sum().backward()
            optimizer.step()
        assert len(omega._calls) == 1


def test_training_is_unchanged_but_for_what_is_added() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(3, 4, 2, dropout=0.5)
    other = copy.deepcopy(layer)
    x = torch.randn(5, 2, 3)
    generator = torch.get_rng_state()
    layer(x)[0].sum().backward()
    after = torch.get_rng_state()
    torch.set_rng_state(generator)
    with Omega(other, strength=0.0) as omega:
        other(x)[0].sum().backward()
        assert omega.add_gradient() > 0
    assert torch.equal(torch.get_rng_state(), after)
    for mine, its in zip(layer.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine.grad, its.grad)
    assert not other._forward_hooks
    assert not other._forward_pre_hooks


def test_dropout_falls_alike() -> None:
    torch.manual_seed(0)
    layer, x = nn.RNN(3, 4, 2, dropout=0.5, dtype=F64), torch.randn(5, 2, 3, dtype=F64)
    generator = torch.get_rng_state()
    noise = nn.functional.dropout(torch.ones(5, 2, 4, dtype=F64), 0.5)
    below, top = nn.RNN(3, 4, dtype=F64), nn.RNN(4, 4, dtype=F64)
    below.load_state_dict({n: p for n, p in layer.state_dict().items() if n.endswith("l0")})
    top.load_state_dict({n.replace("l1", "l0"): p for n, p in layer.state_dict().items() if n.endswith("l1")})
    torch.set_rng_state(generator)
    with Omega(below) as lower, Omega(top) as upper, Omega(layer) as whole:
        (top(below(x)[0] * noise)[0] ** 2).sum().backward()
        (layer(x)[0] ** 2).sum().backward()
        assert torch.allclose(2 * whole.add_gradient(), lower.add_gradient() + upper.add_gradient(), rtol=1e-10)


def test_reaches_the_originals_of_orthogonal_weights() -> None:
    torch.manual_seed(0)
    layer, x = orthogonal(nn.RNN(3, 4, dtype=F64)), torch.randn(5, 2, 3, dtype=F64)
    plain = nn.RNN(3, 4, dtype=F64)
    plain.load_state_dict({name: getattr(layer, name) for name in layer._flat_weights_names})
    value, gradients = written_out(plain, [(x, lambda output: (output**2).sum())])
    original = layer.parametrizations.weight_hh_l0.original
    expected = torch.autograd.grad(layer.weight_hh_l0, original, gradients["weight_hh_l0"])[0]
    omega, found = added(layer, lambda: (layer(x)[0] ** 2).sum())
    assert torch.allclose(omega, value)
    assert torch.allclose(found["parametrizations.weight_hh_l0.original"], expected, rtol=1e-9, atol=1e-12)


def test_errors_too_small_for_their_squares() -> None:
    torch.manual_seed(0)
    layer, x = nn.RNN(3, 4), torch.randn(5, 2, 3)
    exact, _ = added(layer, lambda: layer(x)[0][-1].sum())
    tiny, found = added(layer, lambda: 1e-25 * layer(x)[0][-1].sum())
    assert torch.allclose(exact, tiny, rtol=1e-4)
    assert found["weight_hh_l0"].norm() > 1e-3
    gone, found = added(layer, lambda: 0.0 * layer(x)[0][-1].sum())
    assert gone == 0
    assert not found["weight_hh_l0"].any()


def test_an_orthogonal_linear_recurrence_is_at_rest() -> None:
    layer = nn.RNN(3, 4, nonlinearity="relu", dtype=F64)
    nn.init.orthogonal_(layer.weight_hh_l0)
    layer.bias_ih_l0.data.fill_(100.0)  # every unit open
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.eye(4).roll(1, 0))
    value, found = added(layer, lambda: (layer(torch.randn(6, 2, 3, dtype=F64))[0][-1] ** 2).sum())
    assert value < 1e-20
    assert found["weight_hh_l0"].norm() < 1e-10


def trained(layer: nn.RNN, head: nn.Linear, strength: float) -> tuple[int, int]:
    """The horizon of the task's own error before and after 150 steps on the sum of two inputs 18 steps apart."""

    def loss_of(output: Tensor, x: Tensor) -> Tensor:
        return (head(output[-1])[:, 0] - x[2, :, 0] - x[20, :, 1]).square().mean()

    def horizon() -> int:
        output = layer(test)[0].detach().requires_grad_()
        return reach(layer, test, torch.autograd.grad(loss_of(output, test), output)[0]).horizon

    test = torch.rand(24, 8, 2)
    before = horizon()
    optimizer = torch.optim.SGD([*layer.parameters(), *head.parameters()], lr=0.05)
    with Omega(layer, strength) as omega:
        for _ in range(150):
            x = torch.rand(24, 8, 2)
            optimizer.zero_grad()
            loss_of(layer(x)[0], x).backward()
            omega.add_gradient()
            optimizer.step()
    return before, horizon()


@pytest.mark.slow(9, "trains until the reach is longer")
def test_the_reach_of_a_vanishing_layer_lengthens() -> None:
    plain, regular = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        layer, head = nn.RNN(2, 16), nn.Linear(16, 1)
        before, after = trained(copy.deepcopy(layer), copy.deepcopy(head), strength=0.0)
        assert before <= 10
        plain.append(after)
        regular.append(trained(layer, head, strength=1.0)[1])
    assert sum(regular) >= 2 * sum(plain)


def test_errors() -> None:
    with pytest.raises(TypeError, match=r"layer: expected nn.RNN, nn.GRU or nn.LSTM, got RNNCell; pass the recurrent"):
        Omega(nn.RNNCell(2, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"strength: expected a number of at least 0, got -1"):
        Omega(nn.RNN(2, 2), -1.0)
    with pytest.raises(ValueError, match=r"expected one without skip"):
        Omega(ours.RNN(2, 2, skip=3))

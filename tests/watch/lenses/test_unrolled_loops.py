"""Loops over time that no module shows: found where there is one, nowhere else, with the gradients of autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.kinds import DECAY_LOOP, LOOP, MATRIX_LOOP, SCAN
from gradreach.record.schema import Record
from gradreach.record.seen.recurrence import TimeLook
from tests.watch.conftest import Watched

B, T, D = 3, 12, 4


class Mixer(nn.Module):
    """Weights of every use, all in double precision."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.W, self.U = (nn.Parameter(torch.randn(D, D) * 0.6) for _ in range(2))
        self.layers = nn.Parameter(torch.randn(T, D, D) * 0.6)
        self.a, self.b = nn.Linear(D, D), nn.Linear(D, D)
        self.list = nn.ModuleList(nn.Linear(D, D) for _ in range(T))
        self.mix: Callable[[Mixer, Tensor], list[Tensor]] | None = None
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        assert self.mix is not None
        return torch.stack(self.mix(self, x))


def by_matrix(m: Mixer, x: Tensor) -> list[Tensor]:
    states = [torch.zeros(B, D).double()]
    for x_t in x:
        states.append(torch.tanh(x_t @ m.W + states[-1] @ m.U))
    return states[1:]


def by_decay(m: Mixer, x: Tensor) -> list[Tensor]:
    keep, new, states = m.a(x).exp(), m.b(x), [torch.zeros(B, D).double()]
    for t in range(T):
        states.append(keep[t] * states[-1] + new[t])
    return states[1:]


def by_delta_rule(m: Mixer, x: Tensor) -> list[Tensor]:
    keys, values, states = nn.functional.normalize(m.a(x), dim=-1), m.b(x), [torch.zeros(B, D, D).double()]
    for k, v in zip(keys.unbind(), values.unbind(), strict=True):
        error = v - torch.einsum("bkv,bk->bv", states[-1], k)
        states.append(states[-1] + 0.5 * k[:, :, None] * error[:, None, :])
    return states[1:]


LOOPS = ((by_matrix, MATRIX_LOOP), (by_decay, DECAY_LOOP), (by_delta_rule, LOOP))


def _looks(watched: Watched, mix: Callable[[Mixer, Tensor], list[Tensor]], last: bool = False) -> list[TimeLook]:
    model, x = Mixer(), torch.randn(T, B, D, generator=torch.Generator().manual_seed(1)).double()
    model.mix = mix

    def run() -> None:
        out = model(x)
        (out[-1] if last else out).square().sum().backward()

    record: Record = watched(run)[1]
    assert record.notes == ()
    return [look for step in record.looks for look in step.time]


def _sizes(gradients: Sequence[Tensor | None]) -> list[float]:
    return [float(g.norm(dim=-1).mean()) if g is not None else 0.0 for g in gradients]


@pytest.mark.parametrize(("mix", "kind"), LOOPS, ids=lambda value: getattr(value, "__name__", ""))
def test_adjoints_and_reach_are_those_of_autograd(mix, kind: str, watched: Watched) -> None:
    (look,) = _looks(watched, mix)
    model, x = Mixer(), torch.randn(T, B, D, generator=torch.Generator().manual_seed(1)).double()
    states = mix(model, x)
    loss = torch.stack(states).square().sum()
    assert (look.kind, look.T, look.hidden, look.module) == (kind, T, D, "model")
    assert look.adjoint == pytest.approx(_sizes(torch.autograd.grad(loss, states, retain_graph=True)), rel=1e-10)
    errors = [2 * state.detach() for state in states]
    assert look.local_error == pytest.approx(_sizes(errors), rel=1e-10)
    for t, row in zip(look.map_rows, look.log10_map, strict=True):
        far = torch.autograd.grad(states[t], states[0], errors[t], retain_graph=True, allow_unused=True)
        assert row[0] == pytest.approx(float(torch.tensor(_sizes(far)[0]).log10()), abs=0.0051)


@pytest.mark.parametrize(("mix", "kind"), LOOPS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_loss_on_the_last_step_leaves_one_error(mix, kind: str, watched: Watched) -> None:
    (look,) = _looks(watched, mix, last=True)
    assert [t for t, error in enumerate(look.local_error) if error] == [T - 1]
    assert look.kind == kind
    assert look.anchors == 1
    assert look.reach[-1] == pytest.approx(look.adjoint[0] / look.adjoint[-1], rel=1e-10)


def in_logarithms(m: Mixer, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    log_keep, log_new = nn.functional.logsigmoid(m.a(x)), nn.functional.logsigmoid(m.b(x))
    a = log_keep.cumsum(0)
    return (a + (log_new - a).logcumsumexp(0)).exp(), log_keep.exp(), log_new.exp()


def by_products(m: Mixer, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    keep, new = m.a(x).sigmoid() + 0.4, m.b(x)
    product = keep.cumprod(-3)
    return product * (new / product).cumsum(-3), keep, new


def by_exponentials(m: Mixer, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    keep, new = m.a(x).sigmoid(), m.b(x)
    a = keep.log().cumsum(0)
    return (new * (-a).exp()).cumsum(0) * a.exp(), keep, new


@pytest.mark.parametrize("scan", [in_logarithms, by_products, by_exponentials], ids=lambda f: f.__name__)
def test_a_scan_has_the_adjoints_and_the_reach_of_its_loop(scan, watched: Watched) -> None:
    (look,) = _looks(watched, lambda m, x: list(scan(m, x)[0].unbind()))
    model, x = Mixer(), torch.randn(T, B, D, generator=torch.Generator().manual_seed(1)).double()
    whole, keep, new = scan(model, x)
    states = [new[0]]
    for k, n in zip(keep[1:], new[1:], strict=True):
        states.append(k * states[-1] + n)
    assert torch.allclose(torch.stack(states), whole)
    assert (look.kind, look.T, look.hidden, look.module) == (SCAN, T, D, "model")
    loss = torch.stack(states).square().sum()
    assert look.adjoint == pytest.approx(_sizes(torch.autograd.grad(loss, states, retain_graph=True)), rel=1e-9)
    errors = [2 * state.detach() for state in states]
    assert look.local_error == pytest.approx(_sizes(errors), rel=1e-9)
    for t, row in zip(look.map_rows, look.log10_map, strict=True):
        far = torch.autograd.grad(states[t], states[0], errors[t], retain_graph=True)
        assert row[0] == pytest.approx(float(torch.tensor(_sizes(far)[0]).log10()), abs=0.0051)


def test_a_mean_by_cumulative_sums_is_no_scan_with_factors(watched: Watched) -> None:
    def weighted_mean(m: Mixer, x: Tensor) -> list[Tensor]:
        weight = m.a(x).exp()
        return [(weight * m.b(x)).cumsum(0) * (1.0 / weight.cumsum(0))]

    assert _looks(watched, weighted_mean) == []


class Cell(nn.Module):
    """An LSTM's step, written by hand with the weights of torch's own."""

    def __init__(self, stock: nn.LSTMCell) -> None:
        super().__init__()
        self.stock = [stock.weight_ih, stock.weight_hh, stock.bias_ih, stock.bias_hh]
        self.W, self.U, self.b, self.d = (nn.Parameter(each.detach().clone()) for each in self.stock)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, c = state
        i, f, g, o = (x @ self.W.T + h @ self.U.T + self.b + self.d).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


@pytest.mark.parametrize("is_called", [True, False], ids=["as a module", "as a function"])
def test_an_lstm_by_hand_has_the_reach_of_torchs_own(is_called: bool, watched: Watched) -> None:
    torch.manual_seed(2)
    stock = nn.LSTMCell(D, D).double()
    cell, x = Cell(stock).double(), torch.randn(T, B, D).double()

    def look_at(step: Callable[..., tuple[Tensor, Tensor]], of: nn.Module) -> TimeLook:
        class Run(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.cell = of

            def forward(self) -> Tensor:
                h = c = torch.zeros(B, D).double()
                for x_t in x:
                    h, c = step(x_t, (h, c))
                return h

        run = Run()
        _, record = watched(lambda: run().square().sum().backward())
        (look,) = [seen for each in record.looks for seen in each.time]
        return look

    known, found = look_at(stock, stock), look_at(cell if is_called else cell.forward, cell)
    assert found.kind == ("Cell" if is_called else MATRIX_LOOP)
    assert found.T == known.T == T
    assert found.reach == pytest.approx(known.reach, rel=1e-9)
    assert found.local_error == pytest.approx(known.local_error, rel=1e-9)


def one_layer_after_another(m: Mixer, x: Tensor) -> list[Tensor]:
    for layer in m.list:
        x = torch.tanh(layer(x))
    return [x]


def layers_of_one_tensor(m: Mixer, x: Tensor) -> list[Tensor]:
    for weight in m.layers:
        x = torch.tanh(x @ weight)
    return [x]


def refined(m: Mixer, x: Tensor) -> list[Tensor]:
    z = torch.zeros_like(x)
    for _ in range(T):
        z = torch.tanh(z @ m.U + m.a(x))
    return [z]


def summed(m: Mixer, x: Tensor) -> list[Tensor]:
    total = torch.zeros(B, D).double()
    for x_t in x:
        total = total + m.a(x_t)
    return [total]


def written_into_one_tensor(m: Mixer, x: Tensor) -> list[Tensor]:
    out, values = torch.zeros_like(x), m.a(x)
    for t, value in enumerate(values):
        out[t] = value
    return [out]


def looking_back_at_all(m: Mixer, x: Tensor) -> list[Tensor]:
    states = [x[0] @ m.W]
    for x_t in x:
        past = torch.stack(states)
        shares = (past * states[-1]).sum(-1, keepdim=True).softmax(0)
        states.append(torch.tanh(x_t @ m.W + (shares * past).sum(0)))
    return states


@pytest.mark.parametrize(
    "mix",
    [one_layer_after_another, layers_of_one_tensor, refined, summed, written_into_one_tensor, looking_back_at_all],
    ids=lambda f: f.__name__,
)
def test_what_is_no_loop_over_time_is_taken_for_none(mix, watched: Watched) -> None:
    assert _looks(watched, mix) == []


def test_two_layers_within_one_loop_are_told_apart(watched: Watched) -> None:
    def both(m: Mixer, x: Tensor) -> list[Tensor]:
        low = high = torch.zeros(B, D).double()
        out = []
        for x_t in x:
            low = torch.tanh(m.b(x_t) + low @ m.U)
            high = torch.tanh(m.a(low) + high @ m.W)
            out.append(high)
        return out

    looks = _looks(watched, both)
    assert [(look.T, look.hidden, look.layer) for look in looks] == [(T, D, 0), (T, D, 1)]


def test_a_loop_cut_into_chunks_counts_once_at_its_length(watched: Watched) -> None:
    def chunks(m: Mixer, x: Tensor) -> list[Tensor]:
        h, out = torch.zeros(B, D).double(), []
        for t, x_t in enumerate(torch.cat([x, x])):
            h = torch.tanh(x_t @ m.W + (h if t % T else h.detach()) @ m.U)
            out.append(h)
        return out

    assert [look.T for look in _looks(watched, chunks)] == [T]


def test_a_loop_of_the_script_itself_has_no_module(watched: Watched) -> None:
    model = Mixer()

    def run() -> None:
        h = torch.zeros(B, D).double()
        for x_t in torch.randn(T, B, D).double():
            h = torch.tanh(x_t @ model.W + h @ model.U)
        h.square().sum().backward()

    (look,) = [seen for each in watched(run)[1].looks for seen in each.time]
    assert (look.module, look.kind, look.T) == ("", MATRIX_LOOP, T)

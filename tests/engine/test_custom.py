import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from gradreach.engine import adjoint, jacobian
from gradreach.engine.custom.autograd import backward, jacobians, joint_error, reach_map
from gradreach.engine.custom.step import Cell, CellRun
from gradreach.engine.custom.unroll import unroll
from gradreach.engine.reach_map import ReachMap
from gradreach.engine.reach_map import reach_map as closed_map
from gradreach.engine.replay import replay

from .cases import close

FAMILIES = {"tanh": nn.RNNCell, "relu": nn.RNNCell, "GRU": nn.GRUCell, "LSTM": nn.LSTMCell}
CUSTOM = ("gated", "delay", "complex")


class Gated(nn.Module):
    """A minimal gated unit with a slow trace beside it: a state that the closed forms do not know."""

    def __init__(self, inputs: int, H: int) -> None:
        super().__init__()
        self.forget, self.new = nn.Linear(inputs + H, H), nn.Linear(inputs + H, H, bias=False)
        self.register_buffer("keep", torch.tensor(0.7))

    def forward(self, x: dict[str, Tensor], state: dict[str, Tensor]) -> dict[str, Tensor]:
        x, h = x["in"] * x["gain"][:, None], state["h"]
        f = torch.sigmoid(self.forget(torch.cat([x, h + state["slow"]], 1)))
        new = (1 - f) * h + f * torch.tanh(self.new(torch.cat([x, f * h], 1)))
        return {"slow": self.keep * state["slow"] + new.sin(), "h": new}  # not in the order given


class DelayLine(nn.Module):
    """h_t = tanh(W h_{t−3} + U x_t) with a count of the steps and a matrix a row in its state."""

    def __init__(self, inputs: int, H: int) -> None:
        super().__init__()
        self.back, self.into = nn.Linear(H, H), nn.Linear(inputs, H)

    def forward(self, x: Tensor, state: tuple[Any, ...]) -> tuple[Any, ...]:
        (last, middle, first), count, memory = state
        new = torch.tanh(self.back(first) + self.into(x) + memory.sum(2)) * (1 + 0.1 * (count % 2))[:, None]
        return [new, last, middle], count + 1, 0.5 * memory + new[:, :, None] * last[:, None, :]


class Rotation(nn.Module):
    """A diagonal complex recurrence."""

    def __init__(self, inputs: int, H: int) -> None:
        super().__init__()
        self.angle, self.into = nn.Parameter(torch.randn(H)), nn.Parameter(torch.randn(inputs, H, dtype=torch.cfloat))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        turned = torch.polar(torch.full_like(self.angle, 0.9), self.angle) * z
        return turned + torch.tanh(x.to(self.into.dtype) @ self.into * z.abs())


def parts_of(name: str, inputs: int, H: int, B: int) -> tuple[nn.Module, Any]:
    """A module in float64 and a random initial state for it."""

    def random(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
        return torch.randn(B, *shape, dtype=dtype)

    if name == "gated":
        return Gated(inputs, H).double(), {"h": random(H), "slow": random(H)}
    if name == "delay":
        state = ([random(H), random(H), random(H)], torch.arange(B), random(H, H))
        return DelayLine(inputs, H).double(), state
    if name == "complex":
        cell = Rotation(inputs, H)
        cell.angle.data, cell.into.data = cell.angle.data.double(), cell.into.data.to(torch.cdouble)
        return cell, random(H, dtype=torch.cdouble)
    options = {"nonlinearity": name} if FAMILIES[name] is nn.RNNCell else {}
    return FAMILIES[name](inputs, H, dtype=torch.float64, **options), (
        (random(H), random(H)) if name == "LSTM" else random(H)
    )


Drawn = tuple[str, int, int, int, int, int, int]


def drawn(*names: str) -> st.SearchStrategy[Drawn]:
    """The name of a cell, T, B, inputs, H, a seed, and the leaf of the state without a local error."""
    sizes = (st.integers(1, most) for most in (9, 3, 3, 4))
    return st.tuples(st.sampled_from(names), *sizes, st.integers(0, 10**6), st.integers(-1, 3))


def case(of: Drawn) -> tuple[CellRun, Any]:
    """The run and local errors for it."""
    name, T, B, inputs, H, seed, without = of
    torch.manual_seed(seed)
    module, state = parts_of(name, inputs, H, B)
    x: Any = torch.randn(B, T, inputs, dtype=torch.float64).transpose(0, 1)  # not contiguous
    if name == "gated":
        x = {"in": x, "gain": torch.rand(T, B, dtype=torch.float64)}
    run = unroll(Cell(module), x, state)
    leaves, spec = tree_flatten(run.states)
    varying = [leaf.is_floating_point() or leaf.is_complex() for leaf in leaves]
    errors = [
        torch.randn_like(leaf[1:]) if varying[n] and (n != without or sum(varying) == 1) else None
        for n, leaf in enumerate(leaves)
    ]
    return run, tree_unflatten(errors, spec)


def add(state: Any, z: Any) -> Any:
    """Their sum, in the order of z where the step returns another."""
    return tree_map(lambda z, s: s if z is None else s + z, z, state)


def inner(state: Any, error: Any, rows: slice | list[int] = slice(None)) -> Tensor:
    """Re ⟨s, e⟩ over the given rows."""
    pairs = zip(tree_leaves(state), tree_leaves(error), strict=True)
    return torch.stack([(s * e.conj())[rows].real.sum() for s, e in pairs if e is not None]).sum()


def at(tree: Any, t: int) -> Any:
    return tree_map(lambda leaf: None if leaf is None else leaf[t], tree)


class Plain:
    """The same run by autograd over an unrolled loop; `z[t]` is added to the state before step t, z[T] to the last."""

    def __init__(self, run: CellRun) -> None:
        (T, _), module = run.size, run.cell.step
        self.parameters = {name: p.detach().clone().requires_grad_() for name, p in module.named_parameters()}
        self.x = tree_map(lambda leaf: leaf.clone().requires_grad_(), run.x)
        self.z = [tree_map(self.leaf, at(run.states, t)) for t in range(T + 1)]
        self.step = lambda x, s: functional_call(module, self.parameters, (x, s))
        states = [add(at(run.states, 0), self.z[0])]
        for t in range(T):
            states.append(add(self.step(at(self.x, t), states[-1]), self.z[t + 1]))
        self.states = states

    @staticmethod
    def leaf(like: Tensor) -> Tensor | None:
        return torch.zeros_like(like, requires_grad=True) if like.is_floating_point() or like.is_complex() else None


def gradients(loss: Tensor, tensors: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(loss, tensors, retain_graph=True, materialize_grads=True))


def reals(each: Tensor) -> Tensor:
    return torch.view_as_real(each) if each.is_complex() else each.double()


def flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([reals(each).flatten() for each in tensors])


def leaves_of(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if leaf is not None]


def equal(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    same = len(ours) == len(theirs)
    return same and all(
        float(flat([a - b]).norm()) <= 1e-10 * (1 + float(flat([b]).norm())) for a, b in zip(ours, theirs, strict=True)
    )


@settings(max_examples=80)
@given(drawn(*FAMILIES, *CUSTOM))
def test_states_and_adjoint_are_autograds(of: Drawn) -> None:
    run, error = case(of)
    plain, T = Plain(run), run.size[0]
    found = backward(run, error)
    for t, state in enumerate(plain.states):
        assert equal(leaves_of(at(run.states, t)), [leaf.detach() for leaf in leaves_of(state)])
    loss = torch.stack([inner(plain.states[t + 1], at(error, t)) for t in range(T)]).sum()
    for t in range(T):
        assert equal(leaves_of(at(found.delta, t)), gradients(loss, leaves_of(plain.z[t + 1])))
    assert equal(leaves_of(found.grad_state), gradients(loss, leaves_of(plain.z[0])))
    assert equal(leaves_of(found.grad_x), gradients(loss, leaves_of(plain.x)))
    assert list(found.gradients) == list(plain.parameters)
    assert equal(list(found.gradients.values()), gradients(loss, list(plain.parameters.values())))
    assert tree_flatten(found.delta)[1] == tree_flatten(run.states)[1]


@settings(max_examples=60)
@given(drawn(*FAMILIES, *CUSTOM), st.data())
def test_map_lag_share_and_bias_are_autograds(of: Drawn, data: st.DataObject) -> None:
    run, error = case(of)
    (T, B), plain = run.size, Plain(run)
    anchors = sorted(data.draw(st.sets(st.integers(0, T - 1), min_size=1)))
    rows = data.draw(st.one_of(st.none(), st.lists(st.integers(0, B - 1), min_size=1, unique=True).map(sorted)))
    held = list(range(B)) if rows is None else rows
    max_lag = data.draw(st.one_of(st.none(), st.integers(0, T)))
    found = reach_map(run, error, anchors=anchors, rows=rows, max_lag=max_lag)
    lags = 1 + min(anchors[-1], T if max_lag is None else max_lag)
    norms, errors = torch.zeros(len(anchors), lags, dtype=torch.float64), torch.zeros(lags, dtype=torch.float64)
    parts = torch.zeros(T, len(flat(list(plain.parameters.values()))), dtype=torch.float64)
    for a, t in enumerate(anchors):
        loss = inner(plain.states[t + 1], at(error, t), held)
        for lag in range(t + 1):
            k = t - lag
            carried = gradients(loss, leaves_of(plain.z[k + 1]))
            size = torch.cat([reals(c).flatten(1) for c in carried], 1).norm(dim=1)[held].mean()
            if lag < lags:
                norms[a, lag] = size
                errors[lag] += norms[a, 0]
            own = add(plain.step(at(run.x, k), at(run.states, k)), plain.z[k + 1])
            varying = [leaf for leaf in tree_leaves(own) if leaf.is_floating_point() or leaf.is_complex()]
            local = torch.stack([(s * c.conj()).real.sum() for s, c in zip(varying, carried, strict=True)]).sum()
            parts[lag] += flat(gradients(local, list(plain.parameters.values())))
    assert found.anchors == tuple(anchors)
    assert torch.allclose(found.log2_norms.exp2(), norms, rtol=1e-9, atol=1e-13)
    assert torch.allclose(found.errors, errors, rtol=1e-9, atol=1e-13)
    check_shares(found, parts, lags)


def check_shares(found: ReachMap, parts: Tensor, lags: int) -> None:
    total = parts.sum(0)
    if float(total.norm()) < 1e-6 * float(parts.norm(dim=1).sum()) or float(total.norm()) == 0:
        return
    share = (parts @ total / total.norm() ** 2).tolist()
    bias = [float((total - parts[:k].sum(0)).norm() / total.norm()) for k in range(lags + 1)]
    assert found.lag_share == pytest.approx(share[:lags], abs=1e-9)
    assert found.truncation_bias == pytest.approx(bias, abs=1e-7)


class OfState(nn.Module):
    """A stock cell whose only parameter is W_hh, as the closed form's shares have it."""

    def __init__(self, cell: nn.RNNCellBase) -> None:
        super().__init__()
        self.cell = cell
        for name in ("weight_ih", "bias_ih", "bias_hh"):
            value = getattr(cell, name).detach()
            delattr(cell, name)
            cell.register_buffer(name, value)

    def forward(self, x: Tensor, state: Any) -> Any:
        return self.cell(x, state)


@settings(max_examples=60)
@given(drawn(*FAMILIES), st.data())
def test_all_is_the_closed_forms(of: Drawn, data: st.DataObject) -> None:
    run, error = case(of)
    cell = run.cell.step
    family = {nn.RNNCell: nn.RNN, nn.GRUCell: nn.GRU, nn.LSTMCell: nn.LSTM}[type(cell)]
    layer = family(cell.input_size, cell.hidden_size, dtype=torch.float64)
    if family is nn.RNN:
        layer.nonlinearity, layer.mode = cell.nonlinearity, f"RNN_{cell.nonlinearity.upper()}"
    layer.load_state_dict({name + "_l0": value for name, value in cell.state_dict().items()})
    first = tree_map(lambda leaf: leaf[:1], run.states)
    stock = replay(layer, run.x, first).unrolls[0]
    e, e_c = error if isinstance(error, tuple) else (error, None)
    e = torch.zeros_like(stock.h[1:]) if e is None else e
    swept = adjoint.sweep_of(stock, e, e_c)
    found = backward(run, error)
    delta = leaves_of(found.delta)
    assert equal(delta, [swept.delta] if swept.delta_c is None else [swept.delta, swept.delta_c])
    run = unroll(Cell(OfState(cell)), run.x, tree_map(lambda leaf: leaf[0], run.states))
    T, B = run.size
    anchors = sorted(data.draw(st.sets(st.integers(0, T - 1), min_size=1)))
    rows = data.draw(st.one_of(st.none(), st.lists(st.integers(0, B - 1), min_size=1, unique=True).map(sorted)))
    ours = reach_map(run, error, anchors=anchors, rows=rows)
    theirs = closed_map(stock, e, anchors=anchors, rows=rows, local_error_c=e_c)
    assert ours.anchors == theirs.anchors
    assert torch.allclose(ours.log2_norms.exp2(), theirs.log2_norms.exp2(), rtol=1e-10, atol=1e-13)
    assert torch.allclose(ours.errors, theirs.errors, rtol=1e-10, atol=1e-13)
    if theirs.lag_share and max(map(abs, theirs.lag_share)) < 1e4:
        assert ours.lag_share == pytest.approx(theirs.lag_share, abs=1e-7)
        assert ours.truncation_bias == pytest.approx(theirs.truncation_bias, abs=1e-5)
    row, t = data.draw(st.integers(0, B - 1)), data.draw(st.integers(1, T))
    mine, known = jacobians(run, row), jacobian.jacobians(stock, row)
    assert (mine.steps, mine.size, mine.shown) == (known.steps, known.size, known.shown)
    assert close(mine.at(t), known.at(t), 1e-12)


@settings(max_examples=30)
@given(drawn(*CUSTOM), st.data())
def test_jacobians_are_autograds(of: Drawn, data: st.DataObject) -> None:
    run, _ = case(of)
    (T, B), form = run.size, run.form
    row, t = data.draw(st.integers(0, B - 1)), data.draw(st.integers(1, T))
    state, x = (tree_map(lambda leaf: leaf[t - 1, row : row + 1], tree) for tree in (run.states, run.x))
    kept = tree_leaves(state)

    def step(joint: Tensor) -> Tensor:
        parts = iter(form.split(joint[None]))
        leaves = [next(parts) if leaf.is_floating_point() or leaf.is_complex() else leaf for leaf in kept]
        after = tree_flatten(run.cell.step(x, tree_unflatten(leaves, form.spec)))[0]
        ordered = after if not isinstance(run.cell.step, Gated) else after[::-1]  # it returns them the other way round
        return form.join(form.varying(ordered))[0]

    known = torch.autograd.functional.jacobian(step, form.join(form.varying(kept))[0])
    J = jacobians(run, row)
    assert J.steps == T
    assert J.size == form.size
    assert J.at(t).dtype == torch.float64
    assert close(J.at(t), known, 1e-12)


@pytest.mark.parametrize("scale", [1e-3, 0.5, 3.0, 1e4])
def test_float32_holds_adjoints_past_its_range(scale: float) -> None:
    T, B = 120, 3
    e = torch.zeros(T, B, 2)
    e[-1] = torch.tensor([1e-30, 1.0, 0.0])[:, None]
    run = unroll(Cell(lambda x, h: h * x), torch.full((T, B, 1), scale), torch.zeros(B, 2))
    found = reach_map(run, e, anchors=[T - 1])
    assert found.log2_norms.dtype == torch.float64
    expected = [math.log2(math.sqrt(2) / 3) + lag * math.log2(scale) for lag in range(T)]
    assert found.log2_norms[0].tolist() == pytest.approx(expected, rel=1e-5)


def test_a_row_whose_adjoint_dies_leaves_the_others_their_scale() -> None:
    x = torch.full((400, 2, 1), 1e-6)
    x[:, 0], x[200, 0] = 1.0, 0.0
    run = unroll(Cell(lambda x, h: h * x), x, torch.zeros(2, 1))
    error = torch.zeros(400, 2, 1)
    error[-1] = 1.0
    found = reach_map(run, error, anchors=[399])
    assert found.log2_norms[0, 399].item() == pytest.approx(399 * math.log2(1e-6) - 1, rel=1e-6)


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return self.w * h * x + x


def test_shares_hold_where_adjoints_keep_exponents() -> None:
    """δ grows from 2^−100 and h to 2^100, with all dW_ℓ but the last few of one size."""
    x, error = torch.full((100, 1, 1), 2.0), torch.zeros(100, 1, 1)
    error[-1] = 2.0**-100
    found = []
    for dtype in (torch.float32, torch.float64):
        run = unroll(Cell(Scale().to(dtype)), x.to(dtype), torch.zeros(1, 1, dtype=dtype))
        found.append(reach_map(run, error.to(dtype)))
    assert found[0].lag_share[:90] == pytest.approx([1 / 98] * 90, rel=1e-3)
    assert found[0].lag_share == pytest.approx(found[1].lag_share, abs=1e-5)
    assert found[0].truncation_bias == pytest.approx(found[1].truncation_bias, abs=1e-5)


def test_a_compiled_module_is_run_as_it_was_written() -> None:
    module, x, error = nn.GRUCell(3, 4), torch.randn(5, 2, 3), torch.ones(5, 2, 4)
    compiled = reach_map(unroll(Cell(torch.compile(module, backend="eager")), x, torch.zeros(2, 4)), error)
    plain = reach_map(unroll(Cell(module), x, torch.zeros(2, 4)), error)
    assert torch.equal(compiled.log2_norms, plain.log2_norms)
    assert compiled.lag_share == plain.lag_share


@pytest.mark.parametrize("floor", [-20.0, -math.inf])
def test_the_sweep_ends_at_the_floor_and_where_nothing_is_left(floor: float) -> None:
    T = 60
    calls: list[int] = []

    def step(x: Tensor, h: Tensor) -> Tensor:
        calls.append(len(x))
        return 0.5 * h * (x > 0) + x

    x = torch.ones(T, 2, 1)
    x[20] = -1.0
    run = unroll(Cell(step), x, torch.zeros(2, 1))
    calls.clear()
    found = reach_map(run, torch.ones(T, 2, 1), anchors=[T - 1], floor=floor)
    known = [-lag if lag < 40 and -lag >= floor else -math.inf for lag in range(T)]
    assert found.log2_norms[0].tolist() == pytest.approx(known)
    assert len(calls) <= (22 if floor > -math.inf else 41)


class Counting(nn.Module):
    """Counts its calls in a buffer, scales by the count, and writes on what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.lin, self.norm = nn.Linear(3, 3), nn.BatchNorm1d(3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor, state: dict[str, Tensor]) -> dict[str, Tensor]:
        self.calls += 1
        x.mul_(2.0)
        state["h"].add_(x)
        state["h"] = torch.tanh(self.calls * self.lin(self.norm(state["h"])))
        return state


def test_nothing_of_the_training_is_touched() -> None:
    torch.manual_seed(0)
    module = Counting()
    module.norm.eval()
    module.lin.weight.grad = torch.ones(3, 3)
    x, first = torch.randn(4, 2, 3, requires_grad=True), {"h": torch.randn(2, 3, requires_grad=True)}
    kept = {name: value.clone() for name, value in module.state_dict().items()}
    x_was, first_was, generator, modes = x.clone(), first["h"].clone(), torch.get_rng_state(), [True, True, False]
    run = unroll(Cell(module), x, first)
    backward(run, {"h": torch.ones(4, 2, 3)})
    reach_map(run, {"h": torch.ones(4, 2, 3)})
    jacobians(run).at(1)
    assert all(torch.equal(value, kept[name]) for name, value in module.state_dict().items())
    assert [each.training for each in module.modules()] == modes
    assert torch.equal(module.lin.weight.grad, torch.ones(3, 3))
    assert module.lin.bias.grad is None
    assert all(p.requires_grad for p in module.parameters())
    assert x.grad is None
    assert first["h"].grad is None
    assert torch.equal(x, x_was)
    assert torch.equal(first["h"], first_was)
    assert torch.equal(torch.get_rng_state(), generator)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    half, x, h, error = nn.GRUCell(3, 4).to(dtype), torch.randn(5, 2, 3), torch.randn(2, 4), torch.randn(5, 2, 4)
    whole = nn.GRUCell(3, 4)
    whole.load_state_dict(half.state_dict())
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        run = unroll(Cell(half), x.to(dtype), h.to(dtype))
        found = backward(run, error.to(dtype))
    known = backward(unroll(Cell(whole), x.to(dtype).float(), h.to(dtype).float()), error.to(dtype).float())
    assert run.states.dtype == found.delta.dtype == torch.float32
    assert torch.equal(found.delta, known.delta)
    assert torch.equal(found.gradients["weight_hh"], known.gradients["weight_hh"])


def test_a_step_may_return_half_precision() -> None:
    run = unroll(Cell(lambda x, h: (0.5 * h + x).bfloat16()), torch.ones(4, 2, 3), torch.zeros(2, 3))
    assert run.states.dtype == torch.float32
    assert reach_map(run, torch.ones(4, 2, 3), anchors=[3]).log2_norms[0].tolist() == pytest.approx(
        [math.log2(math.sqrt(3)) - lag for lag in range(4)]
    )


def test_tokens_are_a_fit_input() -> None:
    torch.manual_seed(0)

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.cell = nn.Embedding(7, 3), nn.LSTMCell(3, 4)

        def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            return self.cell(self.embed(x), state)

    run = unroll(Cell(Reader()), torch.randint(7, (5, 2)), (torch.zeros(2, 4), torch.zeros(2, 4)))
    error = (torch.randn(5, 2, 4), None)
    found = backward(run, error)
    assert found.grad_x is None
    assert float(found.gradients["embed.weight"].norm()) > 0
    assert joint_error(run, error).shape == (5, 2, 8)
    assert sum(reach_map(run, error).lag_share) == pytest.approx(1.0, abs=1e-4)


def test_a_function_that_closes_over_weights_has_a_map_and_no_shares() -> None:
    torch.manual_seed(0)
    W = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)
    run = unroll(
        Cell(lambda x, h: torch.tanh(h @ W.t() + x)), torch.randn(6, 2, 4).double(), torch.zeros(2, 4).double()
    )
    found = reach_map(run, torch.randn(6, 2, 4).double())
    assert (found.lag_share, found.truncation_bias) == ((), ())
    assert found.log2_norms.shape == (6, 6)
    h = run.states[3, 1]
    assert close(jacobians(run, 1).at(3), ((1 - h**2)[:, None] * W), 1e-12)
    assert W.grad is None


def test_steps_that_transforms_cannot_run() -> None:
    class Old(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, a: Tensor) -> Tensor:
            ctx.save_for_backward(a)
            return (a > 0.1).to(a.dtype)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return grad / (1 + ctx.saved_tensors[0] ** 2)

    def step(x: Tensor, v: Tensor) -> Tensor:
        v = 0.9 * v + x - Old.apply(v)
        return v if v.abs().sum().item() >= 0 else -v

    torch.manual_seed(0)
    run = unroll(Cell(step), torch.rand(6, 2, 3).double(), torch.zeros(2, 3).double())
    error = torch.zeros(6, 2, 3).double()
    error[-1] = 1.0
    slopes = 0.9 - 1 / (1 + run.states[:-1] ** 2)
    known = [float(slopes[6 - lag :].prod(0).norm(dim=1).mean().log2()) for lag in range(6)]
    assert reach_map(run, error, anchors=[5]).log2_norms[0].tolist() == pytest.approx(known)


def test_no_anchors_give_an_empty_map_and_one_step_one_lag() -> None:
    run = unroll(Cell(nn.GRUCell(2, 3)), torch.randn(1, 2, 2), torch.zeros(2, 3))
    empty, one = reach_map(run, torch.ones(1, 2, 3), anchors=[]), reach_map(run, torch.ones(1, 2, 3))
    assert (empty.anchors, empty.log2_norms.shape, empty.lag_share) == ((), (0, 0), ())
    assert one.lag_share == pytest.approx((1.0,))
    assert one.truncation_bias == pytest.approx((1.0, 0.0), abs=1e-6)
    assert one.log2_norms.item() == pytest.approx(math.log2(math.sqrt(3)))


class Pair(nn.Module):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return h, h + x


class Drops(nn.Module):
    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return nn.functional.dropout(h + x, 0.5, self.training)


def gru(x: Tensor, h: Tensor) -> CellRun:
    return unroll(Cell(nn.GRUCell(3, 4)), x, h)


X, H = torch.zeros(5, 2, 3), torch.zeros(2, 4)
SAME = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("step", "x", "state", "message"),
    [
        (nn.GRUCell(3, 4), X[:0], H, r"x: expected \(T, B, …\) with T ≥ 1 .* got \(0, 2, 3\)"),
        (nn.GRUCell(3, 4), X[:, :0], H[:0], r"B ≥ 1 rows, got \(5, 0, 3\)"),
        (nn.GRUCell(3, 4), X[0, 0], H, r"x: expected \(T, B, …\)"),
        (nn.GRUCell(3, 4), (), H, r"x: expected at least one tensor"),
        (
            nn.GRUCell(3, 4),
            {"a": X, "b": X[:4]},
            H,
            r"x\['b'\]: expected \(T, B, …\) with T = 5, B = 2, got \(4, 2, 3\)",
        ),
        (nn.GRUCell(3, 4), X, H[None], r"state: expected \(B, …\) with T = 5, B = 2, got \(1, 2, 4\)"),
        (nn.GRUCell(3, 4), X, torch.zeros(2, 4).long(), r"state: expected a floating or complex tensor"),
        (nn.GRUCell(3, 4), X.double(), H, r"step: failed on x float64 .*, state float32 .*, float32 parameters"),
        (nn.GRUCell(3, 4), X, H.double(), r"step: failed on x float32 .*, state float64 .*agree in dtype"),
        (nn.GRUCell(3, 4), X / 0, H, r"x: expected numbers, got NaN, first at step 0"),
        (nn.GRUCell(3, 4), X, H / 0, r"state: expected numbers, got NaN, first at row 0"),
        (nn.GRUCell(3, 4), X.to("meta"), H, r"state: expected on meta as x is, got on cpu"),
        (Pair(), X, SAME, r"the next state alone.*got \(\(2, 3\), \(2, 3\)\).*forward returns module\(x, state\)\[1\]"),
        (
            nn.LSTMCell(3, 4),
            X,
            [H, H],
            r"next state alone, built like the state given, \['\(B, 4\)', .* got \(\(2, 4\)",
        ),
        (lambda _x, h: h.double(), X, H, r"expected state as it was given, float32 \(2, 4\) on cpu, got float64"),
        (
            lambda _x, h: {"h": h["h"][:, :2]},
            X,
            {"h": H},
            r"expected state\['h'\] as it was given, .*got float32 \(2, 2\)",
        ),
        (lambda _x, _h: None, X, H, r"next state alone.*got None"),
        (lambda _x, h: h.missing, X, H, r"step: failed on .*AttributeError"),
        (Drops(), X, SAME, r"draws random numbers"),
        (lambda _x, h: (h - 1).sqrt(), X, SAME, r"state: expected numbers, got NaN, first at state number 1"),
    ],
)
def test_bad_input_is_named(step: Callable[[Any, Any], Any], x: Any, state: Any, message: str) -> None:
    generator = torch.get_rng_state()
    with pytest.raises(ValueError, match=message):
        unroll(Cell(step), x, state)
    assert torch.equal(torch.get_rng_state(), generator)


def test_nan_weights_and_leaves_of_another_kind_are_named() -> None:
    module = nn.GRUCell(3, 4)
    with torch.no_grad():
        module.weight_hh[2, 1] = math.nan
    with pytest.raises(ValueError, match="step's parameter weight_hh: expected numbers, got NaN, first at entry 2"):
        unroll(Cell(module), X, H)
    with pytest.raises(TypeError, match=r"state\[1\]: expected a tensor, or a pytree of tensors .*, got int"):
        unroll(Cell(nn.LSTMCell(3, 4)), X, (H, 3))
    with pytest.raises(TypeError, match="step: expected one step of a recurrence, got GRU"):
        Cell(nn.GRU(3, 4))


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ({"h": None}, TypeError, "local_error: expected a tensor or None, got dict"),
        (torch.zeros(4, 2, 4), ValueError, r"local_error: expected \(5, 2, 4\) on cpu, got \(4, 2, 4\)"),
        (torch.full((5, 2, 4), math.nan), ValueError, "local_error: expected numbers, got NaN, first at step 0"),
        (1.0, TypeError, "local_error: expected a tensor or None, got float"),
    ],
)
def test_bad_errors_are_named(error: Any, kind: type[Exception], message: str) -> None:
    run = gru(X, H)
    for sweep in (backward, reach_map, joint_error):
        with pytest.raises(kind, match=message):
            sweep(run, error)


def test_bad_choices_are_named() -> None:
    run, error = gru(X, H), torch.ones(5, 2, 4)
    with pytest.raises(ValueError, match="anchors: expected numbers from 0 to 4, got 0 … 5"):
        reach_map(run, error, anchors=[0, 5])
    with pytest.raises(ValueError, match="rows: expected numbers from 0 to 1, got -1"):
        reach_map(run, error, rows=[-1])
    with pytest.raises(ValueError, match="rows: expected at least one row"):
        reach_map(run, error, rows=[])
    with pytest.raises(ValueError, match="max_lag: expected at least 0, got -1"):
        reach_map(run, error, max_lag=-1)
    with pytest.raises(ValueError, match="row: expected numbers from 0 to 1, got 2"):
        jacobians(run, 2)
    with pytest.raises(ValueError, match="local_error: expected a pytree like the state, leaves"):
        backward(unroll(Cell(nn.LSTMCell(3, 4)), X, (H, H)), [error, None])
    counted = unroll(Cell(lambda x, s: (s[0] + 1, s[1] + x)), X, (torch.zeros(2).long(), SAME))
    with pytest.raises(
        ValueError, match=r"local_error\[0\]: expected None, since that leaf of the state is torch.int64"
    ):
        backward(counted, (torch.ones(5, 2), None))


def mixed(x: Tensor, h: Tensor) -> Tensor:
    return torch.tanh(h + x - x.mean(0))


def by_all_rows(x: Tensor, h: Tensor) -> Tensor:
    return h + x if x.sum() > 0 else h - x


class Remembering:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Tensor, h: Tensor) -> Tensor:
        self.calls += 1
        return h * 0.9 + x * self.calls


@pytest.mark.parametrize("step", [mixed, by_all_rows, nn.Sequential()])
def test_rows_that_are_not_independent_are_found(step: Callable[[Tensor, Tensor], Tensor]) -> None:
    if isinstance(step, nn.Module):

        class Normed(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.norm = nn.BatchNorm1d(3)

            def forward(self, x: Tensor, h: Tensor) -> Tensor:
                return torch.tanh(self.norm(h + x))

        step = Normed()
    torch.manual_seed(0)
    run = unroll(Cell(step), torch.randn(8, 4, 3), torch.randn(4, 3))
    with pytest.raises(ValueError, match="depend on that row's x and state alone"):
        reach_map(run, torch.ones(8, 4, 3))
    with pytest.raises(ValueError, match="depend on that row's x and state alone"):
        [jacobians(run).at(t) for t in range(1, 9)]


def test_a_step_that_remembers_or_cannot_be_gone_back_through_is_named() -> None:
    run = unroll(Cell(Remembering()), torch.randn(8, 4, 3), torch.randn(4, 3))
    with pytest.raises(ValueError, match="the same at every call"):
        backward(run, torch.ones(8, 4, 3))
    noise = torch.randn(4, 3)
    run = unroll(Cell(lambda x, h: torch.tanh(h + x * noise)), torch.randn(8, 4, 3), torch.randn(4, 3))
    backward(run, torch.ones(8, 4, 3))
    with pytest.raises(ValueError, match="must run on any number of rows: pass what belongs to a row as a part of x"):
        reach_map(run, torch.ones(8, 4, 3))
    run = unroll(Cell(lambda x, h: (h + x).detach()), torch.randn(8, 4, 3), torch.randn(4, 3))
    with pytest.raises(ValueError, match="cut off by detach or no_grad"):
        backward(run, torch.ones(8, 4, 3))
    run = unroll(Cell(lambda x, h: torch.exp(h.sigmoid().mul(x)).mul_(0.5)), torch.randn(8, 4, 3), torch.randn(4, 3))
    with pytest.raises(ValueError, match="step: expected operations that autograd can go back through"):
        backward(run, torch.ones(8, 4, 3))

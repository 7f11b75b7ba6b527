import copy
import inspect
import pickle
import warnings
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from gradreach.remedies import layers as ours
from gradreach.remedies.layers.swap import swap
from gradreach.remedies.omega import Omega
from gradreach.remedies.orthogonal import orthogonal
from gradreach.remedies.tbptt.batch_layout import BatchLayout
from gradreach.remedies.tbptt.tbptt import tbptt

KINDS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CELLS = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}
OTHERS = [(a, b) for a in KINDS for b in KINDS if a != b]


class Model(nn.Module):
    def __init__(self, rnn: nn.Module) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"rnn": rnn})
        self.head = nn.Linear(4, 2)


def knows_h(layer: nn.Module, x: Tensor) -> Tensor:
    """A training script around an nn.RNN or nn.GRU."""
    h = torch.zeros(2, x.shape[1], 4)
    outputs = []
    for chunk in x.split(3):
        h = h.detach() if isinstance(h, torch.Tensor) else tuple(s.detach() for s in h)
        y, h = layer(chunk, h)
        outputs.append(y)
    return torch.cat(outputs)[-1] + h[-1]


def knows_pairs(layer: nn.Module, x: Tensor) -> Tensor:
    """A training script around an nn.LSTM."""
    state = (torch.zeros(2, x.shape[1], 4), torch.zeros(2, x.shape[1], 4))
    outputs = []
    for chunk in x.split(3):
        y, (h, c) = layer(chunk, tuple(s.detach() for s in state))
        state = (h, c)
        outputs.append(y)
    return torch.cat(outputs)[-1] + h[-1]


@pytest.mark.parametrize(("before", "after"), OTHERS)
def test_the_script_around_it_runs_on(before: str, after: str) -> None:
    torch.manual_seed(0)
    script = knows_pairs if before == "lstm" else knows_h
    model, x = Model(KINDS[before](3, 4, 2)), torch.randn(9, 2, 3)
    script(model.encoder["rnn"], x)
    new = swap(model, "encoder.rnn", after)
    assert type(new) is KINDS[after]
    assert model.encoder["rnn"] is new
    stock = KINDS[after](3, 4, 2)
    stock.load_state_dict(new.state_dict())
    expected = (knows_pairs if after == "lstm" else knows_h)(stock, x)
    found = script(new, x)
    assert torch.equal(found, expected)  # all of the state got across, and every chunk began where the last one ended
    found.sum().backward()
    expected.sum().backward()
    assert torch.equal(new.weight_hh_l0.grad, stock.weight_hh_l0.grad)


def test_the_gradient_goes_back_through_c() -> None:
    torch.manual_seed(0)
    model, x = Model(nn.GRU(3, 4)), torch.randn(6, 2, 3)
    new = swap(model, "encoder.rnn", "lstm")
    stock = nn.LSTM(3, 4)
    stock.load_state_dict(new.state_dict())
    _, h = new(x[:3])
    new(x[3:], h)[0].sum().backward()
    stock(x)[0][3:].sum().backward()
    assert torch.allclose(new.weight_hh_l0.grad, stock.weight_hh_l0.grad, atol=1e-6)


@pytest.mark.parametrize(("before", "after"), OTHERS)
def test_cells(before: str, after: str) -> None:
    torch.manual_seed(0)
    model, x = Model(CELLS[before](3, 4)), torch.randn(5, 2, 3)
    new = swap(model, "encoder.rnn", after)
    assert type(new) is CELLS[after]
    stock = CELLS[after](3, 4)
    stock.load_state_dict(new.state_dict())
    state: Any = None
    for x_t in x:
        state = stock(x_t, state)
    expected = state[0] if after == "lstm" else state
    h, outputs = torch.zeros(2, 4), []
    state = (h, h)
    for x_t in x:
        if before == "lstm":
            h, c = new(x_t, state)
            state = (h, c)
        else:
            h = new(x_t, h)
        outputs.append(h)
    assert torch.equal(torch.stack(outputs)[-1], expected)
    model.head(h).sum().backward()
    assert new.weight_hh.grad.any()


@pytest.mark.parametrize("before", KINDS)
@pytest.mark.parametrize("after", KINDS)
def test_form_is_kept(before: str, after: str) -> None:
    old = KINDS[before](
        3, 4, 2, bias=False, batch_first=True, dropout=0.3, bidirectional=True, dtype=torch.float64
    ).eval()
    new = swap(Model(old), "encoder.rnn", after)
    assert not new.training
    assert next(new.parameters()).dtype == torch.float64
    for name in ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"):
        assert getattr(new, name) == getattr(old, name)
    x, one = torch.randn(2, 5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    packed = pack_sequence([one, one[:2]])
    for given in (x, one, packed):
        wanted, _ = old(given)
        came, _ = new(given)
        assert (came.data if given is packed else came).shape == (wanted.data if given is packed else wanted).shape


@pytest.mark.parametrize("after", ["mingru", "minlstm"])
@pytest.mark.parametrize("before", KINDS)
def test_kinds_that_torch_has_none_of(before: str, after: str) -> None:
    torch.manual_seed(0)
    script = knows_pairs if before == "lstm" else knows_h
    model, x = Model(KINDS[before](3, 4, 2)), torch.randn(9, 2, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    new = swap(model, "encoder.rnn", after, optimizer=optimizer)
    assert type(new) is ours.OTHERS[{"mingru": "MinGRU", "minlstm": "MinLSTM"}[after]]
    twin = copy.deepcopy(new)
    twin._forward_hooks.clear()
    twin._forward_pre_hooks.clear()
    assert torch.equal(script(new, x), knows_h(twin, x))
    assert torch.equal(swap(model, "encoder.rnn", after, truncate=2).weight_ih_l1, new.weight_ih_l1)
    assert type(swap(model, "encoder.rnn", before)) is KINDS[before]
    script(model.encoder["rnn"], x).sum().backward()


def test_a_kind_of_layer_alone_is_none_of_a_cell() -> None:
    with pytest.raises(
        ValueError, match=r"to: expected one of 'gru', 'lstm', 'rnn' for encoder.rnn, a cell, got 'minlstm"
    ):
        swap(Model(nn.GRUCell(3, 4)), "encoder.rnn", "minlstm")


def test_the_weights_of_the_same_kind_stay() -> None:
    old = nn.RNN(3, 4, nonlinearity="relu")
    model = Model(old)
    new = swap(model, "encoder.rnn", "rnn", skip=2)
    assert type(new) is ours.RNN
    assert new.remedies.skip == 2
    assert new.nonlinearity == "relu"
    assert all(torch.equal(p, old.get_parameter(name)) for name, p in new.named_parameters())
    parametrized = orthogonal(new_stock := swap(model, "encoder.rnn", "rnn"))
    W = parametrized.weight_hh_l0
    assert torch.equal(swap(model, "encoder.rnn", "rnn").weight_hh_l0, W)
    assert type(new_stock) is not nn.RNN
    fresh = swap(Model(nn.RNN(3, 4)), "encoder.rnn", "rnn", init="identity")
    assert torch.equal(fresh.weight_hh_l0, torch.eye(4))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"truncate": 3}])
def test_the_same_kind_draws_nothing_and_computes_the_same(kind: str, options: dict[str, int]) -> None:
    model, x = Model(KINDS[kind](3, 4, 2)), torch.randn(5, 2, 3)
    expected, before = model.encoder["rnn"](x)[0], torch.get_rng_state()
    found = swap(model, "encoder.rnn", kind, **options)(x)[0]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.allclose(found, expected, atol=1e-6) if options else torch.equal(found, expected)


def test_what_was_frozen_stays_frozen_in_the_same_kind() -> None:
    model = Model(orthogonal(nn.GRU(3, 4)))
    model.encoder["rnn"].bias_hh_l0.requires_grad_(False)
    new = swap(model, "encoder.rnn", "gru")
    assert [name for name, p in new.named_parameters() if not p.requires_grad] == ["bias_hh_l0"]
    new.requires_grad_(False)
    assert not any(p.requires_grad for p in swap(model, "encoder.rnn", "gru").parameters())
    assert all(p.requires_grad for p in swap(model, "encoder.rnn", "lstm").parameters())  # new ones must train


def test_a_compiled_model() -> None:
    model, x = Model(nn.RNN(3, 4, 2)), torch.randn(9, 2, 3)
    new = swap(torch.compile(model, backend="eager"), "encoder.rnn", "lstm")
    assert model.encoder["rnn"] is new
    knows_h(new, x)
    model.encoder["rnn"] = torch.compile(new, backend="eager")
    with pytest.raises(
        ValueError, match=r"a layer that is not compiled by itself, got 'encoder.rnn'; compile it after"
    ):
        swap(model, "encoder.rnn", "gru")


def test_a_refused_layer_may_be_given_again() -> None:
    model, x, ready = Model(nn.RNN(3, 4, 2)), torch.randn(9, 2, 3), nn.LSTM(3, 4, 2)
    with pytest.raises(ValueError, match=r"optimizer: expected one that trains encoder.rnn"):
        swap(model, "encoder.rnn", ready, optimizer=torch.optim.SGD(model.head.parameters(), lr=0.1))
    knows_h(swap(model, "encoder.rnn", ready), x)


@pytest.mark.parametrize("kind", ["rnn", "lstm"])
def test_rows_of_windows_that_end(kind: str) -> None:
    torch.manual_seed(0)
    model, x = Model(nn.GRU(3, 4)), torch.randn(9, 2, 3)
    new = swap(model, "encoder.rnn", kind)
    windows = tbptt(x, step=new, k1=3, k2=6, layout=BatchLayout(lengths=torch.tensor([9, 4])))
    *_, last = (window.state for window in windows)
    assert torch.equal(last[:, 0], new(x)[1][:, 0])
    assert not last[:, 1].any()
    if kind == "lstm":
        stock = nn.LSTM(3, 4)
        stock.load_state_dict(new.state_dict())
        assert torch.allclose(last.c[:, 0], stock(x)[1][1][:, 0])
        assert not last.c[:, 1].any()


def test_remedies_by_keyword() -> None:
    model = Model(nn.RNN(3, 4, 2))
    new = swap(model, "encoder.rnn", "lstm", orthogonal=True, forget_bias=1.0)
    assert type(new) is ours.LSTM
    assert new.orthogonal
    knows_h(new, torch.randn(9, 2, 3)).sum().backward()
    assert type(swap(model, "encoder.rnn", "rnn", nonlinearity="relu")) is nn.RNN
    assert type(swap(model, "encoder.rnn", "rnn", nonlinearity="sigmoid")) is ours.RNN
    assert swap(model, "encoder.rnn", "rnn").nonlinearity == "sigmoid"


def test_factories_and_ready_layers() -> None:
    model, x = Model(nn.RNN(3, 4, 2)), torch.randn(9, 2, 3)
    new = swap(model, "encoder.rnn", partial(ours.LSTM, layer_norm=True))
    assert new.layer_norm
    assert new.num_layers == 2
    knows_h(new, x)
    ready = nn.LSTM(3, 4, 2)
    assert swap(model, "encoder.rnn", ready) is ready
    knows_h(ready, x)

    class Own(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, None]:
            return x, None

    own = Own()
    assert swap(model, "encoder.rnn", own) is own


def test_a_layer_swapped_twice_keeps_the_form_of_the_first() -> None:
    torch.manual_seed(0)
    model, x = Model(nn.RNN(3, 4, 2)), torch.randn(9, 2, 3)
    for kind in ("lstm", "lstm", "gru", "lstm", "rnn"):
        knows_h(swap(model, "encoder.rnn", kind), x)
    assert not model.encoder["rnn"]._forward_hooks
    model = Model(nn.LSTM(3, 4, 2))
    for kind in ("rnn", "gru", "lstm"):
        knows_pairs(swap(model, "encoder.rnn", kind), x)
    assert not model.encoder["rnn"]._forward_hooks


def test_a_shared_layer_is_swapped_wherever_it_stands() -> None:
    model = nn.Module()
    model.a = model.b = nn.RNN(2, 3)
    model.stack = nn.Sequential(nn.Linear(2, 2), model.a)
    new = swap(model, "b", "gru")
    assert model.a is model.b is model.stack[1] is new
    assert swap(model, "stack.1", "lstm") is model.a


def test_an_h_without_c_is_warned_of_once_and_zeros_never() -> None:
    model, x = Model(nn.RNN(3, 4)), torch.randn(5, 2, 3)
    new = swap(model, "encoder.rnn", "lstm")
    new(x, torch.zeros(1, 2, 4))
    new(input=x, hx=new(x)[1].detach())
    with pytest.warns(UserWarning, match="was given an h that carries no c, and starts with c = 0"):
        y, _ = new(x, torch.ones(1, 2, 4))
    new(x, torch.ones(1, 2, 4))
    stock = nn.LSTM(3, 4)
    stock.load_state_dict(new.state_dict())
    assert torch.equal(y, stock(x, (torch.ones(1, 2, 4), torch.zeros(1, 2, 4)))[0])


def test_rows_that_begin_anew() -> None:
    torch.manual_seed(0)
    model, x = Model(nn.GRU(3, 4)), torch.randn(6, 3, 3)
    new = swap(model, "encoder.rnn", "lstm")
    _, h = new(x[:3])
    done = torch.tensor([True, False, False])
    expected = torch.cat([new(x[3:, :1])[0], new(x)[0][3:, 1:]], 1)
    assert torch.allclose(new(x[3:], h * ~done[:, None])[0], expected, atol=1e-6)
    h[:, done] = 0.0
    assert torch.allclose(new(x[3:], h)[0], expected, atol=1e-6)


def test_optimizer_gets_the_new_weights_in_their_places() -> None:
    torch.manual_seed(0)
    model = Model(nn.RNN(3, 4, 2))
    decayed = [p for name, p in model.named_parameters() if "weight" in name]
    rest = [p for name, p in model.named_parameters() if "bias" in name]
    optimizer = torch.optim.AdamW([{"params": decayed}, {"params": rest, "weight_decay": 0.0}])
    x = torch.randn(9, 2, 3)

    def step() -> None:
        knows_h(model.encoder["rnn"], x).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    new = swap(model, "encoder.rnn", "lstm", optimizer=optimizer, layer_norm=True)
    assert {id(p) for g in optimizer.param_groups for p in g["params"]} == {id(p) for p in model.parameters()}
    assert any(p is new.bias_ih_l0 for p in optimizer.param_groups[1]["params"])
    assert any(p is new.gain_ih_l0 for p in optimizer.param_groups[0]["params"])
    before = copy.deepcopy(new.state_dict())
    step()
    assert all(not torch.equal(before[name], p) for name, p in new.named_parameters())
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step()


def test_optimizer_that_keeps_its_list() -> None:
    model, x = Model(nn.RNN(3, 4, 2)), torch.randn(9, 2, 3)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1)
    new = swap(model, "encoder.rnn", "gru", optimizer=optimizer)
    before = new.weight_hh_l0.detach().clone()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = knows_h(model.encoder["rnn"], x).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert not torch.equal(new.weight_hh_l0, before)


def test_optimizer_with_names_and_orthogonal_weights() -> None:
    model = Model(orthogonal(nn.RNN(3, 4)))
    optimizer = torch.optim.SGD(model.named_parameters(), lr=0.1)
    swap(model, "encoder.rnn", "gru", optimizer=optimizer)
    group = optimizer.param_groups[0]
    assert {id(p) for p in group["params"]} == {id(p) for p in model.parameters()}
    assert len(group["param_names"]) == len(group["params"])


def test_an_optimizer_left_behind_is_warned_of() -> None:
    model, x = Model(nn.RNN(3, 4, 2)), torch.randn(9, 2, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    swap(model, "encoder.rnn", "gru")
    with pytest.warns(UserWarning, match="SGD still holds the weights that encoder.rnn had before the swap"):
        optimizer.step()
    optimizer.step()  # said once
    swap(model, "encoder.rnn", "lstm")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        later = torch.optim.SGD(model.parameters(), lr=0.1)
        knows_h(model.encoder["rnn"], x).sum().backward()
        later.step()


def test_copies_keep_the_form() -> None:
    torch.manual_seed(0)
    model, x = Model(nn.RNN(3, 4, 2)), torch.randn(9, 2, 3)
    swap(model, "encoder.rnn", "lstm")
    expected = knows_h(model.encoder["rnn"], x)
    for each in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(knows_h(each.encoder["rnn"], x), expected)


def test_other_remedies_see_a_plain_layer() -> None:
    torch.manual_seed(0)
    model, x = Model(nn.RNN(3, 4, 2)), torch.randn(9, 2, 3)
    new = orthogonal(swap(model, "encoder.rnn", "lstm"))
    with Omega(new) as omega:
        knows_h(new, x).sum().backward()
        assert omega.add_gradient() > 0
    stock = nn.LSTM(3, 4, 2)
    stock.load_state_dict({name: getattr(new, name) for name in new._flat_weights_names})
    with Omega(stock) as plain, Omega(new) as omega:
        knows_pairs(stock, x).sum().backward()
        knows_h(new, x).sum().backward()
        assert torch.allclose(plain.add_gradient(), omega.add_gradient())


def test_errors() -> None:
    model = Model(nn.LSTM(3, 4, proj_size=2))
    model.other = nn.GRUCell(2, 2)
    with pytest.raises(
        ValueError, match=r"got 'rnn'; the model's recurrent layers: encoder.rnn \(lstm\), other \(gru\)"
    ):
        swap(model, "rnn", "gru")
    with pytest.raises(ValueError, match=r"got 'head'; the model's"):
        swap(model, "head", "gru")
    with pytest.raises(ValueError, match=r"recurrent layers: none"):
        swap(nn.Linear(2, 2), "rnn", "gru")
    with pytest.raises(ValueError, match=r"got the layer itself; make the other kind instead"):
        swap(nn.RNN(2, 2), "", "gru")
    with pytest.raises(
        ValueError,
        match=r"to: expected 'gru', 'lstm', 'rnn', 'mingru', 'minlstm', a layer or a factory of one, got 'LSTM'",
    ):
        swap(model, "other", "LSTM")
    with pytest.raises(ValueError, match=r"to: expected 'lstm' for encoder.rnn, which projects"):
        swap(model, "encoder.rnn", "gru")
    assert swap(model, "encoder.rnn", "lstm", forget_bias=1.0).proj_size == 2
    with pytest.raises(TypeError, match=r"skip: expected no remedies for other, a cell"):
        swap(model, "other", "rnn", skip=3)
    with pytest.raises(TypeError, match=r"skipp: no such argument of RNN"):
        swap(Model(nn.RNN(2, 2)), "encoder.rnn", "rnn", skipp=3)
    with pytest.raises(TypeError, match=r"skip: expected no options with a layer that is made already"):
        swap(model, "other", nn.GRUCell(2, 2), skip=3)
    with pytest.raises(
        ValueError, match=r"to: expected hidden_size=2, as other has, got 3; make it with the same sizes"
    ):
        swap(model, "other", nn.GRUCell(2, 3))
    with pytest.raises(ValueError, match=r"to: expected a cell in the place of other, got GRU"):
        swap(model, "other", nn.GRU(2, 2))
    with pytest.raises(ValueError, match=r"optimizer: expected one that trains other, got one without its weights"):
        swap(model, "other", "rnn", optimizer=torch.optim.SGD(model.head.parameters(), lr=0.1))


def test_errors_of_arguments() -> None:
    model = Model(nn.RNN(3, 4))
    untyped = inspect.unwrap(swap)  # as outside this suite, which checks annotations
    for to, came in (
        (None, "None"),
        (3, "3"),
        (nn.Linear(3, 4), r"Linear\(in"),
        (nn.Linear, "<class"),
        (nn.ReLU(), "ReLU"),
    ):
        with pytest.raises(TypeError, match=rf"called as layer\(input, state\), or a factory of one, got {came}"):
            untyped(model, "encoder.rnn", to)
    with pytest.raises(TypeError, match=r"called as layer\(input, state\)"):
        untyped(model, "encoder.rnn", lambda **_: nn.Linear(3, 4))
    with pytest.raises(TypeError, match=r"to: expected a factory of an nn.Module, got one that gives NoneType"):
        untyped(model, "encoder.rnn", lambda **_: None)
    for option in ({"hidden_size": 8}, {"batch_first": True}, {"dropout": 0.5}, {"proj_size": 2}):
        with pytest.raises(
            TypeError, match=rf"{next(iter(option))}: expected no such option, for that of encoder.rnn is"
        ):
            untyped(model, "encoder.rnn", "lstm", **option)
    with pytest.raises(TypeError, match=r"nonlinearity: no such argument of GRU"):
        untyped(model, "encoder.rnn", "gru", nonlinearity="relu")
    with pytest.raises(TypeError, match=r"optimizer: expected a torch.optim.Optimizer, got Model"):
        untyped(model, "encoder.rnn", "lstm", optimizer=model)
    with pytest.raises(TypeError, match=r"model: expected an nn.Module with the recurrent layer inside, got NoneType"):
        untyped(None, "encoder.rnn", "lstm")
    assert type(model.encoder["rnn"]) is nn.RNN

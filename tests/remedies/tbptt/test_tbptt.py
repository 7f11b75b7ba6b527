import gc
import io
import weakref
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

import gradreach as gr
from gradreach.engine.scan import Remedies
from gradreach.remedies.tbptt.auto_k2 import AutoK2
from gradreach.remedies.tbptt.batch_layout import BatchLayout
from gradreach.remedies.tbptt.tbptt import tbptt
from tests.remedies.layers import plainly
from tests.remedies.streams import Stream, equal, stream, streams, windows


def options(each: Stream, **layout: Any) -> dict[str, Any]:
    """What the call needs to be told: a cell cannot say where time lies."""
    dim = None if isinstance(each.step, nn.RNNBase) else each.dim
    return {"step": each.step, "layout": BatchLayout(dim=dim, **layout)}


@given(streams(), st.integers(1, 15), st.integers(0, 15))
def test_gradient_is_that_of_the_definition(each: Stream, k1: int, more: int) -> None:
    k2, bounds = k1 + more, []
    for window in tbptt(each.x, k1=k1, k2=k2, state=each.state, **options(each)):
        bounds.append((window.start, window.stop))
        each.loss(window.output, window.start).backward()
    assert bounds == windows(each.T, k1)
    assert equal(each.gathered(), each.defined(bounds, more))


@given(streams(), st.integers(1, 15), st.integers(0, 5))
def test_gradient_is_that_of_full_bptt_where_k2_is_all_of_it(each: Stream, k1: int, more: int) -> None:
    for window in tbptt(each.x, k1=k1, k2=-(-each.T // k1) * k1 + more, state=each.state, **options(each)):
        each.loss(window.output, window.start).backward()
    output, _ = each.whole(each.x, each.state)
    full = torch.autograd.grad(each.loss(output, 0), each.parameters, allow_unused=True)
    assert equal(each.gathered(), full)


@given(streams(), st.integers(1, 6), st.integers(0, 9), st.lists(st.integers(1, 6), max_size=4))
def test_batches_are_one_stream_where_the_carry_is_passed_on(
    each: Stream, k1: int, more: int, lengths: list[int]
) -> None:
    k2, at, state, bounds = k1 + more, 0, each.state, []
    for length in [*lengths, each.T]:
        stop = min(at + length, each.T)
        if stop == at:
            break
        for window in tbptt(each.take(each.x, at, stop), k1=k1, k2=k2, state=state, **options(each)):
            bounds.append((at + window.start, at + window.stop))
            each.loss(window.output, at + window.start).backward()
            state = window.carry
        at = stop
    assert equal(each.gathered(), each.defined(bounds, more))


def test_the_gradient_stops_at_a_state_passed_on() -> None:
    torch.manual_seed(0)
    each = stream("LSTM", 12, 2)
    first = list(tbptt(each.take(each.x, 0, 6), k1=3, k2=6, step=each.step))[-1]
    ours = []
    for state in (first.state, first.carry):
        each.step.zero_grad()
        for window in tbptt(each.take(each.x, 6, 12), k1=6, k2=12, state=state, step=each.step):
            each.loss(window.output, 6).backward()
        ours.append([grad.clone() for grad in each.gathered()])
    assert equal(ours[0], each.defined([(6, 12)], 0))
    assert equal(ours[1], each.defined([(6, 12)], 6))


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("k2", [1, 2, 5, 12])
def test_lags_under_k2_are_the_gradient_at_k1_of_1(kind: str, k2: int) -> None:
    torch.manual_seed(0)
    each = stream(kind, 12, 3)
    for window in tbptt(each.x, k1=1, k2=k2, step=each.step):
        each.loss(window.output, window.start).backward()
    output = each.step(each.x)[0].detach().requires_grad_()
    (error,) = torch.autograd.grad(each.loss(output, 0), output)
    zero = torch.zeros(3, 4, dtype=torch.float64)
    state = (zero, zero if kind == "LSTM" else None)
    loss = plainly.truncated_loss(each.step.mode, plainly.weights(each.step), each.x, state, Remedies(), error, k2)
    assert equal(each.gathered(), torch.autograd.grad(loss, each.parameters))


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(1, 6), st.sampled_from(["RNN", "GRU", "LSTM"]), st.integers(0, 10**6))
def test_a_truncating_layer_sees_every_lag_under_its_own_k2(k1: int, lags: int, kind: str, seed: int) -> None:
    torch.manual_seed(seed)
    layer = getattr(gr.nn, kind)(3, 4, truncate=lags, dtype=torch.float64)
    each = Stream(layer, layer, torch.randn(11, 2, 3, dtype=torch.float64), None, 0, 11, 2)
    each.loss(layer(each.x)[0], 0).backward()
    whole = [grad.clone() for grad in each.gathered()]  # Σ_{ℓ<lags} dW_ℓ of the whole sequence
    layer.zero_grad()
    for window in tbptt(each.x, k1=k1, k2=lags + k1 - 1, step=layer):
        each.loss(window.output, window.start).backward()
    assert equal(each.gathered(), whole)


class Deep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.drop, self.head = nn.LSTM(3, 8, 2, dropout=0.3), nn.Dropout(0.2), nn.Linear(8, 2)

    def forward(self, x: Tensor, state: Any) -> Any:
        output, state = self.rnn(x, state)
        return self.head(self.drop(output)), state


def trained(by_hand: bool, k1: int, k2: int) -> tuple[list[float], list[Tensor]]:
    """Three batches of one stream with updates; windows of tbptt, or the loop as one writes it."""
    torch.manual_seed(3)
    model = Deep()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []

    def update(output: Tensor, y: Tensor) -> None:
        loss = nn.functional.mse_loss(output, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())

    state: Any = None
    for _ in range(3):
        x, y = torch.randn(24, 2, 3), torch.randn(24, 2, 2)
        if not by_hand:
            for window in tbptt(x, y, k1=k1, k2=k2, state=state, step=model):
                update(window.output, window.y)
                state = window.state
            continue
        stood = {0: state}
        for start in range(0, 24, k1):
            first = max(0, start - (k2 - k1))
            output, after = model(x[first : start + k1], stood[first])
            state = stood[min(start + k1, 24)] = tuple(part.detach() for part in after)
            update(output[start - first :], y[start : start + k1])
    return losses, list(model.parameters())


@pytest.mark.parametrize(("k1", "k2"), [(6, 6), (4, 8), (3, 12), (24, 24), (7, 7), (5, 10), (30, 30)])
def test_training_is_that_of_the_hand_written_loop_bit_for_bit(k1: int, k2: int) -> None:
    (ours, our_weights), (theirs, their_weights) = trained(False, k1, k2), trained(True, k1, k2)
    assert ours == theirs
    assert all(torch.equal(a, b) for a, b in zip(our_weights, their_weights, strict=True))


@given(streams(), st.integers(1, 6), st.integers(0, 9), st.data())
def test_rows_that_end_are_sequences_of_their_own(each: Stream, k1: int, more: int, data: st.DataObject) -> None:
    """Σ of the definition over every row's own pieces: no gradient and no state crosses an end."""
    k2 = k1 + more
    flat = data.draw(
        st.lists(st.sampled_from([False, False, True]), min_size=each.T * each.B, max_size=each.T * each.B)
    )
    ends = torch.tensor(flat).view(each.T, each.B)
    initial = None if each.state is None else tree_map(torch.zeros_like, each.state)
    laid_out = ends if each.dim == 0 else ends.t()
    for window in tbptt(each.x, k1=k1, k2=k2, state=initial, **options(each, ends=laid_out, batch_dim=batch_dim(each))):
        each.loss(window.output, window.start).backward()
    assert equal(each.gathered(), by_row(each, ends, initial, windows(each.T, k1), more))


def batch_dim(each: Stream) -> int | None:
    """Told for a state whose sizes may agree by chance."""
    return None if isinstance(each.step, nn.RNNBase) else 0


def by_row(
    each: Stream,
    ends: Tensor,
    initial: Any,
    bounds: list[tuple[int, int]],
    ahead: int,
    counts: Tensor | None = None,
) -> list[Tensor]:
    loss = torch.zeros((), dtype=torch.float64)
    rows = 1 - each.dim
    for b in range(each.B):
        x, state = (
            tree_map(lambda leaf, b=b: leaf.narrow(rows, b, 1), each.x),
            None if initial is None else tree_map(lambda s: s[:1], initial),
        )
        begins = [0, *[t + 1 for t in range(each.T) if ends[t, b] and t + 1 < each.T]]
        for begin, end in zip(begins, [*begins[1:], each.T], strict=True):
            for start, stop in bounds:
                lo, hi = max(start, begin), min(stop, end)
                if lo >= hi:
                    continue
                before, first = state, max(begin, start - ahead)
                if first > begin:
                    with torch.no_grad():
                        _, before = each.whole(each.take(x, begin, first), state)
                output, _ = each.whole(each.take(x, first, hi), before)
                own = tree_map(lambda y, a=lo - first, n=hi - lo: y.narrow(each.dim, a, n), output)
                if counts is None or bool(counts[lo, b]):
                    loss = loss + each.loss(own, lo)
    return list(torch.autograd.grad(loss, each.parameters, allow_unused=True))


@given(st.sampled_from(["RNN", "LSTM", "GRUCell"]), st.integers(0, 1), st.integers(1, 5), st.integers(0, 9), st.data())
def test_padded_rows_end_where_they_are_said_to(kind: str, dim: int, k1: int, more: int, data: st.DataObject) -> None:
    T, B, k2 = 9, 3, k1 + more
    lengths = torch.tensor(data.draw(st.lists(st.integers(1, T), min_size=B, max_size=B)))
    torch.manual_seed(data.draw(st.integers(0, 10**6)))
    each = stream(kind, T, B, dim)
    for window in tbptt(each.x, k1=k1, k2=k2, **options(each, lengths=lengths)):
        assert window.mask is not None
        mask = window.mask if dim == 0 else window.mask.t()
        steps = torch.arange(window.start, window.stop)
        assert torch.equal(mask, steps.unsqueeze(1) < lengths)
        kept = window.mask.unsqueeze(-1)
        each.loss(torch.where(kept, window.output, 0.3), window.start).backward()  # no error where 0.3 stands
    counts = torch.arange(T).unsqueeze(1) < lengths
    ends = torch.arange(T).unsqueeze(1) == lengths - 1
    assert equal(each.gathered(), by_row(each, ends, None, windows(T, k1), more, counts))
    rows = 0 if kind == "GRUCell" else 1
    for leaf in tree_leaves(window.state):
        over = leaf.movedim(rows, 0)[lengths < T]
        assert not over.any()
    with torch.no_grad():
        _, whole = each.whole(each.x, None)
    for ours, theirs in zip(tree_leaves(window.state), tree_leaves(whole), strict=True):
        go_on = ours.movedim(rows, 0)[lengths == T], theirs.movedim(rows, 0)[lengths == T]
        assert torch.allclose(*go_on, rtol=1e-10, atol=1e-12)


def test_ends_of_the_batch_before_are_kept() -> None:
    torch.manual_seed(1)
    each, ends = stream("LSTM", 12, 3), torch.rand(12, 3) < 0.3
    at, state = 0, None
    for stop in (5, 12):
        for window in tbptt(
            each.x[at:stop], k1=1, k2=6, state=state, step=each.step, layout=BatchLayout(ends=ends[at:stop])
        ):
            each.loss(window.output, at + window.start).backward()
        at, state = stop, window.carry
    assert equal(each.gathered(), by_row(each, ends, None, windows(12, 1), 5))


def test_rows_begin_anew_with_the_initial_state() -> None:
    torch.manual_seed(0)
    cell, x = nn.GRUCell(3, 4), torch.randn(4, 2, 3)
    start = torch.randn(1, 4, requires_grad=True)  # to be learned, one for all rows
    ends = torch.tensor([[True, False], [False, False], [False, True], [False, False]])
    for window in tbptt(
        x, k1=4, k2=4, state=start.expand(2, 4).detach(), step=cell, layout=BatchLayout(ends=ends, initial=start)
    ):
        window.output.sum().backward()
        assert torch.allclose(window.output[1, :1], cell(x[1, :1], start), atol=1e-6)  # kernels differ by B
        assert torch.allclose(window.output[3, 1:], cell(x[3, 1:], start), atol=1e-6)
    assert start.grad is not None


def test_an_initial_state_is_learned_as_far_as_k2_reaches() -> None:
    torch.manual_seed(0)
    layer, x, h_0 = nn.GRU(3, 4), torch.randn(12, 2, 3), nn.Parameter(torch.randn(1, 2, 4))
    found, state = [], h_0
    for at in (0, 6):
        for window in tbptt(x[at : at + 6], k1=3, k2=7, state=state, step=layer):
            h_0.grad = None
            window.output.sum().backward()
            found.append(h_0.grad is not None)
        state = window.carry
    assert found == [True, True, False, False]


def test_a_state_with_a_graph_is_refused() -> None:
    layer, h_0 = nn.GRU(3, 4), nn.Parameter(torch.zeros(1, 1, 4))
    for state in (h_0.expand(1, 2, 4), layer(X)[1]):
        with pytest.raises(ValueError, match=r"state: expected a tensor without a graph.*\.detach\(\)"):
            tbptt(X, k1=3, k2=9, state=state, step=layer)


class Wrapped(nn.Module):
    def __init__(self, *layers: nn.RNNBase) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, state: Any) -> Any:
        return self.layers[0](x, state)


def test_a_layer_inside_a_module_says_where_time_lies() -> None:
    first, last = nn.GRU(3, 3), nn.GRU(3, 3, batch_first=True)
    x = torch.randn(5, 9, 3)
    for step, dim in ((gr.nn.Residual(last), 1), (Wrapped(last), 1), (Wrapped(last).forward, 1), (Wrapped(first), 0)):
        for window in tbptt(x, k1=9, k2=9, step=step):
            assert window.output.shape[dim] == x.shape[dim]
        assert window.stop == x.shape[dim]
    with pytest.raises(ValueError, match="dim: expected to be told"):
        tbptt(x, k1=2, k2=4, step=Wrapped(first, last))
    assert len(list(tbptt(x, k1=1, k2=4, step=Wrapped(first, last), layout=BatchLayout(dim=0)))) == 5
    both = Wrapped(nn.GRU(3, 4, bidirectional=True))
    with pytest.raises(ValueError, match="step: expected one direction"):
        tbptt(x, k1=2, k2=4, step=both)
    assert list(tbptt(x, k1=5, k2=5, step=lambda x, state: both(x, state)))  # where it means to


class Unknown:
    def __init__(self, h: Any) -> None:
        self.h = h


def test_a_state_whose_tensors_cannot_be_seen_is_refused() -> None:
    layer = nn.GRU(3, 4)

    def step(x: Tensor, state: Any) -> Any:
        output, h = layer(x, None if state is None else state.h)
        return output, Unknown(h)

    with pytest.raises(TypeError, match=r"state that step returned: .*Unknown.*register_pytree_node"):
        list(tbptt(X, k1=2, k2=4, step=step))
    with pytest.raises(TypeError, match=r"state: .*Unknown.*register_pytree_node"):
        tbptt(X, k1=2, k2=4, step=step, state=Unknown(None))


def test_a_carry_that_does_not_fit_is_told_at_the_call() -> None:
    for k2 in (2, 6):
        carry = list(tbptt(X, k1=2, k2=k2, step=LAYER))[-1].carry
        for x in (X[:, :1], {"x": X}):
            with pytest.raises(ValueError, match="state: expected the carry of a batch like this one"):
                tbptt(x, k1=2, k2=k2, step=lambda x, state: LAYER(x, state), state=carry)
        with pytest.raises(ValueError, match=r"time at dim 1, got .* at dim 0"):
            tbptt(X, k1=2, k2=k2, step=nn.LSTM(3, 4, batch_first=True), state=carry)


def test_a_carry_is_saved_and_loaded_with_weights_only() -> None:
    ends = torch.rand(6, 2) < 0.3
    carry, file = list(tbptt(X, k1=2, k2=6, step=LAYER, layout=BatchLayout(ends=ends)))[-1].carry, io.BytesIO()
    torch.save({"state": carry}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)["state"]
    ours, theirs = (list(tbptt(X, k1=2, k2=6, step=LAYER, state=each))[-1].state for each in (loaded, carry))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_lengths_and_ends_may_be_lists() -> None:
    lengths, ends = [6, 3], (torch.rand(6, 2) < 0.3).tolist()
    tensors = {"lengths": torch.tensor(lengths), "ends": torch.tensor(ends)}
    ours = list(tbptt(X, k1=2, k2=4, step=LAYER, layout=BatchLayout(lengths=lengths, ends=ends)))[-1]
    theirs = list(tbptt(X, k1=2, k2=4, step=LAYER, layout=BatchLayout(**tensors)))[-1]
    assert torch.equal(ours.output, theirs.output)


@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (2, 2), (2, 5), (3, 20), (7, 7)])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "LSTMCell", "gr.GRU", "Cell"])
def test_states_may_be_written_on_and_weights_stepped(kind: str, k1: int, k2: int) -> None:
    torch.manual_seed(0)
    each = stream(kind, 14, 2)
    optimizer = torch.optim.SGD(each.parameters, lr=0.1)
    state = each.state
    for _ in range(2):
        for window in tbptt(each.x, k1=k1, k2=k2, state=state, step=each.step):
            loss = each.loss(window.output, window.start)
            tree_map(Tensor.zero_, window.state)  # before the backward pass: no graph holds this copy
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            state = window.carry
    assert all(p.isfinite().all() for p in each.parameters)


@pytest.mark.slow(4, "walks through all objects of the process, many times")
@pytest.mark.parametrize(("k1", "k2"), [(5, 5), (5, 15), (4, 10)])
def test_nothing_grows_and_no_old_graph_lives(k1: int, k2: int) -> None:
    model = Deep()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    state, counts, graphs = None, [], []
    for _ in range(6):
        x, y = torch.randn(40, 2, 3), torch.randn(40, 2, 2)
        for window in tbptt(x, y, k1=k1, k2=k2, state=state, step=model):
            graphs = [each for each in graphs if each() is not None]
            assert len(graphs) <= 1  # the window before this one, in its user's own variable
            loss = nn.functional.mse_loss(window.output, window.y)
            loss.backward()
            graphs.append(weakref.ref(window.output))
            optimizer.step()
            optimizer.zero_grad()
        state = window.carry
        del window, loss
        gc.collect()
        sizes = [each.untyped_storage().nbytes() for each in gc.get_objects() if type(each) in (Tensor, nn.Parameter)]
        counts.append((len(sizes), sum(sizes)))
    assert counts[1] == counts[-1]


def test_a_carry_keeps_only_the_steps_that_are_needed() -> None:
    x = torch.randn(1000, 2, 3)
    carry = list(tbptt(x, k1=10, k2=30, step=nn.LSTM(3, 4)))[-1].carry
    assert 29 <= carry.past.steps <= 39
    assert carry.past.x.untyped_storage().nbytes() == carry.past.steps * 2 * 3 * 4
    assert len(carry.states) <= 4


def test_targets_and_inputs_are_those_of_the_window() -> None:
    x, y = torch.randn(7, 2, 3), {"a": torch.randn(7, 2), "b": torch.arange(7)}
    seen = list(tbptt(x, y, k1=3, k2=5, step=nn.RNN(3, 4)))
    assert [(w.start, w.stop, w.k2, w.bias, w.mask) for w in seen] == [
        (0, 3, 5, None, None),
        (3, 6, 5, None, None),
        (6, 7, 5, None, None),
    ]
    assert torch.equal(torch.cat([w.x for w in seen]), x)
    assert torch.equal(torch.cat([w.y["b"] for w in seen]), y["b"])
    assert [len(w.output) for w in tbptt(x, y, k1=3, k2=5, step=nn.RNN(3, 4))] == [3, 3, 1]


def test_an_output_is_let_go_of_with_the_next_window() -> None:
    first, last = list(tbptt(X, k1=3, k2=3, step=LAYER))
    assert len(last.output) == 3
    with pytest.raises(RuntimeError, match="output: expected to be read before the window after step 2"):
        _ = first.output


def test_it_runs_without_a_gradient_and_on_an_unbatched_sequence() -> None:
    layer, x = nn.LSTM(3, 4, batch_first=True), torch.randn(10, 3)
    with torch.no_grad():
        outputs = [window.output for window in tbptt(x, k1=3, k2=4, step=layer)]
    assert torch.allclose(torch.cat(outputs), layer(x)[0], atol=1e-6)


LAYER, X, ENDS = nn.LSTM(3, 4), torch.randn(6, 2, 3), torch.ones(6, 2, dtype=torch.bool)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"k1": 4, "k2": 2}, ValueError, "k2: expected at least k1 = 4, got 2"),
        ({"k1": 0}, ValueError, "k1: expected at least 1 step, got 0"),
        ({"k1": -3}, ValueError, "k1: expected at least 1 step, got -3"),
        ({"k1": True}, TypeError, "k1: expected a whole number of steps, got True"),
        ({"step": nn.LSTM(3, 4, bidirectional=True)}, ValueError, "bidirectional"),
        ({"step": 3}, TypeError, "step: expected a module or a function"),
        (
            {"x": X.requires_grad_(False) * nn.Parameter(torch.ones(()))},
            ValueError,
            "x: expected a tensor without a graph",
        ),
        ({"x": (X, 1.0)}, TypeError, r"x\[1\]: expected a tensor, got float"),
        ({"x": (X, X[:5])}, ValueError, "the same number everywhere"),
        ({"x": X[:0]}, ValueError, "at least one step"),
        ({"layout": BatchLayout(dim=3)}, ValueError, "time at dim 3"),
        ({"layout": BatchLayout(dim=-1)}, ValueError, "dim: expected 0 or more"),
        ({"x": nn.utils.rnn.pack_sequence([X[:, 0]])}, TypeError, "x: expected padded tensors.*pad_packed_sequence"),
        (
            {"layout": BatchLayout(lengths=[6, 3, 2])},
            ValueError,
            "lengths: expected one for each of the 2 rows of x, got 3",
        ),
        (
            {"layout": BatchLayout(ends=torch.zeros(6, 3, dtype=torch.bool))},
            ValueError,
            "ends: expected one for each of the 2 rows",
        ),
        ({"step": nn.LSTM}, TypeError, "step: expected a module.*the class LSTM"),
        ({"state": next(tbptt(X, k1=2, k2=2, step=LAYER))}, TypeError, "state: .*window.carry or window.state"),
        ({"y": X[:5]}, ValueError, "y: expected the 6 steps of x"),
        (
            {"layout": BatchLayout(lengths=torch.tensor([3, 7]))},
            ValueError,
            "lengths: expected a number of steps from 0 to 6",
        ),
        (
            {"layout": BatchLayout(ends=torch.zeros(5, 2, dtype=torch.bool))},
            ValueError,
            r"ends: expected a Boolean tensor \(6, B\)",
        ),
    ],
)
def test_an_argument_that_does_not_fit_is_named_at_the_call(given: dict[str, Any], error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        tbptt(**{"x": X, "k1": 2, "k2": 4, "step": LAYER, **given})


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"step": lambda x, _: x}, TypeError, "step: expected it to return"),
        ({"step": lambda x, s: (x[-1], s)}, ValueError, "step: expected output with the . steps"),
        (
            {"layout": BatchLayout(ends=ENDS, initial=(torch.ones(1, 3, 4),) * 2)},
            ValueError,
            r"initial: expected what broadcasts to state\[0\], \(1, 2, 4\), got \(1, 3, 4\)",
        ),
        ({"k2": AutoK2(lambda output, _: output.detach().sum())}, ValueError, "loss: expected one with a grad"),
        (
            {"layout": BatchLayout(ends=ENDS, initial=X)},
            ValueError,
            "initial: expected a state built like",
        ),
        ({"layout": BatchLayout(ends=ENDS, batch_dim=0)}, ValueError, "batch_dim: expected the dimension"),
        (
            {"layout": BatchLayout(ends=ENDS), "step": lambda x, _: (x, torch.zeros(2, 2))},
            ValueError,
            r"state: expected one dimension of size B = 2.*several.*batch_dim",
        ),
    ],
)
def test_a_step_that_does_not_fit_is_told(given: dict[str, Any], error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        list(tbptt(**{"x": X, "k1": 2, "k2": 4, "step": LAYER, **given}))


def test_a_choice_of_k2_that_does_not_fit_is_named() -> None:
    with pytest.raises(TypeError, match=r"loss: expected a function.*the class MSELoss"):
        AutoK2(nn.MSELoss)
    for tolerance in (1.5, float("nan")):
        with pytest.raises(ValueError, match="tolerance: expected a number between 0 and 1"):
            AutoK2(nn.functional.mse_loss, tolerance)

"""How far a model without a recurrence reaches equals autograd by hand; and nothing of the script's own is changed."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from gradreach.record.schema import Record
from gradreach.record.seen.recurrence import Probe
from tests.watch.conftest import Watched

B, T, V, D = 8, 16, 11, 12
STEPS = (2, 4, 8, 15)
"""An eighth, a quarter, a half of the way from step 0 to step 15, and step 15 itself."""


class Transformer(nn.Module):
    def __init__(self, batch_first: bool = True, dropout: float = 0.0, through: Callable | None = None) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, D)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(D, 2, 16, dropout, batch_first=batch_first) for _ in range(2)
        )
        self.head = nn.Linear(D, V)
        self.through = through

    def forward(self, ids: Tensor) -> Tensor:
        return self.scores(self.embed(ids))

    def scores(self, x: Tensor) -> Tensor:
        steps = x.shape[1 if self.layers[0].self_attn.batch_first else 0]
        mask = nn.Transformer.generate_square_subsequent_mask(steps, dtype=x.dtype)
        for layer in self.layers:
            x = layer(x, src_mask=mask) if self.through is None else self.through(layer, x, mask)
        return self.head(x)


class Convolutions(nn.Module):
    """Causal: padded on both sides and cut, or padded on the left by the script."""

    def __init__(self, channels: int, cut: bool, embedded: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, channels) if embedded else None
        self.layers = nn.ModuleList(
            nn.Conv1d(channels if n == 0 else D, D, 3, padding=2 * 2**n if cut else 0, dilation=2**n) for n in range(3)
        )
        self.head = nn.Linear(D, V)

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(x if self.embed is None else self.embed(x).transpose(1, 2))

    def scores(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            side = 2 * layer.dilation[0]
            x = layer(x)[..., :-side] if layer.padding[0] else layer(nn.functional.pad(x, (side, 0)))
            x = torch.tanh(x)
        return self.head(x.transpose(1, 2))


def _by_hand(x: Tensor, scores: Callable[[Tensor], Tensor], error: Tensor, steps: Sequence[int]) -> list[float]:
    """r(ℓ) of the embedded input (B, T, d), row b from step steps[b % 4] alone, by one autograd pass a row."""
    x = x.detach().requires_grad_()
    out = scores(x)
    total: dict[int, list[Tensor]] = {t: [] for t in steps}
    for b in range(len(x)):
        t = steps[b % len(steps)]
        (gradient,) = torch.autograd.grad((out[b, t] * error[b, t]).sum(), x, retain_graph=True)
        total[t].append(gradient[b].norm(dim=-1))
    norms = {t: torch.stack(rows).mean(0) for t, rows in total.items()}
    return [
        float(sum(n[t - lag] for t, n in norms.items() if t >= lag) / sum(n[t] for t, n in norms.items() if t >= lag))
        for lag in range(max(steps) + 1)
    ]


def _probe(record: Record) -> Probe:
    ((probe,),) = [look.probes for look in record.looks]
    return probe


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_causal_transformer(batch_first: bool, watched: Watched) -> None:
    def turn(each: Tensor) -> Tensor:
        return each if batch_first else each.transpose(0, 1)

    model, ids, error = Transformer(batch_first).double(), torch.randint(V, (B, T)), torch.randn(B, T, V).double()
    _, record = watched(lambda: (model(turn(ids)) * turn(error)).sum().backward())
    probe = _probe(record)
    expected = _by_hand(model.embed(ids), lambda x: turn(model.scores(turn(x))), error, STEPS)
    assert probe.reach == pytest.approx(expected, rel=1e-9)
    assert (probe.module, probe.T, probe.anchors) == ("model.head", T, 4)
    assert probe.horizon == 15
    assert record.dependency[0].module == "model.head"


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("embedded", [True, False])
def test_causal_convolutions(cut: bool, embedded: bool, watched: Watched) -> None:
    model = Convolutions(4, cut, embedded).double()
    x = torch.randint(V, (B, T)) if embedded else torch.randn(B, 4, T).double()
    error = torch.randn(B, T, V).double()
    _, record = watched(lambda: (model(x) * error).sum().backward())
    inner = model.embed(x) if model.embed is not None else x.transpose(1, 2)
    expected = _by_hand(inner, lambda z: model.scores(z.transpose(1, 2)), error, STEPS)
    assert _probe(record).reach == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert expected[14] > 0.0
    assert expected[15] == 0.0  # the kernels see 1 + 2 (1 + 2 + 4) steps


def test_an_error_at_the_last_step_alone_and_fewer_rows_than_steps(watched: Watched) -> None:
    model, ids = Transformer().double(), torch.randint(V, (3, T))
    error = torch.randn(3, T, V).double()
    _, record = watched(lambda: (model(ids)[:, -1] * error[:, -1]).sum().backward())
    assert _probe(record).reach == pytest.approx(_by_hand(model.embed(ids), model.scores, error, [T - 1]), rel=1e-9)
    assert _probe(record).anchors == 1


def test_a_single_row_is_probed_from_every_step_in_turn(watched: Watched) -> None:
    model, ids, error = Transformer().double(), torch.randint(V, (1, T)), torch.randn(1, T, V).double()
    _, record = watched(lambda: (model(ids) * error).sum().backward())
    rows = [model.embed(ids).expand(4, -1, -1), error.expand(4, -1, -1)]
    assert _probe(record).reach == pytest.approx(_by_hand(rows[0], model.scores, rows[1], STEPS), rel=1e-9)


def test_the_last_output_is_what_is_asked_about(watched: Watched) -> None:
    """Not the encoder's, though that comes first: the decoder's attention mixes its steps anew."""
    embed, head = nn.Embedding(V, D), nn.Linear(D, V)
    body = nn.Transformer(D, 2, 1, 1, 16, 0.0, batch_first=True)
    model = nn.ModuleDict({"embed": embed, "body": body, "head": head})

    class Translates(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = model

        def forward(self, source: Tensor, target: Tensor) -> Tensor:
            mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
            return head(body(embed(source), embed(target), tgt_mask=mask))

    translates = Translates()
    source, target = torch.randint(V, (B, T + 3)), torch.randint(V, (B, T))
    _, record = watched(lambda: translates(source, target).square().sum().backward())
    probe = _probe(record)
    assert (probe.module, probe.T, len(probe.reach)) == ("translates.parts.head", T, T)
    assert record.dependency[0].T == T


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm, self.head = nn.Embedding(V, D), nn.LayerNorm(D), nn.Linear(D, 3)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.norm(self.embed(ids)).mean(1))


def test_where_no_step_moves_a_later_one_nothing_is_asked(watched: Watched) -> None:
    """A bag of words: its one error is spread over all steps, and says nothing of lags."""
    model = Bag()
    _, record = watched(lambda: cross_entropy(model(torch.randint(V, (B, T))), torch.randint(3, (B,))).backward())
    assert record.looks[0].probes == ()
    assert record.dependency == ()


def _hooked(x: Tensor) -> Tensor:
    x.register_hook(lambda gradient: gradient)
    return x


def _retained(x: Tensor) -> Tensor:
    x.retain_grad()
    return x


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(_, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(_, gradient: Tensor) -> Tensor:
        _Counted.passes += 1
        return gradient * 2


class _Counted:
    passes = 0


@pytest.mark.parametrize("meddle", [_hooked, _retained, Twice.apply], ids=["hook", "retained", "own backward"])
def test_what_a_further_pass_would_set_off_is_left_alone(meddle, watched: Watched) -> None:
    calls: list[int] = []

    def through(layer: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
        y = layer(x, src_mask=mask)
        if meddle is _hooked:
            x.register_hook(lambda _: calls.append(1))
        return meddle(y)

    model = Transformer(through=through)

    def train() -> list[Tensor]:
        model.zero_grad()
        model(torch.arange(B * T).reshape(B, T) % V).square().sum().backward()
        return [p.grad.clone() for p in model.parameters()]

    _Counted.passes = 0
    plain = train()
    counted = (len(calls), _Counted.passes)
    seen, record = watched(train)
    assert (len(calls), _Counted.passes) == (2 * counted[0], 2 * counted[1])
    assert record.looks[0].probes == ()
    assert record.notes == ()
    assert all(torch.equal(a, b) for a, b in zip(plain, seen, strict=True))


class Normed(nn.Module):
    """Counts in a buffer how often it was run: what recomputes it moves its statistics."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.norm = layer, nn.BatchNorm1d(D)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.norm(self.layer(x, src_mask=mask).transpose(1, 2)).transpose(1, 2)


def _checkpointed(reentrant: bool | None) -> list[Tensor]:
    torch.manual_seed(0)
    model = Transformer(dropout=0.2)
    model.layers = nn.ModuleList(map(Normed, model.layers))
    model.scores = lambda x: _through(model, x, reentrant)  # type: ignore[method-assign]
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(5):
        ids = torch.randint(V, (B, T))
        loss = cross_entropy(model(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [*model.parameters(), *model.buffers(), torch.get_rng_state()]


def _through(model: Transformer, x: Tensor, reentrant: bool | None) -> Tensor:
    mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
    for layer in model.layers:
        x = layer(x, mask) if reentrant is None else checkpoint(layer, x, mask, use_reentrant=reentrant)
    return model.head(x)


@pytest.mark.parametrize("reentrant", [None, False, True])
def test_training_is_bit_identical_checkpointed_or_not(reentrant: bool | None, watched: Watched) -> None:
    plain = _checkpointed(reentrant)
    seen, record = watched(lambda: _checkpointed(reentrant))
    assert all(torch.equal(a, b) for a, b in zip(plain, seen, strict=True))
    assert record.notes == ()
    assert len(record.looks) == 5
    assert any(look.probes for look in record.looks) == (reentrant is None)


def test_a_forward_pass_without_backward_keeps_no_graph_alive(watched: Watched) -> None:
    def train() -> list[bool]:
        model, alive = Transformer(), []
        for _ in range(3):
            x = model.embed(torch.randint(V, (B, T)))
            alive.append(weakref.ref(x))
            model.scores(x)
            del x
        return [ref() is not None for ref in alive]

    assert watched(train)[0] == [False, False, False]


def test_the_graph_goes_when_the_step_is_over(watched: Watched) -> None:
    def train() -> list[bool]:
        model, alive = Transformer(), []
        for _ in range(3):
            ids = torch.randint(V, (B, T))
            x = model.embed(ids)
            alive.append(weakref.ref(x))
            model(ids)
            model.scores(x).sum().backward()
            del x
        return [ref() is not None for ref in alive]

    alive = watched(train)[0]  # of the first step, where the model is named, Python itself keeps the locals
    assert alive[1:] == [False, False]

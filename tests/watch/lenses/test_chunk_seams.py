"""Whether chunks go on where those before them ended, and from which state they begin."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.recurrence import ChunkSeam
from gradreach.watch.lenses.chunk_seams import MOST_SEAMS
from tests.watch.conftest import Watched

BATCH, T, SYMBOLS = 5, 4, 30
HIDDEN = 6


class Text(nn.Module):
    def __init__(self, *, batch_first: bool = True) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(SYMBOLS, 3), nn.GRU(3, HIDDEN, batch_first=batch_first)
        self.read = nn.Linear(HIDDEN, SYMBOLS)

    def forward(self, ids: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        out, state = self.rnn(self.embed(ids), state)
        return self.read(out), state


def stream() -> Tensor:
    """(BATCH, 10 T + 1) symbols."""
    return torch.randint(0, SYMBOLS, (BATCH, 10 * T + 1), generator=torch.Generator().manual_seed(1))


def chunks(rows: Tensor, length: int = T) -> list[Tensor]:
    """Chunks with one place more than `length`, the first place of the next."""
    return [rows[:, at : at + length + 1] for at in range(0, rows.shape[1] - length, length)]


def seams(watched: Watched, given: Iterable[Tensor], *, carried: bool, batch_first: bool = True) -> list[ChunkSeam]:
    net, state = Text(batch_first=batch_first), None

    def train() -> None:
        nonlocal state
        for chunk in given:
            ids, targets = chunk[:, :-1], chunk[:, 1:]
            if not batch_first:
                ids, targets = ids.T, targets.T
            logits, left = net(ids, state)
            nn.functional.cross_entropy(logits.reshape(-1, SYMBOLS), targets.reshape(-1)).backward()
            state = left.detach() if carried else None

    _, record = watched(train)
    return [look.chunk_seam for look in record.looks if look.chunk_seam is not None]


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("carried", [True, False])
def test_chunks_of_a_stream_go_on(watched: Watched, carried: bool, batch_first: bool) -> None:
    found = seams(watched, chunks(stream()), carried=carried, batch_first=batch_first)
    assert len(found) == MOST_SEAMS
    for seam in found:
        assert (seam.module, seam.kind, seam.steps, seam.rows) == ("net.rnn", "GRU", T, BATCH)
        assert (seam.rows_on, seam.state) == (BATCH, "carried" if carried else "anew")
        assert 1 / SYMBOLS / 2 < seam.chance < 0.2


def test_shuffled_chunks_do_not_go_on(watched: Watched) -> None:
    rows = stream()
    found = seams(watched, [chunks(rows)[at] for at in (3, 8, 1, 6, 0)], carried=True)
    assert len(found) == 4
    assert all(seam.rows_on < BATCH / 2 and seam.state == "carried" for seam in found)


def test_single_steps_tell_that_they_go_on_but_not_that_they_do_not(watched: Watched) -> None:
    found = seams(watched, chunks(stream(), 1)[:5], carried=False)
    assert [(seam.steps, seam.rows_on) for seam in found] == [(1, BATCH)] * 4
    assert not seams(watched, [chunks(stream(), 1)[at] for at in (3, 8, 1, 6)], carried=True)


@pytest.mark.parametrize(
    "given",
    [[chunks(stream())[0]] * 5, [torch.full((BATCH, T + 1), 7)] * 5],
    ids=["the same chunk again", "one symbol everywhere"],
)
def test_where_the_data_do_not_tell_there_is_no_seam(watched: Watched, given: list[Tensor]) -> None:
    assert not seams(watched, given, carried=False)


def test_waves_go_on_as_symbols_do(watched: Watched) -> None:
    waves = torch.sin(torch.arange(41) * torch.linspace(0.2, 0.9, BATCH)[:, None])[..., None]
    gru, read = nn.GRU(1, HIDDEN, batch_first=True), nn.Linear(HIDDEN, 1)
    net = nn.ModuleDict({"gru": gru, "read": read})

    def train() -> None:
        for at in range(0, 24, T):
            out = net["read"](net["gru"](waves[:, at : at + T])[0])
            nn.functional.mse_loss(out, waves[:, at + 1 : at + T + 1]).backward()

    _, record = watched(train)
    found = [look.chunk_seam for look in record.looks if look.chunk_seam is not None]
    assert [(seam.module, seam.rows_on, seam.state) for seam in found] == [("gru", BATCH, "anew")] * 5


def test_the_step_before_a_planned_look_is_followed(watched: Watched) -> None:
    def seen(every: int | None) -> list[int]:
        def train() -> None:
            net, rows = Text(), stream().repeat(1, 3)
            for chunk in chunks(rows):
                logits, _ = net(chunk[:, :-1], None)
                nn.functional.cross_entropy(logits.flatten(0, 1), chunk[:, 1:].flatten()).backward()

        _, record = watched(train, every=every)
        return [look.step for look in record.looks if look.chunk_seam is not None]

    assert seen(7) == [7, 14, 21, 28]
    planned = seen(None)
    assert len(planned) >= 2
    assert planned[0] == 3


def test_only_one_layer_with_one_call_is_followed(watched: Watched) -> None:
    nets = nn.ModuleList([Text(), Text()])

    def train() -> None:
        for chunk in chunks(stream()):
            logits = nets[0](chunk[:, :-1], None)[0] + nets[1](chunk[:, :-1], None)[0]
            nn.functional.cross_entropy(logits.flatten(0, 1), chunk[:, 1:].flatten()).backward()

    _, record = watched(train)
    assert not any(look.chunk_seam for look in record.looks)

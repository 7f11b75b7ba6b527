"""Where a whole batch has no room it is looked at in parts: they add up to the whole, and stay within the room."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import gradreach as gr
from gradreach.record.schema import Record
from gradreach.remedies.tbptt.memory import LiveBytes
from gradreach.watch.graph import walk
from gradreach.watch.lenses.recurrent import RecurrentCollector
from gradreach.watch.lenses.recurrent_parts import parts_of
from gradreach.watch.memory import Memory
from gradreach.watch.models import Models
from gradreach.watch.own_work import OwnWork
from gradreach.watch.samples.dependency_samples import DependencySamples
from gradreach.watch.samples.local_errors import LocalErrors

B, T, F, H = 12, 20, 4, 8


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(F, H)

    def forward(self, x: Tensor) -> Tensor:
        state, outputs = None, []
        for step in x:
            state = self.cell(step, state)
            outputs.append(state[0])
        return torch.stack(outputs)


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(F, H, num_layers=2, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        lengths = torch.tensor([5, 20, 3, 17, 9, 12, 1, 8, 20, 2, 6, 14])
        output, h_n = self.layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
        return torch.cat([output.data.flatten(), h_n.flatten()])


class Layer(nn.Module):
    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        output, state = self.layer(x.transpose(0, 1) if self.layer.batch_first else x)
        states = state if isinstance(state, tuple) else (state,)
        return torch.cat([each.flatten() for each in (output, *states)])


MODELS = {
    "dropout": lambda: Layer(nn.LSTM(F, H, num_layers=2, dropout=0.3)),
    "batch first": lambda: Layer(nn.GRU(F, H, batch_first=True)),
    "two ways": lambda: Layer(nn.RNN(F, H, bidirectional=True)),
    "packed": Packed,
    "cells": Cells,
}


def looked_at(name: str, memory: int | None, monkeypatch: pytest.MonkeyPatch) -> tuple[Record, Sequence[LocalErrors]]:
    """The record of one step, and the local errors of its look."""
    torch.manual_seed(0)
    model, x = MODELS[name]().double(), torch.randn(T, B, F, dtype=torch.float64)
    taken: list[LocalErrors] = []
    monkeypatch.setattr(DependencySamples, "take", lambda *given: taken.extend(given[-1]))
    with gr.observe(model, every=1, memory=memory) as watch:
        model(x).square().sum().backward()
    return watch.record(), taken


@pytest.mark.parametrize("name", MODELS)
def test_parts_add_up_to_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record, (whole,) = looked_at(name, None, monkeypatch)
    assert not record.notes
    record, (joined,) = looked_at(name, {"packed": 400_000, "two ways": 200_000}.get(name, 150_000), monkeypatch)
    (note,) = record.notes
    assert "parts of the batch" in note
    torch.testing.assert_close(joined.errors, whole.errors)
    torch.testing.assert_close(joined.states, whole.states)
    assert torch.equal(joined.inputs, whole.inputs)
    for look in record.looks[0].time:
        assert look.exact, look.why_inexact
        assert look.gradient_error is not None
        assert look.gradient_error < 1e-10
        assert look.batch == B
        assert f"of {B} rows" in look.sampled


def test_fewer_rows_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    record, (found,) = looked_at("cells", 50_000, monkeypatch)
    (note,) = record.notes
    assert "`model.cell` is looked at in 1 of the 12 rows of the batch" in note
    (look,) = record.looks[0].time
    assert look.gradient_error is None
    assert look.exact
    assert look.sampled.endswith("1 of 12 rows")
    assert len(found.errors) == len(found.inputs) == 1


def test_no_row_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    record, found = looked_at("cells", 1, monkeypatch)
    assert record.looks[0].time == ()
    assert not found
    assert "not even one row of the batch has room" in record.notes[0]
    assert record.overhead is not None
    assert record.overhead.memory_allowed == 1


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_a_look_takes_what_is_said(kind: type[nn.RNNBase], bidirectional: bool, layers: int) -> None:
    layer = kind(64, 64, layers, bidirectional=bidirectional)
    _holds(layer, torch.randn(100, 16, 64), in_steps=False)


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.GRUCell, nn.LSTMCell])
def test_a_look_at_cells_takes_what_is_said(kind: type[nn.RNNCellBase]) -> None:
    _holds(kind(64, 64), torch.randn(100, 16, 64), in_steps=True)


def _holds(layer: nn.Module, x: Tensor, *, in_steps: bool) -> None:
    """Count the bytes of the tensors that are alive at the peak of a look, by torch itself."""
    models, collector = Models(), RecurrentCollector(lambda: True, OwnWork(print), Memory())
    models.add(layer, "layer")
    state, outputs = None, []
    for given in x if in_steps else [x]:
        collector.entering(layer)
        output = layer(given, state)
        collector.called(layer, (given, state), {}, output)
        state = output if in_steps else state
        outputs.append(output[0] if isinstance(output, tuple) else output)
    loss = torch.stack(outputs).square().mean()
    collector.before_backward(walk([loss]).nodes)
    loss.backward()
    need = parts_of(next(iter(collector._calls.values())), 0).need
    with LiveBytes() as live:
        assert collector.looks(models, 1.0)
    assert 0.5 * need <= live.peak <= need


def test_the_room_is_a_quarter_of_what_the_process_holds() -> None:
    here = torch.device("cpu")
    room = Memory().room(here)
    assert 10 << 20 < room < 16 << 30
    assert Memory(1000).room(here) == 1000
    memory = Memory()
    with memory.measured(()):
        held = torch.ones(1 << 26)
    assert memory.raised is not None
    assert memory.raised >= 0
    del held

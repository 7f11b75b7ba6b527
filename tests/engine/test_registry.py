"""How a module's kind of cell is found, and what other packages may bring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from torch import nn

import gradreach as gr
from gradreach.engine.cells import registry
from gradreach.engine.cells.cell import StockCell
from gradreach.engine.cells.gru import GRU
from gradreach.engine.cells.registry import cell_of, cells
from gradreach.record.kinds import CellKind


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    known = dict(cells())
    yield
    cells.cache_clear()
    assert cells() == known


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (nn.RNN(2, 3), "RNN_TANH"),
        (nn.RNN(2, 3, nonlinearity="relu"), "RNN_RELU"),
        (gr.nn.RNN(2, 3, nonlinearity="sigmoid"), "RNN_SIGMOID"),
        (nn.GRU(2, 3), "GRU"),
        (gr.nn.LSTM(2, 3), "LSTM"),
        (nn.RNNCell(2, 3), "RNN_TANH"),
        (nn.RNNCell(2, 3, nonlinearity="relu"), "RNN_RELU"),
        (nn.GRUCell(2, 3), "GRU"),
        (nn.LSTMCell(2, 3), "LSTM"),
    ],
)
def test_the_kind_of_a_module(module: nn.Module, name: str) -> None:
    assert cell_of(module).name == name


def test_other_modules_have_none() -> None:
    with pytest.raises(TypeError, match="module: expected a stock recurrent layer or cell, got Linear"):
        cell_of(nn.Linear(2, 3))


def offered(monkeypatch: pytest.MonkeyPatch, name: str) -> StockCell:
    cell = replace(GRU, kind=CellKind(name, GRU.kind.gates), layer=None, step=None)
    monkeypatch.setattr(registry, "from_others", lambda group, _: iter([(group, cell)]))
    cells.cache_clear()
    return cell


def test_other_packages_bring_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = offered(monkeypatch, "Theirs")
    assert cells()["Theirs"] is cell
    monkeypatch.undo()


def test_a_name_that_is_taken_is_left_out_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    offered(monkeypatch, "LSTM")
    with pytest.warns(UserWarning, match="LSTM of gradreach.cells is left out: expected a new name"):
        assert cells()["LSTM"].kernel is not None
    monkeypatch.undo()

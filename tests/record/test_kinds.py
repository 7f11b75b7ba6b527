"""What a record's reader is told of a kind of cell by its name alone."""

from __future__ import annotations

import pytest

from gradreach.engine.cells.registry import cells
from gradreach.record import kinds


@pytest.mark.parametrize(
    ("name", "gates", "keeping", "saturates", "numbered"),
    [
        ("RNN_TANH", 1, None, True, True),
        ("RNN_RELU", 1, None, False, True),
        ("RNN_SIGMOID", 1, None, True, True),
        ("RNN", 1, None, True, True),
        ("RNNCell", 1, None, True, False),
        ("GRU", 3, "update", True, True),
        ("GRUCell", 3, "update", True, False),
        ("LSTM", 4, "forget", True, True),
        ("LSTMCell", 4, "forget", True, False),
        ("lstm", 4, "forget", True, True),
        ("MinGRU", 2, "update", False, True),
        ("MinLSTM", 3, "input", False, True),
        ("cell", 1, None, True, False),
        ("Linear", 1, None, True, False),
    ],
)
def test_facts_of_a_name(name: str, gates: int, keeping: str | None, saturates: bool, numbered: bool) -> None:
    gate = kinds.keeping_gate(name)
    assert kinds.gates(name) == gates
    assert (None if gate is None else gate.name) == keeping
    assert kinds.is_gated(name) == (keeping is not None)
    assert kinds.saturates(name) == saturates
    assert kinds.numbered(name) == numbered
    assert kinds.is_cell(name) == (name.endswith("Cell"))
    assert kinds.has_hidden_weights(name) == (name not in ("MinGRU", "MinLSTM"))


def test_every_kind_has_its_mathematics() -> None:
    assert set(cells()) == set(kinds.KINDS)
    assert all(cell.kind is kinds.KINDS[name] for name, cell in cells().items())

"""The kinds of recurrent cells that gradreach knows, one line each, and what follows from a kind's name; without torch.

A record names the kind of what it saw by torch's mode ("RNN_TANH", "LSTM"), by the class of a layer ("RNN") or by that
of a cell ("LSTMCell"). Whatever else it names, a recurrence of one's own or a kind of another package, gets the neutral
answer of every function here: one gate, none that keeps the state, no numbered layers.
"""

from __future__ import annotations

from dataclasses import dataclass

from gradreach.record.seen.recurrence import TimeLook


@dataclass(frozen=True, slots=True)
class KeepingGate:
    """The gate that decides how much of the state stays: its name, and its place among the blocks of the weights.

    `bias` is the parameter in which it is opened, and `open_at` the value there that lets most of the state stay. At a
    bias of ±b there the odds that the state stays are `odds` · e^b: ½ · e^b where another gate stands against it.
    """

    name: str
    block: int
    bias: str = "bias_hh"
    open_at: float = 1.0
    odds: float = 1.0


@dataclass(frozen=True, slots=True)
class CellKind:
    """One kind of cell: what its formulas have, as far as a rule or a report needs to know.

    `gates` names the blocks of W_ih in their order, `layer` torch's class of the whole layer ("LSTM"; its cell is
    "LSTMCell"), empty where torch has none. `saturates` says whether its activations have flat ends, `hidden` whether
    its gates look at the state, through a W_hh, `has_c` whether it carries a state c beside h.
    """

    name: str
    gates: tuple[str, ...]
    layer: str = ""
    keeping: KeepingGate | None = None
    saturates: bool = True
    hidden: bool = True
    has_c: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        CellKind("RNN_TANH", ("h",), "RNN"),
        CellKind("RNN_RELU", ("h",), "RNN", saturates=False),
        CellKind("RNN_SIGMOID", ("h",), "RNN"),
        CellKind("GRU", ("r", "z", "n"), "GRU", KeepingGate("update", 1)),
        CellKind("LSTM", ("i", "f", "g", "o"), "LSTM", KeepingGate("forget", 1), has_c=True),
        CellKind("MinGRU", ("z", "h"), "", KeepingGate("update", 0, "bias_ih", -1.0), saturates=False, hidden=False),
        CellKind(
            "MinLSTM", ("f", "i", "h"), "", KeepingGate("input", 1, "bias_ih", -1.0, 0.5), saturates=False, hidden=False
        ),
    )
}
"""Every kind by its name. The mathematics of each stands in a file of its own in `gradreach.engine.cells`."""


MATRIX_LOOP = "loop with a matrix"
DECAY_LOOP = "loop with a decay"
LOOP = "loop"
SCAN = "scan with a decay"
LOOPS = (MATRIX_LOOP, DECAY_LOOP, LOOP, SCAN)
DECAYS = (DECAY_LOOP, SCAN)
"""Recurrences that no module shows, found in the graph: a trained matrix multiplies the state; a factor multiplies each
entry of it, in a loop or in all steps at once; neither."""


def known(name: str) -> CellKind | None:
    """The kind that a record names, in any letter case; None where it is none of these."""
    return _BY_NAME.get(name.upper())


def is_own(name: str) -> bool:
    """Whether that is a recurrence of the script's own, and no kind that the engine knows."""
    return known(name) is None


def is_cell(name: str) -> bool:
    """Whether that is the class of one of torch's cells, whose parameters carry no layer's number."""
    return known(name) is not None and name.upper().endswith("CELL")


def numbered(name: str) -> bool:
    """Whether a module of that kind numbers its layers (weight_hh_l0, weight_hh_l1_reverse); a cell has only one."""
    return known(name) is not None and not is_cell(name)


def gates(name: str) -> int:
    """How many gates' weights share one matrix, block under block: 4 in an LSTM, 3 in a GRU, 1 in an RNN."""
    kind = known(name)
    return 1 if kind is None else len(kind.gates)


def is_gated(name: str) -> bool:
    """Whether gates carry the state from step to step, past the weights."""
    return keeping_gate(name) is not None


def keeping_gate(name: str) -> KeepingGate | None:
    """The gate that keeps the state: an LSTM's forget gate, a GRU's update gate; None where there is none."""
    kind = known(name)
    return None if kind is None else kind.keeping


def saturates(name: str) -> bool:
    """Whether a unit of that kind can be saturated, which a ReLU cannot: its units die instead."""
    kind = known(name)
    return kind is None or kind.saturates


def is_joint(name: str) -> bool:
    """Whether a norm of the state of that kind is of h and c jointly."""
    kind = known(name)
    return kind is not None and kind.has_c


def has_hidden_weights(name: str) -> bool:
    """Whether a recurrence of that kind has a W_hh, of which lag share and truncation bias are."""
    kind = known(name)
    return kind is None or kind.hidden


def of_layer(seen: TimeLook) -> str:
    """The name of one direction of one recurrent layer: "rnn layer 0", "rnn layer 1 reverse", "cell"."""
    name = seen.module or seen.kind
    if numbered(seen.kind):
        name += f" layer {seen.layer}"
    return f"{name} reverse" if seen.direction == "reverse" else name


def _by_name() -> dict[str, CellKind]:
    """Every kind by its own name, its layer's and its cell's, in capitals; the first of those that share a class."""
    found: dict[str, CellKind] = {}
    for kind in KINDS.values():
        for name in (kind.name, *((kind.layer, f"{kind.layer}Cell") if kind.layer else ())):
            found.setdefault(name.upper(), kind)
    return found


_BY_NAME = _by_name()

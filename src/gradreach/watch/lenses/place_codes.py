"""Whether the code of places that sequences are joined with counts the rows of the batch, and no place.

The first looks alone ask, by short passes over the script's own graph which accumulate into no `.grad`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from math import prod

from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.data import CountedRows
from gradreach.watch.constant_codes import ConstantCodes
from gradreach.watch.graph import Graph
from gradreach.watch.ignored_keys import is_attention
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.lenses.loops import Loops
from gradreach.watch.lenses.recurrent_layers import RecurrentLayers
from gradreach.watch.loss_rows import rows_of
from gradreach.watch.place_codes import FEWEST_PLACES, PlaceCode, counts, is_along_rows, learned_codes
from gradreach.watch.tensors import is_dense, tensors_of

MOST_LOOKS = 4
MOST_STARTS = 3
MOST_CODES = 4
MOST_NUMBERS = 1 << 24
"""Numbers in what a pass begins from, for the memory that it takes: of more nothing is asked."""

MOST_GIVEN = 64


class PlaceCodes(Lens):
    """Finds what counts along an axis of sequences, and whether this is the axis of their rows."""

    after = (Loops, RecurrentLayers)

    asks_the_loss = True

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._constants, self._inside = ConstantCodes(), 0
        self._given: list[Tensor] = []
        self._is_asked = step.carried.get(PlaceCodes, 0) < MOST_LOOKS
        self._found: tuple[CountedRows, ...] = ()

    def entering(self, module: nn.Module) -> None:  # noqa: ARG002
        """Note how deep the calls are."""
        self._inside += 1

    def called(self, call: ModuleCall) -> None:
        """Meet what goes in and out, and keep the numbers that the script itself gives."""
        if not self._is_asked or not call.of_model:
            return
        given = tensors_of(call.args, call.kwargs)
        if self._inside == 1 and len(self._given) < MOST_GIVEN:
            self._given += [x.detach() for x in given if not x.is_floating_point() and is_dense(x)]
        self._constants.meet([*given, *tensors_of(call.output)])

    def ended(self, module: nn.Module) -> None:  # noqa: ARG002
        """Note how deep the calls are."""
        self._inside = max(self._inside - 1, 0)

    def before_backward(self, backward: BackwardPass) -> None:
        """Ask, where a further pass is seen by nobody but us."""
        graph, step = backward.graph, self.step
        self._constants.forget()
        if not self._is_asked or not graph.whole or not step.may_pass_again(backward):
            return
        if not any(map(is_attention, graph.nodes)):
            return
        step.carried[PlaceCodes] = step.carried.get(PlaceCodes, 0) + 1
        codes = [*self._constant_codes(graph), *((code, self._name(code.table)) for code in learned_codes(graph))]
        of_tables = [(code, name) for code, name in codes if self._may_be_of_rows(code, [each for each, _ in codes])]
        if not of_tables:
            return
        starts = [
            (start, shape)
            for start, shape in islice(rows_of(backward.losses, most_axes=4), MOST_STARTS)
            if prod(shape) <= MOST_NUMBERS
        ]
        self._found = tuple(
            self._told(code, name)
            for code, name in of_tables[:MOST_CODES]
            if any(is_along_rows(backward.back, code, start, shape) for start, shape in starts)
        )

    def look(self, look: Look) -> Look:
        """The look's `counted_rows`; none where anything recurs, which tells the places without a code."""
        return replace(look, counted_rows=() if self.step.recurs else self._found)

    def _constant_codes(self, graph: Graph) -> Iterator[tuple[PlaceCode, str]]:
        for node in self._constants.sums(graph):
            module = self.step.spans.module_of(node._sequence_nr())
            code, name = self._constants.code(node, module)
            yield code, f"{self.step.models.path(module)}.{name}" if name and module is not None else ""

    def _name(self, table: Tensor | None) -> str:
        return "" if table is None else self.step.models.parameter_names().get(id(table), "")

    def _may_be_of_rows(self, code: PlaceCode, codes: Sequence[PlaceCode]) -> bool:
        """Whether a code begins a table that is longer than it, by no numbers of the script's own, and no other code
        tells the places that it does not."""
        size, shape = code.shape[code.axis], code.shape[:2]
        if code.table_rows <= size or size < FEWEST_PLACES:
            return False
        if code.ids is not None and any(_has_count(x, size) for x in self._given):
            return False
        return not any(other.shape[:2] == shape and other.axis != code.axis for other in codes)

    def _told(self, code: PlaceCode, table: str) -> CountedRows:
        module = self.step.spans.module_of(code.node._sequence_nr())
        path, kind = ("", "") if module is None else (self.step.models.path(module), type(module).__name__)
        rows, places = code.shape[code.axis], code.shape[1 - code.axis]
        return CountedRows(
            path, kind, table, code.table_rows, rows, places, code.axis,
            is_added=code.is_added, of_ids=code.of_ids, looks_up=code.ids is not None,
        )  # fmt: skip


def _has_count(x: Tensor, size: int) -> bool:
    """Whether numbers count along an axis of this length, at the first places along the others."""
    return any(
        x.shape[axis] == size and counts(x.movedim(axis, -1).reshape(-1, size)[0])
        for axis in range(x.dim())
        if x.numel()
    )

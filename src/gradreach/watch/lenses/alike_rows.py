"""Whether all rows of a batch are one and the same."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from gradreach.record.look import Look
from gradreach.watch.graph import maker
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.loss_rows import rows_of
from gradreach.watch.tensors import is_dense, tensors_of

MOST_TENSORS = 16


class AlikeRows(Lens):
    """Compares the rows of all data that the models of one step are given."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._data: dict[tuple[object, ...], Tensor] = {}
        self._same = 0

    def called(self, call: ModuleCall) -> None:
        """Keep what one call was given of the script's own, until it is known how many rows the loss has."""
        if not call.of_model or len(self._data) >= MOST_TENSORS:
            return
        for x in tensors_of(*call.args, *call.kwargs.values()):
            if maker(x) is None and not x.requires_grad and is_dense(x) and x.dim() and x.numel() > 1:
                self._data.setdefault((x.data_ptr(), x.shape, x.stride(), x.dtype), x.detach())

    def before_backward(self, backward: BackwardPass) -> None:
        """Compare them; positions and states that are 0 at first tell nothing."""
        _, shape = next(rows_of(backward.losses), (None, (0,)))
        telling = [x for x in self._data.values() if len(x) > 1 and not (x.dim() == 1 and len(x) != shape[0])]
        self._data.clear()
        if any(len(x) != shape[0] for x in telling):
            return
        telling = [x for x in telling if bool(x.any())]
        if telling and all(bool((x == x[:1]).all()) for x in telling):
            self._same = int(shape[0])

    def look(self, look: Look) -> Look:
        """The look's `same_rows`."""
        return replace(look, same_rows=self._same)

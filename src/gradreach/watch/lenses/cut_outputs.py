"""What models are given of one another without the graph that leads back to the one that put it out."""

from __future__ import annotations

import weakref
from dataclasses import replace

from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from gradreach.record.look import Look
from gradreach.record.seen.loop import CutOutput
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep
from gradreach.watch.tensors import is_dense_and_real, tensors_of

MOST_OUTPUTS = 64


class CutOutputs(Lens):
    """Follows what the outermost modules put out to the outermost modules that are given it later.

    A tensor without a graph that lies in the memory of an output with one is that output, detached. Memory is told by a
    weak reference to it, so that none is kept and no other tensor is ever taken for it. A look at the very next pass
    goes on from what was put out before this one, for a picture is often painted once for both steps.
    """

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._within: list[int] = []
        number, put_out = step.carried.pop(CutOutputs, (-1, {}))
        self._put_out: dict[int, tuple[StorageWeakRef, weakref.ref[nn.Module]]] = {}
        if number == step.number - 1:
            self._put_out.update(put_out)
        self._given: dict[tuple[int, int], tuple[nn.Module, nn.Module, bool]] = {}

    def entering(self, module: nn.Module) -> None:
        """Note that the module is under way."""
        self._within.append(id(module))

    def ended(self, module: nn.Module) -> None:
        """Note that the module is no longer under way, nor what it called."""
        while self._within and self._within.pop() != id(module):
            pass

    def called(self, call: ModuleCall) -> None:
        """Take in one call of an outermost module: what it was given of others, and what it put out."""
        if len(self._within) != 1 or not call.of_model:
            return
        for tensor in tensors_of(*call.args, *call.kwargs.values()):
            self._take(call.module, tensor)
        for tensor in tensors_of(call.output):
            if tensor.requires_grad and is_dense_and_real(tensor) and len(self._put_out) < MOST_OUTPUTS:
                storage = StorageWeakRef(tensor.untyped_storage())
                self._put_out[storage.cdata] = storage, weakref.ref(call.module)

    def look(self, look: Look) -> Look:
        """The look's `cut_outputs`."""
        self.step.carried[CutOutputs] = self.step.number, self._put_out
        path = self.step.models.path
        cut = (CutOutput(path(source), path(judge)) for source, judge, is_cut in self._given.values() if is_cut)
        return replace(look, cut_outputs=tuple(dict.fromkeys(cut)))

    def _take(self, judge: nn.Module, tensor: Tensor) -> None:
        if not is_dense_and_real(tensor):
            return
        storage, put_out_by = self._put_out.get(tensor.untyped_storage()._cdata, (None, None))
        source = put_out_by() if put_out_by is not None else None
        if storage is None or storage.expired() or source is None or source is judge:
            return
        key = (id(source), id(judge))
        _, _, is_cut = self._given.get(key, (source, judge, True))
        self._given[key] = source, judge, is_cut and not tensor.requires_grad

"""Where the parameters of a training lie."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from gradreach.engine.norms import is_sharded
from gradreach.record.sinks.recorder import Recorder


def tell_layout(recorder: Recorder, leaves: Sequence[Tensor]) -> None:
    """Tell of the device that the leaves of a backward pass lie on, and of leaves that are sharded."""
    for leaf in leaves[:1]:
        recorder.device(leaf.device.type)
    if any(is_sharded(leaf) for leaf in leaves):
        recorder.note("Parameters are sharded over ranks: norms are of this rank's shards alone.")

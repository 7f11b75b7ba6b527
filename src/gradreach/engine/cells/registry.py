"""Every kind of cell whose mathematics is written out, by name and by the modules that compute it."""

from __future__ import annotations

from functools import cache

from torch import nn

from gradreach.engine.cells.cell import StockCell
from gradreach.record.members import from_others, in_folder, warn


@cache
def cells() -> dict[str, StockCell]:
    """The kinds by name: those of this folder, then those of other packages, by the entry points `gradreach.cells`.

    What another package offers is left out with a warning where it cannot be loaded or takes a name that is taken.
    """
    found = {cell.name: cell for cell in in_folder("gradreach.engine.cells", StockCell)}
    for package, cell in from_others("gradreach.cells", StockCell):
        if cell.name in found:
            warn(f"{cell.name} of {package} is left out: expected a new name, got one that is taken.")
        else:
            found[cell.name] = cell
    return found


def cell_of(module: nn.Module) -> StockCell:
    """The kind that a recurrent layer or cell of torch.nn or gr.nn computes; TypeError for any other module."""
    if isinstance(module, nn.RNNBase):
        found = cells().get(module.mode)
    else:
        found = next((cell for cell in cells().values() if _is_step_of(module, cell)), None)
    if found is None:
        raise TypeError(f"module: expected a stock recurrent layer or cell, got {type(module).__name__}")
    return found


def _is_step_of(module: nn.Module, cell: StockCell) -> bool:
    same = cell.step is not None and isinstance(module, cell.step)
    return same and getattr(module, "nonlinearity", "") == cell.nonlinearity

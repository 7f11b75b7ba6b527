"""Another recurrent layer in the place of a model's own, by name, with the script around it left as it is.

The new layer is a plain torch.nn (or gr.nn) layer. Where the script handles the state of another kind, two hooks stand
between (see `swap_state`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from gradreach.engine.cells.registry import cell_of, cells
from gradreach.remedies.layers import layers as ours
from gradreach.remedies.layers.swap_optimizer import exchange, warn_of_optimizers_with
from gradreach.remedies.layers.swap_state import adapt

_OTHERS: dict[str, Any] = {cells()[name].family: layer for name, layer in ours.OTHERS.items()}
_TORCHS: dict[str, Any] = {cell.family: cell.layer for cell in cells().values() if cell.layer is not None}
_STOCK = _TORCHS | _OTHERS
_OURS: dict[str, Any] = {family: getattr(ours, layer.__name__) for family, layer in _TORCHS.items()} | _OTHERS
_STEPS: dict[str, Any] = {cell.family: cell.step for cell in cells().values() if cell.step is not None}
_NAMES = ", ".join(map(repr, _STOCK))


def swap(
    model: nn.Module,
    name: str,
    to: str | nn.Module | Callable[..., nn.Module],
    *,
    optimizer: Optimizer | None = None,
    **options: Any,
) -> nn.Module:
    """Put another recurrent layer in the place of the one at the dotted `name`; returns the new one.

    `to` is "rnn", "gru" or "lstm": a layer of torch.nn, or a cell in a cell's place, with the old one's sizes, layers,
    directions, bias, batch_first, dropout, dtype, device and training mode; with further `options` (orthogonal=True,
    skip=8, …) the gr.nn layer of that kind, with nonlinearity= that of an RNN. Or "mingru" or "minlstm", gr.nn's
    layer of a kind that torch has none of, for a layer and not for a cell. Or a factory, called with those arguments as
    torch.nn's layers are; or a layer of one's own that fits.

    The weights are new, drawn by the layer itself from torch's generator, and train, frozen or not as the old were;
    where `to` names the kind that was there they are the old ones, with nothing drawn and what was frozen frozen
    (unless init= or forget_bias= is given). A forward pass and a state keep their form:

    - an LSTM after an RNN or GRU takes and returns h, a tensor that carries c along (see `JointState`): h.detach(),
      h.data, h[:, rows], h * mask and the way back into the layer lose nothing. An h without c, as zeros made by the
      script or Variable(h), starts with c = 0; where it is not 0 a warning says so once.
    - an RNN or GRU after an LSTM takes and returns a pair (h, h); only the first of what it is given counts.

    Hooks and parametrizations of the old layer are gone with it. An optimizer holds the old weights: make it after the
    swap, or give it here, and the new weights take the places of the old ones of their names in its groups, without
    any state. One that is left with the old weights is warned of at its first step. A compiled model is swapped in by
    the names that it had before.

    >>> import torch, gradreach as gr
    >>> model = torch.nn.ModuleDict({"rnn": torch.nn.RNN(8, 16), "head": torch.nn.Linear(16, 2)})
    >>> gr.swap(model, "rnn", "lstm")
    LSTM(8, 16)
    >>> output, h = model["rnn"](torch.zeros(5, 4, 8), torch.zeros(1, 4, 16))
    >>> output, h = model["rnn"](torch.zeros(5, 4, 8), h.detach())
    >>> model["head"](h[-1]).shape
    torch.Size([4, 2])

    Raises ValueError for a name that is none of a recurrent layer's (it lists those), another kind, a projecting LSTM
    in exchange for a kind that cannot project, a layer that does not fit or is compiled by itself, or an optimizer
    without the old weights; TypeError for options that the new layer does not take, or a size or form of the old one's
    among them, and for a model, `to` or optimizer that is none.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected an nn.Module with the recurrent layer inside, got {type(model).__name__}")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer: expected a torch.optim.Optimizer, got {type(optimizer).__name__}")
    old = _found(model, name)
    new = _made(old, name, to, options)
    _check_fits(old, new, name)
    new.train(old.training)
    if optimizer is not None:
        exchange(optimizer, old, new, name)
    adapt(old, new)
    for place, module in list(model.named_modules(remove_duplicate=False)):
        if module is old:
            parent, _, child = place.rpartition(".")
            setattr(model.get_submodule(parent), child, new)
    warn_of_optimizers_with(old, name)
    return new


def _found(model: nn.Module, name: str) -> Any:
    known = {
        _uncompiled(path): (path, module)
        for path, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, nn.RNNBase | nn.RNNCellBase)
    }
    if "" in known:
        raise ValueError(
            "model: expected one with a recurrent layer inside, got the layer itself; make the other kind instead"
        )
    path, layer = known.get(_uncompiled(str(name)), (None, None))
    if path is None:
        listed = ", ".join(f"{place} ({cell_of(module).family})" for place, (_, module) in known.items()) or "none"
        raise ValueError(
            f"name: expected that of a recurrent layer, got {name!r}; the model's recurrent layers: {listed}"
        )
    if path.endswith("_orig_mod"):
        raise ValueError(
            f"name: expected a layer that is not compiled by itself, got {name!r}; compile it after the swap"
        )
    return layer


def _uncompiled(path: str) -> str:
    return ".".join(part for part in path.split(".") if part != "_orig_mod")


def _made(old: Any, name: str, to: Any, options: dict[str, Any]) -> nn.Module:
    if not isinstance(to, str):
        _check_recurrent(to)
    if isinstance(to, nn.Module):
        if options:
            raise TypeError(
                f"{next(iter(options))}: expected no options with a layer that is made already; give them to its class"
            )
        return to
    arguments = _arguments(old)
    kept = options.keys() & {*arguments, "proj_size"}
    if kept:
        raise TypeError(
            f"{min(kept)}: expected no such option, for that of {name} is kept; for another give a layer made already"
        )
    if not isinstance(to, str):
        new: Any = to(**arguments, **options)
        if not isinstance(new, nn.Module):
            raise TypeError(f"to: expected a factory of an nn.Module, got one that gives {type(new).__name__}")
        _check_recurrent(new)
    elif to not in _STOCK:
        raise ValueError(f"to: expected {_NAMES}, a layer or a factory of one, got {to!r}")
    else:
        new = _of_family(old, name, to, arguments, options)
    if hasattr(new, "dropout") and isinstance(old, nn.RNNBase):
        new.dropout = old.dropout
    return new  # type: ignore[no-any-return]


def _arguments(old: Any) -> dict[str, Any]:
    like = next(old.parameters())
    shared = {"bias": old.bias, "device": like.device, "dtype": like.dtype}
    sizes = {"input_size": old.input_size, "hidden_size": old.hidden_size}
    if not isinstance(old, nn.RNNBase):
        return sizes | shared
    dropout = old.dropout if old.num_layers > 1 else 0.0  # one layer has nowhere to drop, and torch would say so again
    rest = {"num_layers": old.num_layers, "batch_first": old.batch_first, "bidirectional": old.bidirectional}
    return sizes | rest | {"dropout": dropout} | shared


def _of_family(old: Any, name: str, to: str, arguments: dict[str, Any], options: dict[str, Any]) -> nn.Module:
    same = to == cell_of(old).family
    if same and cell_of(old).nonlinearity:
        options = {"nonlinearity": old.nonlinearity} | options
    if getattr(old, "proj_size", 0):
        if to != "lstm":
            raise ValueError(f"to: expected 'lstm' for {name}, which projects, got {to!r}; give a layer of your own")
        arguments["proj_size"] = old.proj_size
    torchs = [cell.nonlinearity for cell in cells().values() if cell.family == to and cell.kernel is not None]
    plain = not options or (set(options) == {"nonlinearity"} and options["nonlinearity"] in torchs)
    if not isinstance(old, nn.RNNBase) and not plain:
        raise TypeError(
            f"{next(iter(options))}: expected no remedies for {name}, a cell; the layers of gr.nn have them"
        )
    if not isinstance(old, nn.RNNBase) and to not in _STEPS:
        raise ValueError(f"to: expected one of {', '.join(map(repr, _STEPS))} for {name}, a cell, got {to!r}")
    kinds = _STEPS if not isinstance(old, nn.RNNBase) else _STOCK if plain else _OURS
    if not same or {"init", "forget_bias"} & set(options):
        return kinds[to](**arguments, **options)  # type: ignore[no-any-return]
    device = arguments.pop("device")
    with torch.random.fork_rng(devices=[]):  # what is drawn is overwritten: on the CPU, whose state is put back
        new: nn.Module = kinds[to](**arguments, **options).to(device)
    for own, parameter in new.named_parameters():
        weight = getattr(old, own, None)
        if weight is not None:
            parameter.detach().copy_(weight.detach())
            parameter.requires_grad_(weight.requires_grad)
    return new


def _check_recurrent(given: Any) -> None:
    """That `to`, or what it gave, may be a recurrent layer or a factory of one: none of torch.nn's other modules is."""
    kind = given if isinstance(given, type) else type(given)
    of_torch = issubclass(kind, nn.Module) and kind.__module__.startswith("torch.nn.modules")
    recurrent = issubclass(kind, nn.RNNBase | nn.RNNCellBase | nn.Sequential)
    if not callable(given) or (of_torch and not recurrent):
        raise TypeError(
            f"to: expected {_NAMES}, a recurrent layer, called as layer(input, state), or a factory of one, "
            f"got {given!r}"
        )


def _check_fits(old: Any, new: Any, name: str) -> None:
    if not isinstance(new, nn.RNNBase | nn.RNNCellBase):
        return
    if isinstance(new, nn.RNNBase) != isinstance(old, nn.RNNBase):
        expected = "a layer" if isinstance(old, nn.RNNBase) else "a cell"
        raise ValueError(
            f"to: expected {expected} in the place of {name}, got {type(new).__name__}; make it of that form"
        )
    wanted, came = _form(old), _form(new)
    if not (isinstance(new, nn.RNNBase) and cell_of(new).carries_c):
        came["proj_size"] = wanted["proj_size"]
    for size in wanted:
        if wanted[size] != came[size]:
            raise ValueError(
                f"to: expected {size}={wanted[size]}, as {name} has, got {came[size]}; make it with the same sizes"
            )


def _form(layer: Any) -> dict[str, Any]:
    sizes = ("input_size", "num_layers", "bidirectional", "batch_first", "proj_size")
    return {"hidden_size": getattr(layer, "proj_size", 0) or layer.hidden_size} | {
        size: getattr(layer, size, 0) for size in sizes
    }

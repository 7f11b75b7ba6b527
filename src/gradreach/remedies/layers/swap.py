"""Another recurrent layer in the place of a model's own, by name, with the script around it left as it is.

The new layer is a plain torch.nn (or gr.nn) layer. Where the script handles the state of another kind, two hooks
stand between: for code that knows h alone an LSTM's state travels as a `JointState`, a tensor that is h and carries c;
for code that knows (h, c) a GRU's or RNN's state is h twice, and of what comes back the first is taken.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from gradreach.remedies.layers import layers as ours
from gradreach.remedies.layers.joint_state import JointState

_STOCK: dict[str, Any] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
_OURS: dict[str, Any] = {"rnn": ours.RNN, "gru": ours.GRU, "lstm": ours.LSTM}
_CELLS: dict[str, Any] = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}
_swapped_out: dict[int, tuple[weakref.ref[Tensor], str]] = {}
"""Weights of layers that gave their place away, by id, with the place's name."""


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
    skip=8, …) the gr.nn layer of that kind, with nonlinearity= that of an RNN. Or a factory, called with those
    arguments as torch.nn's layers are; or a layer of one's own that fits.

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
        _exchange(optimizer, old, new, name)
    _adapt(old, new)
    for place, module in list(model.named_modules(remove_duplicate=False)):
        if module is old:
            parent, _, child = place.rpartition(".")
            setattr(model.get_submodule(parent), child, new)
    _warn_of_optimizers_with(old, name)
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
        listed = ", ".join(f"{place} ({_kind(module)})" for place, (_, module) in known.items()) or "none"
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


def _kind(layer: Any) -> str:
    return (
        "lstm"
        if isinstance(layer, nn.LSTM | nn.LSTMCell)
        else "gru"
        if isinstance(layer, nn.GRU | nn.GRUCell)
        else "rnn"
    )


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
        raise ValueError(f"to: expected 'rnn', 'gru', 'lstm', a layer or a factory of one, got {to!r}")
    else:
        new = _of_kind(old, name, to, arguments, options)
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


def _of_kind(old: Any, name: str, to: str, arguments: dict[str, Any], options: dict[str, Any]) -> nn.Module:
    same = to == _kind(old)
    if to == "rnn" and same:
        options = {"nonlinearity": old.nonlinearity} | options
    if getattr(old, "proj_size", 0):
        if to != "lstm":
            raise ValueError(f"to: expected 'lstm' for {name}, which projects, got {to!r}; give a layer of your own")
        arguments["proj_size"] = old.proj_size
    plain = not options or (to == "rnn" and set(options) == {"nonlinearity"} and options["nonlinearity"] != "sigmoid")
    if not isinstance(old, nn.RNNBase) and not plain:
        raise TypeError(
            f"{next(iter(options))}: expected no remedies for {name}, a cell; the layers of gr.nn have them"
        )
    kinds = _CELLS if not isinstance(old, nn.RNNBase) else _STOCK if plain else _OURS
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
            "to: expected 'rnn', 'gru', 'lstm', a recurrent layer, called as layer(input, state), or a factory of one, "
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
    if not isinstance(new, nn.LSTM):
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


def _adapt(old: Any, new: Any) -> None:
    """Let the new layer take and return the state as the script around the old one knows it."""
    if not isinstance(new, nn.RNNBase | nn.RNNCellBase):
        return
    hooks = old._forward_pre_hooks.values()
    pair = (_kind(old) == "lstm" and _take_h not in hooks) or _take_pair in hooks
    if pair and _kind(new) != "lstm":
        new.register_forward_pre_hook(_take_pair, with_kwargs=True)
        new.register_forward_hook(_give_pair)
    elif not pair and _kind(new) == "lstm":
        new.register_forward_pre_hook(_take_h, with_kwargs=True)
        new.register_forward_hook(_give_h)


def _take_h(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return _with_state(args, kwargs, lambda hx: _pair_of(hx, layer) if isinstance(hx, Tensor) else hx)


def _give_h(_: nn.Module, __: Any, returned: Any) -> Any:
    y, state = returned
    return JointState.of(y, state) if isinstance(state, Tensor) else (y, JointState.of(*state))


def _take_pair(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return _with_state(args, kwargs, lambda hx: hx if isinstance(hx, Tensor) else hx[0])


def _give_pair(_: nn.Module, __: Any, returned: Any) -> Any:
    return (returned, returned) if isinstance(returned, Tensor) else (returned[0], (returned[1], returned[1]))


def _with_state(args: tuple[Any, ...], kwargs: dict[str, Any], change: Callable[[Any], Any]) -> Any:
    """The arguments of a call with its state, where there is one, changed."""
    if len(args) > 1 and args[1] is not None:
        return (args[0], change(args[1]), *args[2:]), kwargs
    if kwargs.get("hx") is not None:
        return args, kwargs | {"hx": change(kwargs["hx"])}
    return None


def _pair_of(hx: Tensor, layer: nn.Module) -> tuple[Tensor, Tensor]:
    if isinstance(hx, JointState):
        return hx.h, hx.c
    if not layer.__dict__.get("_warned_of_h") and bool(hx.detach().any()):
        layer.__dict__["_warned_of_h"] = True
        warnings.warn(
            "gradreach.swap: the LSTM was given an h that carries no c, and starts with c = 0. That is right for an h "
            "from elsewhere, as an encoder's; where it is the layer's own, hand on the state that the layer returned",
            stacklevel=2,
        )
    return hx, torch.zeros_like(hx)


def _exchange(optimizer: Optimizer, old: nn.Module, new: nn.Module, name: str) -> None:
    """Put the new weights into the groups of the optimizer, each in the place of the old one of its name."""
    before = {id(p): _plain(own) for own, p in old.named_parameters()}
    after = dict(new.named_parameters())
    added = [(p, f"{name}.{own}") for own, p in after.items() if own not in before.values()]
    groups = [group for group in optimizer.param_groups if any(id(p) in before for p in group["params"])]
    if not groups:
        raise ValueError(
            f"optimizer: expected one that trains {name}, got one without its weights; give the one that has them"
        )
    for group in groups:
        named = list(zip(group["params"], group.get("param_names", group["params"]), strict=True))
        kept = [(after.get(before[id(p)]) if id(p) in before else p, own) for p, own in named]
        kept = [(p, own) for p, own in kept if p is not None] + added
        group["params"][:] = [p for p, _ in kept]  # in place: LBFGS keeps the list
        if "param_names" in group:
            group["param_names"] = [own for _, own in kept]
        added = []
    for parameter in old.parameters():
        optimizer.state.pop(parameter, None)


def _plain(own: str) -> str:
    """weight_hh_l0 of parametrizations.weight_hh_l0.original."""
    return own.split(".")[1] if own.startswith("parametrizations.") else own


@cache
def _watch_optimizers() -> None:
    register_optimizer_step_pre_hook(_before_step)


def _before_step(optimizer: Optimizer, *_: Any) -> None:
    for key in [key for key, (weight, _) in _swapped_out.items() if weight() is None]:
        del _swapped_out[key]
    stale = {
        _swapped_out[id(p)][1] for group in optimizer.param_groups for p in group["params"] if id(p) in _swapped_out
    }
    if stale:
        _swapped_out.clear()
        warnings.warn(
            f"gradreach.swap: {type(optimizer).__name__} still holds the weights that {', '.join(sorted(stale))} had "
            "before the swap, so the new ones do not learn; make it after the swap, or swap with optimizer=",
            stacklevel=2,
        )


def _warn_of_optimizers_with(old: nn.Module, name: str) -> None:
    _watch_optimizers()
    _swapped_out.update({id(p): (weakref.ref(p), name) for p in old.parameters()})


# what a whole model is saved with: torch.load(weights_only=True) asks for it
torch.serialization.add_safe_globals([_take_h, _give_h, _take_pair, _give_pair])

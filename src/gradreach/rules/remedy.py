"""Remedies that several rules name, written with the script's own modules, parameters and sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradreach.facts.course import root_of
from gradreach.facts.legacy_dependency import Asked, of_stack
from gradreach.record.kinds import numbered
from gradreach.record.schema import DepthLook, Record, Remedy, TimeLook


def expression(path: str) -> str:
    """A dotted path as Python: `model.0.weight` reads `model[0].weight`."""
    head, *rest = path.split(".")
    return (head or "layer") + "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in rest)


def parameter(name: str, module: str, kind: str, layer: int | None, direction: str | None) -> str:
    """`name` (weight_hh, bias_hh …) of one layer and direction as the module itself calls it, in Python.

    Empty for kinds of whose parameters nothing is known.
    """
    if kind in ("RNNCell", "GRUCell", "LSTMCell"):
        return f"{expression(module)}.{name}"
    if not numbered(kind):
        return ""
    return f"{expression(module)}.{name}_l{layer or 0}{'_reverse' if direction == 'reverse' else ''}"


def gates(kind: str) -> int:
    """Gates whose weights share one matrix, block under block: 4 for an LSTM, 3 for a GRU, else 1."""
    return 4 if kind.upper().startswith("LSTM") else 3 if kind.upper().startswith("GRU") else 1


def orthogonal(module: str, kind: str, layer: int | None, direction: str | None) -> Remedy:
    """Start W_hh orthogonal, each gate's own block where there are several."""
    weight = parameter("weight_hh", module, kind, layer, direction)
    if not weight:
        do = f"nn.init.orthogonal_(W)  # W: the matrix of `{module or kind}` that multiplies the state"
    elif gates(kind) > 1:
        do = f"for W in {weight}.data.chunk({gates(kind)}): nn.init.orthogonal_(W)"
    else:
        do = f"nn.init.orthogonal_({weight})"
    return Remedy("orthogonal", do, "‖W_hh‖₂ = 1 in every direction: only the activation's slope shrinks the gradient")


def longer_reach(record: Record, seen: TimeLook) -> tuple[Remedy, ...]:
    """What lengthens a layer's reach: for gates a memory held open, else W_hh kept from shrinking, or gates."""
    held_open = _held_open(seen)
    if held_open is not None:
        return (held_open,)
    straight = orthogonal(seen.module, seen.kind, seen.layer, seen.direction)
    stock = numbered(seen.kind) or seen.kind == "RNNCell"
    return (straight, _gated(record, seen)) if stock else (straight,)


def as_far_as(record: Record, asked: Asked, lag: int) -> tuple[Remedy, ...]:
    """What lets the gradient at the place of a test come from `lag` steps back."""
    layers = [looks[-1] for looks in asked.reach.layers]
    recurrent = [seen for seen in layers if isinstance(seen, TimeLook)]
    if not recurrent:
        do = f"dilation = 2 ** layer  # in `{asked.dependency.module}` and below, until {lag} steps are covered"
        return (Remedy("receptive-field", do, "or attention over all steps: a direct way from there to here"),)
    own = [seen for seen in recurrent if of_stack(seen.module, asked.dependency.module)] or recurrent
    farthest = max(own, key=lambda seen: seen.horizon)
    return *_remembering(farthest, lag), *longer_reach(record, farthest)


def _remembering(seen: TimeLook, lag: int) -> tuple[Remedy, ...]:
    """Gates that start with time constants up to a lag; `gr.init` sets those of all layers of a module."""
    if gates(seen.kind) == 1 or not parameter("bias_hh", seen.module, seen.kind, 0, "forward"):
        return ()
    do = f"gr.init.chrono_({expression(seen.module)}, t_max={max(lag + 1, 3)})"
    do += "  # import gradreach as gr; before training"
    return (Remedy("chrono-start", do, f"gates that hold the state for up to {lag} steps, from the start"),)


def carried_back(chunk: int, lag: int) -> Remedy:
    """Truncated BPTT whose gradient goes back over the lag from every step of a chunk, in whole chunks."""
    k2 = chunk * (1 + math.ceil(lag / chunk))
    do = (
        f"for window in gr.tbptt(x, y, k1={chunk}, k2={k2}, state=state, step=model):  # gr: gradreach\n"
        "    loss_fn(window.output, window.y).backward()\n"
        "    optimizer.step(); optimizer.zero_grad()\n"
        "state = window.carry  # for the batch that follows"
    )
    why = f"as many updates as now, each carried {k2} steps back; time and memory grow by {k2 // chunk} times"
    return Remedy("longer-window", do, why)


def _held_open(seen: TimeLook) -> Remedy | None:
    """The forget gate of an LSTM, second of its blocks (i, f, g, o), or the update gate of a GRU (r, z, n)."""
    bias = parameter("bias_hh", seen.module, seen.kind, seen.layer, seen.direction)
    if not bias or gates(seen.kind) == 1:
        return None
    gate = "forget" if gates(seen.kind) == 4 else "update"
    do = f"{bias}.data.chunk({gates(seen.kind)})[1].fill_(1.0)  # the {gate} gate, before training"
    return Remedy(f"{gate}-bias", do, f"an open {gate} gate lets state and gradient pass nearly whole from the start")


def _gated(record: Record, seen: TimeLook) -> Remedy:
    """An LSTM of the same sizes in the module's place, whose state the code around it can handle as before."""
    root, why = root_of(record, seen.module), "c_t carries the gradient by a sum, not a product; four times the weights"
    inside = seen.module.removeprefix(root).removeprefix(".")
    if inside:
        do = f'gr.swap({expression(root)}, "{inside}", "lstm")  # import gradreach as gr; before the optimizer is made'
        return Remedy("gated-cell", do, why)
    name, kind = expression(seen.module), "nn.LSTM" if numbered(seen.kind) else "nn.LSTMCell"
    sizes = f"{name}.input_size, {name}.hidden_size"
    return Remedy(
        "gated-cell", f"{name} = {kind}({sizes})  # and further arguments as before; its state is (h, c)", why
    )


def smaller_sums(seen: TimeLook) -> tuple[Remedy, ...]:
    """What makes a_t smaller: its input, which in an upper layer is bounded anyway, and the weights."""
    weight = parameter("weight_ih", seen.module, seen.kind, seen.layer, seen.direction)
    first = scale_input(seen.module or seen.kind)
    if seen.layer and weight:
        first = Remedy("initial-scale", f"nn.init.xavier_uniform_({weight})", "weights of this size keep a_t near 1")
    return first, orthogonal(seen.module, seen.kind, seen.layer, seen.direction)


def scale_input(module: str) -> Remedy:
    """Inputs of mean 0 and deviation 1."""
    return Remedy(
        "scale-input",
        f"x = (x - x.mean()) / x.std()  # what goes into `{module}`",
        "inputs of size 1 keep the sums where the activation has slope",
    )


def clip(record: Record, site: int, threshold: str, why: str) -> Remedy:
    """Clip the global norm of the model that a site's backward pass goes through, where it is a single one."""
    modules = {seen.module for look in record.looks if look.site == site for seen in look.depth}
    roots = {root_of(record, module) for module in modules}
    roots = roots or set(record.models)
    what, note = "parameters", "  # those that step() changes; between backward() and step()"
    if len(roots) == 1:
        what, note = f"{expression(min(roots))}.parameters()", "  # between backward() and step()"
    return Remedy("clip", f"torch.nn.utils.clip_grad_norm_({what}, {threshold}){note}", why)


def start(weight: str, activation: str) -> str:
    """The initial weights that neither shrink nor stretch a signal before that activation."""
    if activation in ("tanh", "sigmoid"):
        return f"nn.init.xavier_normal_({weight}, gain={'5 / 3' if activation == 'tanh' else '4'})"
    return f"nn.init.kaiming_normal_({weight}, nonlinearity='relu')"


def initial_scale(layers: Sequence[DepthLook], root: str, activations: Sequence[str]) -> Remedy:
    """Initial weights of the right scale: of one layer, or of all layers of the kinds named."""
    activation = max(activations, key=activations.count, default="relu")
    why = "weights of this size neither shrink nor stretch signal and gradient from layer to layer"
    if len(layers) == 1:
        return Remedy("initial-scale", start(f"{expression(layers[0].module)}.weight", activation), why)
    kinds = sorted({f"nn.{seen.kind}" for seen in layers})
    kind = kinds[0] if len(kinds) == 1 else f"({', '.join(kinds)})"
    do = f"for m in {expression(root)}.modules():\n    if isinstance(m, {kind}): {start('m.weight', activation)}"
    return Remedy("initial-scale", do, why)


def normalise(seen: DepthLook) -> Remedy:
    """Normalisation behind a layer with weights."""
    width = seen.units or "width"
    do = f"nn.GroupNorm(1, {width})" if "Conv" in seen.kind else f"nn.LayerNorm({width})"
    why = "sets each layer's scale anew, forward and back"
    return Remedy("layer-norm", f"{do}  # before the activation that follows `{seen.module}`, and so on", why)


def residual(seen: DepthLook) -> Remedy:
    """A sum around a layer."""
    do = f"x = x + {expression(seen.module)}(x)  # and so on, wherever the width stays"
    return Remedy("residual", do, "the sum hands the gradient on whole, whatever the layer does to it")

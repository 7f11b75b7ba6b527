"""Where the first non-finite value of a step came from: the graph is read, and what it cannot tell is run again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType

from torch import Tensor, nn

from gradreach.engine.norms import is_sharded, local
from gradreach.record.nonfinite import Cause, Phase
from gradreach.record.schema import NonFinite
from gradreach.watch.graph import walk
from gradreach.watch.models import Models
from gradreach.watch.nonfinite import source_lines
from gradreach.watch.nonfinite.call_replay import CallReplay, Origin
from gradreach.watch.nonfinite.divided import divided
from gradreach.watch.nonfinite.graph_reading import IsReturned, Reading, nodes_of, read
from gradreach.watch.nonfinite.kept_calls import Generators, KeptCall, returned_by
from gradreach.watch.nonfinite.landmarks import Landmarks
from gradreach.watch.nonfinite.operations import Ground, key_of, plain_word
from gradreach.watch.nonfinite.singular_points import SAVED
from gradreach.watch.nonfinite.source_lines import SourceLine
from gradreach.watch.nonfinite.spoiled_weights import why_spoiled
from gradreach.watch.nonfinite.values import first_bad, is_mask, readable, told, value_of
from gradreach.watch.tensors import tensors_of

MEMORY = 1e15
"""Weights from this size on are no start, but what lay in memory that nothing has initialised."""

ANOTHER = "the model gave another output when it was run again, so where in it the value arose cannot be told"


@dataclass(frozen=True, slots=True)
class Scene:
    """A step that went wrong: its root calls, all of them where it `is_complete`, its losses, the frame that called
    backward, what tells which nodes the models returned, and the step and site numbers."""

    step: int
    site: int
    models: Models
    calls: Sequence[KeptCall]
    is_complete: bool
    losses: Sequence[Tensor]
    frame: FrameType | None
    returned: IsReturned

    def found(self, phase: Phase, ground: Ground | None = None, line: SourceLine | None = None) -> NonFinite:
        """What there is to say once the phase is known, and why."""
        told = NonFinite(self.step, self.site, phase, value_of(self.losses) or "nan")
        if ground is not None:
            told = replace(
                told, value=ground.value, operation=ground.operation, cause=ground.cause, argument=ground.argument,
                index=ground.index, shape=ground.shape, replayed=True,
            )  # fmt: skip
        return told if line is None else replace(told, source=line.source, code=line.code)

    @property
    def may_run_again(self) -> bool:
        """Whether the root calls can be run again as they were."""
        whole = bool(self.calls) and self.is_complete and all(call.is_untouched() for call in self.calls)
        return whole and not any(is_sharded(p) for p in self.models.parameters())


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What the whole graph of a loss that is not finite shows before the script's backward pass uses it up: `outside`
    of the models, and over `all` of it. None where it shows nothing."""

    outside: Reading | None
    all: Reading | None

    @staticmethod
    def of(losses: Sequence[Tensor], returned: IsReturned) -> Glimpse:
        """Read the graph; nothing is computed that the graph could notice."""
        return Glimpse(read(losses, returned), read(losses))


def of_loss(scene: Scene, seen: Glimpse) -> NonFinite:
    """Where a loss that is not finite came from.

    It is looked for in the order in which a step computes: inputs, weights, forward passes, and what stands between
    them and the loss, which the graph has shown.
    """
    found = _in_parameters(scene)
    if found is not None:
        return found
    if not scene.may_run_again:
        return _in_inputs(scene) or _between(scene, seen.all)
    with _undisturbed([kept.root for kept in scene.calls]):
        for kept in scene.calls:
            replay, why = _replayed(scene, kept)
            origin = replay.forward_origin() if replay is not None else None
            if replay is None or replay.is_same() is False:
                return replace(_between(scene, seen.all), detail=why or ANOTHER)
            if origin is not None:
                return _in_forward(scene, replay, origin, seen)
    return _between(scene, seen.outside or seen.all)


def of_gradient(scene: Scene, landmarks: Landmarks) -> NonFinite:
    """Where a gradient that is not finite came from, of a finite loss; the pass is over."""
    for mark in landmarks.kept:
        singular = mark.ground()
        if singular is not None:
            return scene.found("backward", singular, _line_between(mark.name, scene))
    if not scene.may_run_again:
        return _in_inputs(scene) or _from_gradients(scene)
    with _undisturbed([kept.root for kept in scene.calls]):
        for kept in reversed(scene.calls):
            replay, why = _replayed(scene, kept)
            if replay is None or replay.is_same() is False:
                return _in_inputs(scene) or replace(_from_gradients(scene), detail=why or ANOTHER)
            origin = replay.backward_origin()
            if origin is not None:
                came_in = None if origin.ground.cause else _in_inputs(scene, masks=True)
                return came_in or _on_the_way_back(scene, replay, origin)
    return _in_inputs(scene) or _by_elimination(scene)


def _on_the_way_back(scene: Scene, replay: CallReplay, origin: Origin) -> NonFinite:
    place = replay.place(origin)
    found = scene.found("backward", origin.ground, origin.line)
    return replace(found, module=place.module, time_step=place.time_step)


def _replayed(scene: Scene, kept: KeptCall) -> tuple[CallReplay | None, str]:
    replay = CallReplay(scene.models, kept)
    try:
        replay.run()
    except Exception as error:
        return None, f"the model could not be run again: {error}"
    return replay, ""


def _in_inputs(scene: Scene, *, masks: bool = False) -> NonFinite | None:
    """A root's input that no model computed; one that holds no more than −∞ only where it may be no mask."""
    for number, kept in enumerate(scene.calls):
        for argument, tree in enumerate((*kept.args, *kept.kwargs.values())):
            for tensor in tensors_of(tree):
                bad = value_of([tensor]) and (masks or not is_mask(tensor))
                if bad and not kept.has_computed(tensor) and not returned_by(scene.calls[:number], tensor):
                    return _input(scene, kept, argument, tensor)
    return None


def _input(scene: Scene, kept: KeptCall, argument: int, tensor: Tensor) -> NonFinite:
    plain = readable(tensor)
    assert plain is not None
    is_criterion = next(kept.root.parameters(), None) is None and argument > 0
    index, path = first_bad(plain) or (), scene.models.path(kept.root)
    came_in: tuple[Cause, str] = ("targets", "") if is_criterion else divided(plain)
    ground = Ground("", came_in[0], value_of([tensor]) or "nan", came_in[1], index, tuple(tensor.shape))
    detail = f"argument {argument} of {path}, shape {tuple(tensor.shape)}, first at index {index}"
    return replace(scene.found("input", ground), module=path, detail=detail)


def _in_parameters(scene: Scene) -> NonFinite | None:
    names = scene.models.parameter_names()
    leaves = [leaf for leaf in walk(scene.losses).leaves if id(leaf) not in names]
    for parameter in (*scene.models.parameters(), *leaves):
        if value_of([parameter]):
            name = names.get(id(parameter), "a leaf of the graph")
            ground, detail = why_spoiled(parameter)
            if not scene.step:
                ground, detail = replace(ground, operation="", cause="initial weights", argument=""), ""
            found = scene.found("parameters", ground)
            return replace(found, module=name.rpartition(".")[0], operation=name, detail=detail)
    return None if scene.step else _never_initialised(scene, names)


def _never_initialised(scene: Scene, names: Mapping[int, str]) -> NonFinite | None:
    """The parameter with the largest numbers before any update, where no start would draw such."""
    sizes = {names.get(id(p), ""): _largest(p) for p in scene.models.parameters()}
    name = max(sizes, key=sizes.__getitem__, default="")
    if not sizes or sizes[name] < MEMORY:
        return None
    ground = Ground("", "initial weights", value_of(scene.losses) or "nan", f"values up to {told(sizes[name])}")
    return replace(scene.found("forward", ground), module=name.rpartition(".")[0], operation=name)


def _largest(parameter: Tensor) -> float:
    plain = readable(local(parameter))
    return 0.0 if plain is None else float(plain.abs().max())


def _in_forward(scene: Scene, replay: CallReplay, origin: Origin, seen: Glimpse) -> NonFinite:
    if origin.given is not None:
        return _in_inputs(scene) or _between(scene, seen.outside or seen.all)
    if origin.ground.cause in ("", "zero times infinity", "infinity less infinity"):
        came_in = _in_inputs(scene, masks=True)
        if came_in is not None:
            return came_in
    place = replay.place(origin)
    is_loss = any(returned_by([replay.kept], loss) for loss in scene.losses)
    is_model = next(replay.kept.root.parameters(), None) is not None
    found = scene.found("forward" if is_model and not is_loss else "loss", origin.ground, origin.line)
    return replace(found, module=place.module, time_step=place.time_step, layer=place.layer, direction=place.direction)


def _between(scene: Scene, reading: Reading | None) -> NonFinite:
    """What the graph shows outside of the models."""
    if reading is None:
        return scene.found("loss")
    line = _line_between(reading.name, scene)
    return scene.found("input" if reading.is_constant else "loss", reading.ground, line)


def _line_between(name: str, scene: Scene) -> SourceLine | None:
    """The script's line of an operation between the models and backward."""
    called_from = scene.calls[0].called_from if scene.calls else None
    return source_lines.line_between(name, scene.frame, called_from)


def _by_elimination(scene: Scene) -> NonFinite:
    """The models' own slopes are finite, so it arose between them and the loss: by the operations that can."""
    nodes, _ = nodes_of(scene.losses, scene.returned)
    able = {key_of(node.name()): node.name() for node in nodes if key_of(node.name()) in SAVED}
    found = _from_gradients(scene)
    if len(able) != 1:
        return replace(found, detail="each model's own slopes are finite; it arose between the models and the loss")
    name = next(iter(able.values()))
    line = _line_between(name, scene)
    ground = Ground(plain_word(name), "", found.value, "")
    told = replace(scene.found("backward", ground, line), replayed=False)
    return replace(told, detail="it alone can have an infinite slope between the models and the loss")


def _from_gradients(scene: Scene) -> NonFinite:
    """What the gradients tell without a replay: the last module, in the order of definition, with one that is not
    finite."""
    found = scene.found("backward")
    names = scene.models.parameter_names()
    bad = [p for p in scene.models.parameters() if p.grad is not None and value_of([p.grad])]
    if not bad:
        return found
    name = names[id(bad[-1])]
    return replace(
        found,
        value=value_of([p.grad for p in bad]) or "nan",
        module=name.rpartition(".")[0],
        operation=name,
        detail=f"{len(bad)} parameters have a non-finite gradient, {name} nearest the loss",
    )


@contextmanager
def _undisturbed(roots: Sequence[nn.Module]) -> Iterator[None]:
    """A replay changes copies of the models' buffers and containers alone, and everything is put back: the script's
    graph may still hold the originals, and would miss a change of them."""
    modules = list({id(m): m for root in roots for m in root.modules()}.values())
    attributes = [dict(module.__dict__) for module in modules]
    generators = Generators.now()
    try:
        for module in modules:
            module.__dict__.update({k: v.copy() for k, v in module.__dict__.items() if _is_own_container(k, v)})
            module.__dict__["_buffers"] = {k: None if b is None else b.clone() for k, b in module._buffers.items()}
        yield
    finally:
        generators.restore()
        for module, before in zip(modules, attributes, strict=True):
            module.__dict__.clear()
            module.__dict__.update(before)


def _is_own_container(name: str, value: object) -> bool:
    return not name.startswith("_") and type(value) in (list, dict, set)

"""What a lens is: one collector of what happens on a watched step, and how all of them are found.

A lens is a class in the folder `lenses`, one file each. It makes its part of a Look; to add one, write the file, and
give Look (in record/look.py) a field for what it sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from graphlib import TopologicalSorter
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from gradreach.record.look import Look
from gradreach.record.members import in_folder
from gradreach.watch.flush_trials import FlushTrials
from gradreach.watch.graph import Graph
from gradreach.watch.layer_work import Faded
from gradreach.watch.memory import Memory
from gradreach.watch.models import Models
from gradreach.watch.module_spans import ModuleSpans
from gradreach.watch.own_work import OwnWork
from gradreach.watch.samples.local_errors import LocalErrors
from gradreach.watch.samples.step_data import StepData
from gradreach.watch.samples.stream import Chunk
from gradreach.watch.seams import Seams, gradients_at


@dataclass(slots=True)
class ModuleCall:
    """One forward call of a module, after it returned.

    `of_model` says that it is part of a root with parameters: transforms and criteria are no models. `is_fed` says that
    it was given data of the script's own, which no module computed.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any
    of_model: bool
    is_fed: bool


@dataclass(frozen=True, slots=True)
class BackwardPass:
    """What the script's backward pass starts from: the losses, the gradients that it gives them (`weights`, None for a
    scalar loss), and the graph behind them.

    Where a part of the model is compiled, a lens is shown the rest of the script's graph; one that `asks_the_loss` is
    shown the graph of the eager form as well, with the `seams` between the two. `crosses`: a further pass would run the
    backward pass of compiled code.
    """

    losses: Sequence[Tensor]
    weights: Any
    graph: Graph
    seams: Seams | None = None
    crosses: bool = False

    def back(
        self, starts: Sequence[GradientEdge], ends: Sequence[GradientEdge], weights: Sequence[Tensor]
    ) -> tuple[Tensor | None, ...]:
        """The gradients at these ends of a short pass that begins at these starts, and leaves the graph as it is."""
        return (gradients_at if self.seams is None else self.seams.back)(starts, ends, weights)


@dataclass
class WatchedStep:
    """What the lenses of one watched step share.

    The driver of the lenses sets the first group, the lenses the second. `spans` tells in which module an operation was
    made. `called` holds the identities of the modules
    that were called, under no_grad and in the middle of a transform too, each with its place in the order of first
    calls. `is_recording`: a gradient that arrives now is of the script's own backward pass. `is_stored_elsewhere`:
    hooks store what the graph saves, or make it anew (checkpointing, offloading), so that reading it or a further pass
    over it has a price. `is_hooked`: the script hooks into its graph, and a further pass would set that off.
    `may_probe`: the budget allows further passes; `memory` is the room for them. `errors_suffice`: there are errors
    enough for the question to the data. `flush_trials` times the work at places with subnormal numbers, few times a
    run. `scale` is the loss scale, 1 without a scaler.

    `modules` are the leaf modules that the look tells of. `recurrent` are the modules whose recurrence a lens follows;
    `recurs` says that one was met at all; `unrolled` are the rows and the steps of the loops that no module shows.
    `faded` are the sequences of stock layers whose adjoint nears the smallest normal number.
    `carried` holds what each lens left for the looks that follow, by its class.
    `is_shadow`: what runs is the eager form of compiled code, run by us beside it. `gradients` are what a
    shadow's pass gave the leaves, by identity, for it accumulates nothing, or `torch.autograd.grad` where the script
    `is_given` them by it; None elsewhere. `unasked` are the leaves, by identity, that the loss leads to and whose
    gradients it did not ask for.
    `called_without_gradient` are the modules that were called where gradients are switched off, by identity. `number`
    is the step's own, from 0, and `lead` how many steps before the next look a lens asks to follow.
    """

    models: Models
    own_work: OwnWork
    may_probe: bool = True
    errors_suffice: bool = False
    memory: Memory = field(default_factory=Memory)
    number: int = 0
    lead: int = 0
    spans: ModuleSpans = field(default_factory=ModuleSpans)
    called: dict[int, int] = field(default_factory=dict)
    data: StepData = field(default_factory=StepData)
    is_recording: bool = False
    is_stored_elsewhere: bool = False
    is_hooked: bool = False
    is_shadow: bool = False
    flush_trials: FlushTrials = field(default_factory=FlushTrials)
    scale: float = 1.0
    leaves: tuple[Tensor, ...] = ()
    is_given: bool = False
    unasked: frozenset[int] = frozenset()
    gradients: Mapping[int, Tensor | None] | None = None

    modules: list[nn.Module] = field(default_factory=list)
    recurrent: list[nn.Module] = field(default_factory=list)
    recurs: bool = False
    unrolled: list[tuple[int, int]] = field(default_factory=list)
    faded: list[Faded] = field(default_factory=list)
    carried: dict[type[Lens], Any] = field(default_factory=dict)
    called_without_gradient: dict[int, nn.Module] = field(default_factory=dict)

    def beside(self, carried: dict[type[Lens], Any]) -> WatchedStep:
        """A step of its own for what runs beside this one's compiled code, in the same order of calls."""
        return WatchedStep(
            self.models,
            self.own_work,
            self.may_probe,
            self.errors_suffice,
            self.memory,
            self.number,
            spans=self.spans,
            called=self.called,
            carried=carried,
            flush_trials=self.flush_trials,
            is_shadow=True,
        )

    def may_pass_again(self, backward: BackwardPass) -> bool:
        """Whether a further pass over the script's graph is seen by nothing and nobody but us, nor by anomaly mode."""
        return (
            not (torch.is_anomaly_enabled() or self.is_stored_elsewhere or self.is_hooked or backward.crosses)
            and not backward.graph.runs_functions_of_its_own()
        )


class Lens:
    """Collects one kind of thing on one watched step. A lens overrides what it needs.

    The methods are called in the order in which they stand here: the first three for every module call, the others
    once, each for all lenses in turn. A lens comes after those that it names in `after`. What a lens raises is noted in
    the record, and the look goes on without that lens.
    """

    after: ClassVar[tuple[type[Lens], ...]] = ()
    follows_streams: ClassVar[bool] = False
    """Whether it is also driven on steps that only lead up to a look: of these it sees the calls, what it `leads` with,
    and it gives the `chunk`."""

    asks_the_loss: ClassVar[bool] = False
    """Whether it holds what modules were given or made against the script's loss: of compiled code it is shown the
    calls that run beside it, and then the loss that the script itself computed, with the graphs of both behind it."""

    def __init__(self, step: WatchedStep) -> None:
        self.step = step

    def entering(self, module: nn.Module) -> None:
        """A module is about to be called."""

    def called(self, call: ModuleCall) -> None:
        """A module has returned."""

    def ended(self, module: nn.Module) -> None:
        """A module has returned, after `called`, or raised."""

    def before_backward(self, backward: BackwardPass) -> None:
        """The script is about to call backward; the graph is whole. Keep nothing of it beyond this call."""

    def look(self, look: Look) -> Look:
        """The backward pass is over: the look with what this lens has seen."""
        return look

    def local_errors(self) -> Sequence[LocalErrors]:
        """After `look`: the errors that reached an output that is a sequence, for the test of what they depend on.

        Those of the first lens that has any count.
        """
        return ()

    def let_go(self) -> None:
        """Nothing more is asked: let go of every tensor. The script's graph, which outlives its step, holds the lens by
        marks and hooks."""

    def leads(self, losses: Sequence[Tensor]) -> None:
        """On a step that only leads up to a look, before backward."""

    def chunk(self) -> Chunk | None:
        """On a step that only leads up to a look, before backward: what a recurrent module went through."""
        return None


@cache
def all_lenses() -> tuple[type[Lens], ...]:
    """Every lens in the folder, each after those that it names."""
    found = [kind for kind in in_folder("gradreach.watch.lenses", type) if issubclass(kind, Lens) and kind is not Lens]
    return tuple(TopologicalSorter({kind: kind.after for kind in found}).static_order())

"""`Seen`: what the looks of a record saw, each thing derived once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gradreach.facts.activations import ModuleKey, hidden_activations
from gradreach.facts.alignments import AlignmentSeen, alignments
from gradreach.facts.copied_units import CopiedLayers, copied_layers
from gradreach.facts.cut_outputs import CutOff, cut_offs
from gradreach.facts.depth import DepthShown, Trend, depth_shown, trends_of
from gradreach.facts.first_step import FirstStepRead, OneDirection, first_step_reads, read_first
from gradreach.facts.idle_masks import AddedMasksSeen, IdleMasksSeen, added_masks, idle_masks
from gradreach.facts.input_size import LargeRows, given_data, input_sizes, large_rows, lost_data
from gradreach.facts.leaky_factors import LeakSeen, leaks
from gradreach.facts.linear_maps import MapsSeen, linear_maps
from gradreach.facts.losses import LossPart, loss_parts
from gradreach.facts.lost_targets import LostTargets, all_lost_targets
from gradreach.facts.modules import is_within, root_of
from gradreach.facts.padded_loss import PaddedLoss, padded_losses
from gradreach.facts.penalties import PenaltySeen, penalties
from gradreach.facts.time import (
    LayerKey,
    Shown,
    chunk_seams,
    cut_states,
    layers_of,
    share_reached,
    shown_of,
    single_steps,
    uncarried_states,
    usual_length,
)
from gradreach.record.look import Look
from gradreach.record.schema import Record
from gradreach.record.seen.data import GivenData
from gradreach.record.seen.depth import DepthLook
from gradreach.record.seen.recurrence import ChunkSeam, DetachedState, Probe, SteppedState, TimeLook


@dataclass(frozen=True)
class Seen:
    """What the looks saw until anything broke, at `first_break`; each thing is computed when it is first asked for."""

    record: Record
    first_break: int | None

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        """The looks before anything broke: after it the figures describe the damage, not its cause."""
        end = self.first_break
        return tuple(look for look in self.record.looks if end is None or look.step < end)

    @cached_property
    def looks_with_update(self) -> tuple[Look, ...]:
        """Those of them whose update was not left out by a loss scaler, for an overflow that it looks for."""
        left_out = {step.step for step in self.record.not_finite if not step.broken}
        return tuple(look for look in self.looks if look.step not in left_out)

    def looks_at(self, site: int) -> list[Look]:
        """The sound looks at one line that calls backward."""
        return [look for look in self.looks if look.site == site]

    @cached_property
    def last_look(self) -> int | None:
        """The step of the last look; None where there was none."""
        return self.record.looks[-1].step if self.record.looks else None

    def root_of(self, path: str) -> str:
        """The root module that a dotted path belongs to: the longest registered name that it starts with."""
        return root_of(tuple(self.record.models), path)

    def models_at(self, site: int) -> frozenset[str]:
        """The root modules that a line's backward pass goes through; every one where no look tells."""
        modules = {seen.module for look in self.record.looks if look.site == site for seen in look.depth}
        return frozenset(map(self.root_of, modules)) or frozenset(self.record.models)

    # Time

    @cached_property
    def layers(self) -> Mapping[LayerKey, tuple[TimeLook, ...]]:
        """The sound looks at each recurrent layer and direction at its usual length, in order of time."""
        return _at_usual_length(layers_of(self.looks))

    @cached_property
    def layers_with_break(self) -> Mapping[LayerKey, tuple[TimeLook, ...]]:
        """The same; where the very first step broke, the looks at it, of which only what is finite tells anything."""
        return self.layers or _at_usual_length(layers_of(self.record.looks))

    @cached_property
    def time_shown(self) -> tuple[Shown, ...]:
        """Of each recurrent layer and direction the look that a report shows.

        It is the typical one of the last with a finite reach, else of any. Looks after the run broke count only where
        there are no others.
        """
        ever = layers_of(self.record.looks)
        sound = layers_of(self.looks) if self.looks else ever
        return tuple(shown_of(looks, ever[key]) for key, looks in sound.items())

    @cached_property
    def shortest(self) -> Shown | None:
        """The shown layer whose gradient reaches the smallest part of its sequence."""
        return min(self.time_shown, key=lambda shown: share_reached(shown.layer), default=None)

    @cached_property
    def probes_shown(self) -> tuple[tuple[Look, Probe], ...]:
        """Of each line and module without a recurrence the last sound look in which the reach was probed."""
        shown = {(look.site, probe.module): (look, probe) for look in self.looks for probe in look.probes}
        return tuple(shown.values())

    @cached_property
    def uncarried_states(self) -> tuple[tuple[Sequence[Look], SteppedState], ...]:
        """The modules each of whose steps begins from the same state, with the looks that saw them."""
        return uncarried_states(self.looks)

    @cached_property
    def single_steps(self) -> Mapping[str, Sequence[Look]]:
        """The recurrent modules that got a single step from a state of zeros in each look, with these looks."""
        return single_steps(self.looks)

    @cached_property
    def read_first(self) -> Mapping[OneDirection, tuple[Look, ...]]:
        """The recurrent layers to which errors come at their first step alone, with the looks that saw them."""
        return read_first(self.looks)

    @cached_property
    def first_step_reads(self) -> tuple[FirstStepRead, ...]:
        """The recurrent modules whose topmost layer is read after one step alone, in the order in which they run."""
        return first_step_reads(self.looks, self.read_first)

    @cached_property
    def chunk_seams(self) -> tuple[tuple[Sequence[Look], Sequence[ChunkSeam]], ...]:
        """The recurrent layers whose chunks were held against those before them, in which looks."""
        return chunk_seams(self.looks)

    @cached_property
    def cut_states(self) -> tuple[tuple[Sequence[Look], DetachedState], ...]:
        """The modules whose state comes back detached at every step, in all their looks, and the last of these."""
        return cut_states(self.looks)

    def is_cut(self, module: str) -> bool:
        """Whether the state of this module, or of a part of it, is detached at every step."""
        return is_within(module, (seen.module for _, seen in self.cut_states))

    # Depth

    @cached_property
    def depth_shown(self) -> tuple[DepthShown, ...]:
        """Of each line that calls backward the modules that a report shows, in execution order."""
        return depth_shown(self.looks or self.record.looks)

    @cached_property
    def trends(self) -> Mapping[int, list[Trend]]:
        """The trends of the gradient through depth, by the line that called backward."""
        return trends_of(self.looks)

    @cached_property
    def hidden_activations(self) -> Mapping[ModuleKey, list[DepthLook]]:
        """The sound looks at each module whose output goes into weights further on, in order of time."""
        return hidden_activations(self.looks, self.root_of)

    @cached_property
    def copied_layers(self) -> tuple[CopiedLayers, ...]:
        """The hidden layers whose units are copies of one another in every look, by the line that calls backward."""
        return copied_layers(self.looks, self.root_of)

    @cached_property
    def linear_maps(self) -> tuple[MapsSeen, ...]:
        """The rows of linear layers with nothing between them that is not linear, by the line that calls backward."""
        return linear_maps(self.looks)

    # Data

    @cached_property
    def input_sizes(self) -> Mapping[str, float]:
        """The rms of the input of each root module of which it is known or can be estimated."""
        return input_sizes(self.record.looks, self.root_of)

    @cached_property
    def given_data(self) -> Mapping[str, GivenData]:
        """Of each root module the largest data of the script's own that a layer of it was given."""
        return given_data(self.record.looks, self.root_of)

    @cached_property
    def lost_data(self) -> Mapping[str, GivenData]:
        """Of each root whose data are so small that nothing is left of them beside a bias these data, as last seen."""
        return lost_data(self.looks, self.root_of)

    @cached_property
    def large_rows(self) -> Mapping[str, LargeRows]:
        """Of each root module in whose data some rows tower above the others the layer and what was seen of them."""
        return large_rows(self.record.looks, self.root_of)

    # Losses

    @cached_property
    def loss_parts(self) -> tuple[LossPart, ...]:
        """What the losses hold against their targets, by line and place, over the sound looks."""
        return loss_parts(self.looks, {*self.record.joined, *self.record.joined.values()})

    @cached_property
    def padded_losses(self) -> tuple[PaddedLoss, ...]:
        """The comparisons most of whose rows are padding."""
        return padded_losses(self.loss_parts)

    @cached_property
    def lost_targets(self) -> tuple[LostTargets, ...]:
        """The comparisons one of whose two kinds of targets went away in the course of the run."""
        return all_lost_targets(self.loss_parts)

    @cached_property
    def leaks(self) -> tuple[LeakSeen, ...]:
        """The outputs that are held against targets and weigh log-probabilities too, by line."""
        return leaks(self.looks, self.loss_parts)

    @cached_property
    def penalties(self) -> tuple[PenaltySeen, ...]:
        """What leads to the loss by penalties alone, by line."""
        return penalties(self.looks)

    @cached_property
    def cut_offs(self) -> tuple[CutOff, ...]:
        """What models put out for others that hand no gradient back, by line."""
        return cut_offs(self.looks)

    @cached_property
    def alignments(self) -> tuple[AlignmentSeen, ...]:
        """The CTC losses, by line."""
        return alignments(self.looks)

    # Masks

    @cached_property
    def idle_masks(self) -> tuple[IdleMasksSeen, ...]:
        """The masks of attention that shut nothing out, by line."""
        return idle_masks(self.looks)

    @cached_property
    def added_masks(self) -> tuple[AddedMasksSeen, ...]:
        """The masks that add next to nothing to the scores of attention, by line."""
        return added_masks(self.looks)

    @cached_property
    def sites_that_see_the_future(self) -> frozenset[int]:
        """The lines at which a mask that is to shut out the future has no effect."""
        filled = {each.site for each in self.idle_masks if each.is_future}
        return frozenset(filled | {each.site for each in self.added_masks if each.is_future})


def _at_usual_length(layers: Mapping[LayerKey, list[Shown]]) -> dict[LayerKey, tuple[TimeLook, ...]]:
    return {key: tuple(usual_length([shown.layer for shown in looks])) for key, looks in layers.items()}

"""`Facts`: what a record says, each thing derived once, for rules, reports, comparisons and commands alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from gradreach.facts import blow_up as blow_ups
from gradreach.facts import breaks
from gradreach.facts.accumulation import SummedPasses, accumulation
from gradreach.facts.blow_up import BlowUp, UnclippedGrowth
from gradreach.facts.clipping import Clipping, clipping, exceptional, norm_quantile
from gradreach.facts.dependency import DependencyTest, dependency_test
from gradreach.facts.far_start import FarStart, far_starts
from gradreach.facts.idle_clip import IdleClip
from gradreach.facts.losses import NO_BETTER, over_guess, own_over_guess, part_of_guess
from gradreach.facts.one_sided import OneSided, one_sided
from gradreach.facts.outputs import OutputSeries, come_alike, outputs_seen
from gradreach.facts.seen import Seen
from gradreach.facts.site import Site, sites_of
from gradreach.facts.spikes import Spike, spikes_of
from gradreach.facts.subnormals import FlushGain, flush_gains
from gradreach.facts.thresholds import DEFAULT, Thresholds
from gradreach.facts.updates import Updates
from gradreach.facts.zero_gradients import ZeroStretch, zero_stretches
from gradreach.record.schema import NonFinite, Record, Step


@dataclass(frozen=True)
class Facts:
    """One frozen view of a record, by the thresholds in force.

    Every fact is computed when it is first asked for, and then kept.
    """

    record: Record
    thresholds: Thresholds = DEFAULT

    @cached_property
    def seconds(self) -> float | None:
        """How long the run took, or went on until it was last seen."""
        if self.record.outcome.seconds is not None:
            return self.record.outcome.seconds
        return self.record.steps[-1].seconds if self.record.steps else None

    # What broke

    @cached_property
    def kept_out(self) -> frozenset[int]:
        """The steps that a guard took no update from."""
        return breaks.kept_out(self.record)

    @cached_property
    def scaled_away(self) -> frozenset[int]:
        """The steps whose overflow a loss scaler met by skipping the update."""
        return breaks.scaled_away(self.record)

    @cached_property
    def first_break(self) -> int | None:
        """The first step with a NaN or an infinity after which the losses never were finite again."""
        return breaks.first_break(self.record, self.scaled_away | self.kept_out | self.survived)

    @cached_property
    def survived(self) -> frozenset[int]:
        """The steps with a NaN or an infinity that spoilt no weight."""
        return breaks.survived(self.record)

    @cached_property
    def first_not_finite(self) -> int | None:
        """The first step with a NaN or an infinity that is no overflow of a loss scaler, whatever became of it."""
        return min(set(self.nonfinite_steps) - self.scaled_away, default=None)

    @cached_property
    def origin(self) -> NonFinite | None:
        """The non-finite value that came first, as its replay found it; one that a guard kept out is none."""
        return breaks.origin(self.record, self.kept_out)

    @cached_property
    def broke_by_growth(self) -> bool:
        """Whether the run broke, and the first non-finite value may come from growth: it did not come with the data."""
        return self.first_break is not None and (self.origin is None or self.origin.phase != "input")

    @cached_property
    def nonfinite_steps(self) -> tuple[int, ...]:
        """The steps whose norm or loss was NaN or infinite, or that the replay was called for."""
        return breaks.nonfinite_steps(self.record)

    @cached_property
    def without_guard(self) -> Facts:
        """The facts of the same run if no guard had stood before its updates."""
        return self if self.record.guarded is None else replace(self, record=replace(self.record, guarded=None))

    # Steps

    @cached_property
    def all_sites(self) -> Mapping[int, Site]:
        """Every line that calls backward, by its number; first those that have measured steps, in their order."""
        return sites_of(self.record, self.first_break)

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """The lines that called backward on a measured step, in the order of their first call; of those that join in a
        step the first."""
        return tuple(site for site in self.all_sites.values() if site.steps and not site.joins)

    def site(self, number: int) -> Site:
        """The line that calls backward of that number; one of which nothing is known has no name and no steps."""
        return self.all_sites.get(number, Site(number, "", (), self.first_break, ""))

    def site_name(self, number: int) -> str:
        """`file:line` of a line that calls backward; empty where it is not known."""
        return self.site(number).name

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every recorded step, its norm divided by the loss scale also where only the script's clipping call saw it."""
        return tuple(sorted((step for site in self.sites for step in site.steps), key=lambda step: step.step))

    @cached_property
    def accumulation(self) -> SummedPasses | None:
        """That several backward passes make a step, where they do."""
        return accumulation(self.record)

    @cached_property
    def norms(self) -> tuple[float | None, ...]:
        """Of each recorded step the global norm before any clipping."""
        return tuple(step.unclipped for step in self.steps)

    @cached_property
    def norm_median(self) -> float | None:
        """The median of the norms, each for the steps that it stands for."""
        return norm_quantile(self.steps, 0.5)

    @cached_property
    def clipping(self) -> Clipping:
        """How the norm was limited over the whole run."""
        found = clipping(self.steps, len(self.record.steps) == self.record.length)
        return replace(found, idle=self.idle_clip is not None and found.threshold is None)

    @cached_property
    def idle_clip(self) -> IdleClip | None:
        """The clipping of the first line whose calls limit nothing."""
        return next((site.idle_clip for site in self.sites if site.idle_clip is not None), None)

    @cached_property
    def is_scaled(self) -> bool:
        """Whether a loss scaler was in force at any step."""
        return any(step.scale != 1.0 for step in self.record.steps)

    @cached_property
    def blow_up(self) -> BlowUp | None:
        """The first line whose norm grew far over its ordinary size while the loss diverged or broke."""
        return blow_ups.blow_up(self.sites, self.broke_by_growth, self.thresholds)

    def growth_before(self, found: NonFinite) -> UnclippedGrowth | None:
        """How the norm had grown until a value was not finite; None where it had not, or something clips it."""
        return blow_ups.growth_before(self.site(found.site), found.step, self.blow_up)

    @cached_property
    def spikes(self) -> tuple[Spike, ...]:
        """The single norms far out of the ordinary that nothing clipped, with harm to the loss or of giant size."""
        return spikes_of(self.sites, self.blow_up, self.thresholds)

    @cached_property
    def out_of_line(self) -> frozenset[int]:
        """The steps whose norm is no ordinary one: spikes, and what is not finite."""
        return frozenset((*(spike.step for spike in self.spikes), *self.nonfinite_steps))

    @cached_property
    def flush_gains(self) -> tuple[FlushGain, ...]:
        """How much faster a step could be without the subnormal numbers of one place, wherever a look had it timed."""
        return tuple(flush_gains(self.seen.looks, self.record.steps))

    def usual_beside_spikes(self, site: int | None = None) -> float | None:
        """The norm that is usual beside the worst spike, of one line or of all; None without one past the start."""
        norms = [
            spike for spike in self.spikes if spike.of == "norm" and not spike.early and site in (None, spike.site)
        ]
        return max(norms, key=lambda spike: spike.times).usual if norms else None

    @cached_property
    def suggested_threshold(self) -> float | None:
        """The threshold that leaves all but 1 % of the ordinary steps alone; beside spikes, twice what is usual, and of
        a norm that blew up twice the norm before."""
        usual = self.blow_up.before if self.blow_up is not None else self.usual_beside_spikes()
        return exceptional(self.steps, self.out_of_line) if usual is None else 2 * usual

    def suggested_threshold_at(self, site: Site) -> float | None:
        """The same of one line; of one whose norm blew up twice the norm before."""
        if self.blow_up is not None and self.blow_up.site == site.number:
            return 2 * self.blow_up.before
        usual = self.usual_beside_spikes(site.number)
        return exceptional(site.steps, self.out_of_line) if usual is None else 2 * usual

    # Looks

    @cached_property
    def seen(self) -> Seen:
        """What the looks saw until anything broke."""
        return Seen(self.record, self.first_break)

    @cached_property
    def zero_stretches(self) -> tuple[ZeroStretch, ...]:
        """The parameters whose gradient is exactly 0 in the last sound looks, by the place at which it becomes so."""
        return zero_stretches(self.seen.looks, self.all_sites)

    @cached_property
    def updates(self) -> Mapping[int, Updates]:
        """What the optimizers do with the gradients of each line that calls backward."""
        return {site.number: Updates(self.seen.looks_at(site.number), site.sound_steps) for site in self.sites}

    @cached_property
    def far_starts(self) -> tuple[FarStart, ...]:
        """The losses that begin far above what a constant guess gets, because weights were drawn too large."""
        return far_starts(self.sites, self.seen.loss_parts)

    @cached_property
    def one_sided(self) -> tuple[OneSided, ...]:
        """The models that others learn through, and whose own losses ask for one and the same number."""
        return one_sided(self.seen, {number: site for number, site in self.all_sites.items() if site.steps})

    @cached_property
    def alike_outputs(self) -> tuple[OutputSeries, ...]:
        """What each root put out that came to be the same for every row, while its loss rests."""
        return tuple(
            series for series in outputs_seen(self.seen.looks) if come_alike(series, self.site(series[0][0].site))
        )

    def beside_guess(self, site: Site) -> tuple[float, float] | None:
        """What a constant guess gets at a line, in all passes of a step, and how many times that the loss came to,
        where it is one comparison."""
        parts = (part for part in self.seen.loss_parts if part.site == site.number and part.last.is_whole)
        told = ((part.guess, part_of_guess(site, part)) for part in parts)
        return next(
            ((value * site.times, over) for value, over in told if value is not None and over is not None), None
        )

    def guesses(self, site: Site) -> bool:
        """Whether the loss at a line has come to no less than a constant guess gets: as one comparison, or in each of
        several."""
        if (beside := self.beside_guess(site)) is not None:
            return beside[1] >= NO_BETTER
        each = [own_over_guess(part) for part in self.seen.loss_parts if part.site == site.number]
        return bool(each) and all(over is not None and over >= NO_BETTER for over in each)

    def is_constant_guess(self, site: int) -> bool:
        """Whether the loss at a line rests where the best constant guess gets it."""
        each = (over_guess(self.site(site), part) for part in self.seen.loss_parts if part.site == site)
        return any(over is not None and over >= NO_BETTER for over in each)

    def starts_at_zero(self, site: int) -> bool:
        """Whether weights that are all 0 cut something off at this line."""
        return any(each.site == site and each.cause.why == "weights" for each in self.zero_stretches)

    def is_late(self, step: int) -> bool:
        """Whether a step belongs to the last fifth of the run, give or take one."""
        return step + 2 >= 0.8 * self.record.length

    def as_of(self, step: int) -> str:
        """From which step a figure is, where that is not one of the last fifth: ", as of step 30"."""
        return "" if self.is_late(step) else f", as of step {step:,}"

    # The data

    @cached_property
    def dependency_tests(self) -> tuple[DependencyTest, ...]:
        """Every test of what the error depends on, with the reach at its place and a verdict on each lag."""
        return tuple(dependency_test(found, self.seen.looks, self.thresholds) for found in self.record.dependency)

    def rests_at(self, test: DependencyTest) -> bool:
        """Whether the loss at a test's place rests, or is still no better than a constant guess: then what is out of
        reach holds the training up. While it falls, the reach may yet grow."""
        site = test.dependency.site
        return self.site(site).rest is not None or self.is_constant_guess(site)

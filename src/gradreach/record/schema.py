"""The data that every layer speaks: what was seen of one run, as frozen dataclasses.

Norms are 2-norms of gradients already divided by the loss scale. Times are seconds since the run began.
A figure that could not be measured is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from gradreach.record.has_card import HasCard
from gradreach.record.look import Look
from gradreach.record.nonfinite import Cause, NonFiniteValue, Phase, all_finite, may_be_overflow
from gradreach.record.seen.loop import CutPass, MissedLoad, SpentLoader
from gradreach.record.seen.recurrence import Direction

SCHEMA: Final = "gradreach/1"

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""The severities, the most serious first."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was run, and where. `argv` excludes the script itself; `started` is ISO 8601 in UTC; `pid` is the process's
    number on `host`, 0 where it was not noted."""

    script: str
    argv: tuple[str, ...]
    started: str
    torch: str
    python: str
    device: str
    world_size: int = 1
    rank: int = 0
    pid: int = 0
    host: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One update: the backward pass, or the `passes`, whose gradients it is made of. It counts from the end of the
    last.

    `norm` is the global norm at that end of every gradient that these passes touched, before any clipping (stage
    "reduced"); it is None on steps that the budget left unmeasured. `loss` is the sum of the passes' losses, the
    function whose gradient is applied. `scale` is the loss scale in force (stage "scaled" is norm × scale). `pre_clip`
    is what the script's own clipping call returned, `threshold` its limit; post-clip is min(pre_clip, threshold).
    `late` says that the call came after the update that it should have limited.
    `site` indexes `Record.sites`: the script's line that called backward, first where several lines did.
    `part` stands in the place of `norm` in the file of one rank where gradients are sharded: the squares of all ranks'
    parts add up to that of the global norm.
    """

    step: int
    seconds: float
    site: int
    loss: float | None = None
    norm: float | None = None
    scale: float = 1.0
    pre_clip: float | None = None
    threshold: float | None = None
    clip: Literal["", "norm", "value"] = ""
    late: bool = False
    watched: bool = False
    passes: int = 1
    part: float | None = None

    @property
    def unclipped(self) -> float | None:
        """The global norm before clipping: measured, else what the script's own clipping call returned."""
        return self.pre_clip if self.norm is None else self.norm

    @property
    def broken(self) -> bool:
        """Whether loss or norm is not finite, other than by the overflow that a loss scaler looks for."""
        sound = all_finite(self.loss, self.unclipped, self.part)
        return not sound and not may_be_overflow(self.loss, scaled=self.scale != 1.0)


@dataclass(frozen=True, slots=True)
class Lag:
    """What the score test says of the inputs `lag` … `until` steps back, both included.

    `z` standardises the statistic by its null, `p` is that null's share at or above it, `q` is p after Benjamini and
    Hochberg over all lags tested. `share` estimates the part of the error's variance that the inputs there explain
    on sequences that had no part in the fit; `detectable` is the share that would have been found 95 times in 100. `at`
    is the first of the lags that said most.
    """

    lag: int
    until: int
    at: int
    z: float
    p: float
    q: float
    share: float
    detectable: float


@dataclass(frozen=True, slots=True)
class Dependency:
    """Does the error at step t depend on the inputs further back, given the near ones and the model's own state?

    Rests on `positions` errors in `sequences` independent sequences of up to T steps, or in as many blocks of `block`
    steps of them. `why_not` says what was lacking where no lag could be tested. In a watched run `module` is the layer
    whose output carries the error, `site` the line that calls backward, `step` the last step that entered, `looks`
    counts the steps, and `error` is the rms of the error on the last of them as a multiple of that on the first.
    """

    lags: tuple[Lag, ...]
    sequences: int
    positions: int
    T: int
    block: int | None = None
    why_not: str = ""
    module: str = ""
    site: int = 0
    step: int = 0
    looks: int = 1
    error: float = 1.0


@dataclass(frozen=True, slots=True)
class NonFinite:
    """The first non-finite value of a step, as the script's graph or a replay of the step shows it.

    `phase` names where it arose. `operation` is the operation in plain words ("sqrt"), a parameter's name or a module
    kind; `cause` is the kind of fault, `argument` what the operation was given ("exp of 93.1 in float32"). `index` is
    the place of the first such value in its tensor of shape `shape`. `source` is the script's own line of the
    operation as `file:line`, `code` its text. `time_step` is the step of a recurrent layer (0-based, in the data's
    order). `replayed` is False where neither graph nor replay showed the value itself, and the place follows from the
    gradients alone. `scaled_away` marks an overflow that the loss scaler handles by skipping the step.
    """

    step: int
    site: int
    phase: Phase
    value: NonFiniteValue
    module: str = ""
    operation: str = ""
    time_step: int | None = None
    layer: int | None = None
    direction: Direction | None = None
    replayed: bool = False
    scaled_away: bool = False
    detail: str = ""
    cause: Cause = ""
    argument: str = ""
    index: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    source: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class GuardDeed:
    """One thing that the guard of `gradreach run --guard` did about the update after the backward pass of `step`.

    `what`: "skipped" the update, "rolled back" to good weights, "accepted" a spike as the data's new level, "left
    alone" an optimizer that it cannot stand before, "gave up".
    """

    step: int
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class GuardSummary:
    """What the guard of `gradreach run --guard` did to the training.

    `optimizers` counts those it stood before; `updates` those they made or would have made, of which `clipped` were
    made shorter; `threshold` was the last in force, None where the script clips by itself; `deeds` are the rest.
    """

    optimizers: int = 0
    updates: int = 0
    clipped: int = 0
    threshold: float | None = None
    deeds: tuple[GuardDeed, ...] = ()

    def steps(self, what: str) -> frozenset[int]:
        """The steps at which it did this."""
        return frozenset(deed.step for deed in self.deeds if deed.what == what)


@dataclass(frozen=True, slots=True)
class Overhead:
    """Share of the wall time that watching cost: `measured` past the first 50 steps (of the whole run where it is
    shorter), `whole` over all steps. `passes` counts the backward passes so far and `steps` the updates, of which each
    `norm_every`-th is measured and stands among the steps. `every` is set where each n-th step was to be watched
    whatever it costs. `closing` is what the last questions to the data took when the training was over, in none of the
    shares. `memory` is by how many bytes looks have raised the peak of what the process holds, None where that is not
    known, and `memory_allowed` what one may take where the script's user said so."""

    budget: float
    measured: float
    whole: float
    seconds: float
    norm_every: int = 1
    passes: int = 0
    every: int | None = None
    closing: float = 0.0
    steps: int = 0
    memory: int | None = None
    memory_allowed: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the run ended: "stopped" by --steps, "unknown" where it was killed or still goes on."""

    how: Literal["finished", "stopped", "raised", "interrupted", "unknown"] = "unknown"
    code: int | None = None
    error: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Record:
    """All that was seen of one run. `dependency` holds the last test of each module and line that calls backward;
    `sharded_over` are the ranks that hold a part of the same gradients, none where each holds them whole;
    `joined` maps a site whose passes add on to those of another within one step to that other; `models` maps each root
    module's name to its class; `cut_pass` tells of a pass that raised; `missed_loads` are the checkpoints of which
    nothing came into a model, `spent_loaders` the loaders that gave no batch any more; `notes` are plain sentences on
    what could not be seen, and why."""

    run: Run
    steps: tuple[Step, ...] = ()
    looks: tuple[Look, ...] = ()
    nonfinite: tuple[NonFinite, ...] = ()
    sites: tuple[str, ...] = ()
    joined: dict[int, int] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    overhead: Overhead | None = None
    guarded: GuardSummary | None = None
    outcome: Outcome = Outcome()
    notes: tuple[str, ...] = ()
    dependency: tuple[Dependency, ...] = ()
    cut_pass: CutPass | None = None
    missed_loads: tuple[MissedLoad, ...] = ()
    spent_loaders: tuple[SpentLoader, ...] = ()
    sharded_over: tuple[int, ...] = ()

    @cached_property
    def not_finite(self) -> tuple[Step, ...]:
        """The steps whose loss or norm is NaN or infinite, whatever the reason; every rule asks for them."""
        return tuple(step for step in self.steps if not all_finite(step.loss, step.unclipped, step.part))

    @property
    def length(self) -> int:
        """Steps of the run; `steps` holds those that were measured, all of them where the budget allows."""
        seen = self.steps[-1].step + 1 if self.steps else 0
        return max(seen, (self.overhead.steps or self.overhead.passes) if self.overhead is not None else 0)

    @property
    def passes(self) -> int:
        """Backward passes of the run: as many as steps, or more where several make one."""
        return max(self.length, self.overhead.passes if self.overhead is not None else 0)


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing to do: `id` names it, `do` is a line of code or a command, `why` a sentence."""

    id: str
    do: str
    why: str


@dataclass(frozen=True, slots=True)
class Finding(HasCard):
    """What a rule found: `where` places it (module, layer, step, site …), `evidence` holds the figures it rests on,
    `because` gives the reason in plain words, `formula` the rule's formula, both with this run's own numbers."""

    code: str
    severity: Severity
    title: str
    where: dict[str, str | int | float]
    evidence: dict[str, str | int | float | bool | None]
    because: str
    remedies: tuple[Remedy, ...] = ()
    formula: str = ""

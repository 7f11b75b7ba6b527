"""Errors, inputs and states of the latest watched steps, in bounded memory, and the test of what they depend on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from gradreach.engine.norms import is_sharded
from gradreach.record.look import Look
from gradreach.record.schema import Dependency
from gradreach.record.sinks.sink import Sink
from gradreach.watch.budget import MOST_AT_THE_END, Budget
from gradreach.watch.samples.local_errors import LocalErrors, identities, in_pieces
from gradreach.watch.samples.stream import Stream

WIDTH = {"errors": 16, "states": 64, "inputs": 64}
"""What is wider is projected at random to so many coordinates."""

MOST_SEQUENCES = 512
MOST_SPARSE = 1024
"""The same where each has an error at one step alone, as under a loss on the last one."""

MOST_BYTES = 32 << 20
"""What one pool holds; the oldest looks leave it first. A single look holds at most half of either."""

MOST_POOLS = 4
ENOUGH_SEQUENCES = 256
"""Looks from the first half of the run so far leave where so many sequences remain: the model has moved on."""

FIRST_TEST_SECONDS = 1.0
"""What a test is expected to cost before there was one."""

ALL_KEPT = 16
"""Looks of which each has its errors, for the question to the data of a short run."""

PROBE_EVERY = 3
PROBE_SELDOM = 6
MANY_LOOKS = 9
"""Each so many-th look has a probe, the first among them, and after many looks fewer: its further backward passes may
take most of a look."""


ALIKE = 1e-3
"""Relative difference up to which the errors of all rows are one and the same."""


def _apart(sequences: Tensor, errors: Tensor) -> Tensor:
    """The identities of sequences (B,), one for all of them where their errors (B, T, p) are one and the same, as where
    the loss reads nothing but their mean: such rows say the same thing so many times."""
    alike = _norm(errors, lambda piece: piece - errors[:1]) <= ALIKE * _norm(errors, lambda piece: piece)
    return sequences[:1].expand_as(sequences).clone() if alike else sequences


def _norm(values: Tensor, of: Callable[[Tensor], Tensor]) -> float:
    """The norm of what is made of values, in float64."""
    return float(torch.linalg.vector_norm(in_pieces(values, lambda piece: of(piece).double().norm().reshape(1))))


def _is_finite(values: Tensor) -> bool:
    real = values.is_floating_point() and values.numel() > 0
    return not real or all(bool(each.isfinite()) for each in torch.aminmax(values))


@dataclass(frozen=True)
class _LookSample:
    step: int
    inputs: Tensor
    errors: Tensor
    states: Tensor
    identities: Tensor

    @property
    def kind(self) -> tuple[object, ...]:
        """What all looks of a pool have in common."""
        return (self.inputs.dtype, self.inputs.shape[2:], self.errors.shape[2:], self.states.shape[2:])

    @cached_property
    def is_sparse(self) -> bool:
        """Whether no sequence has more than one step with an error."""
        return int((self.errors != 0).any(-1).sum(1).max()) <= 1

    @property
    def bytes(self) -> int:
        return sum(each.nbytes for each in (self.inputs, self.errors, self.states))


@dataclass
class _ModuleSamples:
    """The latest looks of one module at one line of the script, and how many sequences came in until the last test."""

    site: int
    module: str
    first_rms: float
    rms: float = 0.0
    looks: deque[_LookSample] = field(default_factory=deque)
    entered: int = 0
    tested: int = 0
    seconds: float = FIRST_TEST_SECONDS

    def add(self, look: _LookSample) -> None:
        if self.looks and self.looks[-1].kind != look.kind:
            self.looks.clear()
        self.looks.append(look)
        self.entered += len(look.errors)
        while len(self.looks) > 1 and self._oldest_leaves(look.step):
            self.looks.popleft()

    @property
    def is_full(self) -> bool:
        """Whether there are as many sequences as a test of the latest half of a run needs."""
        return sum(len(look.errors) for look in self.looks) >= ENOUGH_SEQUENCES

    def grown(self) -> bool:
        """Whether twice as much has been seen as at the last test."""
        return self.entered >= max(2 * self.tested, ENOUGH_SEQUENCES)

    def test(self) -> Dependency:
        from gradreach.score.dependency import dependency  # a run that never gets here need not import it

        begin = time.perf_counter()
        found: Dependency = dependency(
            [look.errors.float() for look in self.looks],
            [look.inputs for look in self.looks],
            [look.states.float() for look in self.looks],
            groups=[look.identities for look in self.looks],
        )
        self.seconds, self.tested = time.perf_counter() - begin, self.entered
        steps = {look.step for look in self.looks}
        error = self.rms / self.first_rms
        return replace(found, module=self.module, site=self.site, step=max(steps), looks=len(steps), error=error)

    def _oldest_leaves(self, step: int) -> bool:
        sequences, oldest = sum(len(look.errors) for look in self.looks), self.looks[0]
        most = MOST_SPARSE if all(look.is_sparse for look in self.looks) else MOST_SEQUENCES
        if sequences > most or sum(look.bytes for look in self.looks) > MOST_BYTES:
            return True
        return oldest.step < step // 2 and sequences - len(oldest.errors) >= ENOUGH_SEQUENCES


class DependencySamples:
    """The samples of a run, a pool for each module and line that calls backward.

    Says what enters, when it is tested, and what that may cost.
    """

    def __init__(self) -> None:
        self.stream = Stream()
        self._pools: dict[tuple[int, str], _ModuleSamples] = {}
        self._reaching: set[tuple[int, str]] = set()
        self._matrices: dict[tuple[str, int], Tensor] = {}
        self._looks = 0

    def may_probe(self) -> bool:
        """Whether the next look should have its probe."""
        return self._looks % (PROBE_EVERY if self._looks < MANY_LOOKS else PROBE_SELDOM) == 0

    def has_enough(self) -> bool:
        """Whether looks and sequences are so many that looks may leave out what costs much to find; not where chunks of
        a stream go on from look to look."""
        is_long = self._looks >= ALL_KEPT and not self.stream.lead()
        return is_long and bool(self._pools) and all(pool.is_full for pool in self._pools.values())

    def take(self, look: Look, found: Sequence[LocalErrors]) -> None:
        """Take in the errors of a look; of a model without a recurrence only where an input moves later errors."""
        site, step = look.site, look.step
        self._looks += 1
        self._reaching |= {(site, probe.module) for probe in look.probes}
        if not found and self.has_enough():
            return
        preceding = self.stream.preceding(step, found[0].chunk if len(found) == 1 else None)
        for local in found:
            if local.recurrent or (site, local.module) in self._reaching:
                self._add(site, step, local, preceding)

    def test_on_the_way(self, sink: Sink, budget: Budget) -> None:
        """Test what has doubled since its last test, where the budget has so much left over; it pays for it."""
        for pool in self._pools.values():
            if pool.grown() and budget.may_spend(2 * pool.seconds):
                sink.write(pool.test())
                budget.spend(pool.seconds)

    def test_at_the_end(self, sink: Sink, most_seconds: float = MOST_AT_THE_END) -> str:
        """Test what has grown since its last test, the fullest first, and begin no further one after so many seconds of
        work; a sentence on what there was no time for."""
        untested = [pool for pool in self._pools.values() if pool.entered > pool.tested]
        left, begin = sorted(untested, key=lambda pool: -pool.entered), time.process_time()
        while left:
            sink.write(left.pop(0).test())
            if time.process_time() - begin > most_seconds:
                break
        names = ", ".join(f"`{pool.module}`" if pool.module else "the model" for pool in left)
        lacking = f"the data was not asked a last time what the errors of {names} depend on"
        return f"After {most_seconds:g} s {lacking}." if left else ""

    @torch.no_grad()
    def _add(self, site: int, step: int, local: LocalErrors, preceding: Sequence[Tensor]) -> None:
        if any(is_sharded(each) for each in (local.inputs, local.errors, local.states)):
            return
        rows, errors, states, inputs = _fitting(local, preceding)
        if inputs.shape[1] < 2 or not errors.numel() or not all(map(_is_finite, (errors, states, inputs))):
            return
        carrying = int((errors != 0).any(-1).sum())
        rms = _norm(errors, lambda piece: piece) / max(carrying * errors.shape[-1], 1) ** 0.5
        if rms == 0.0:
            return
        pool = self._pools.setdefault((site, local.module), _ModuleSamples(site, local.module, rms))
        if len(self._pools) > MOST_POOLS:
            self._pools.popitem()
            return
        pool.rms = rms
        lead = inputs.shape[1] - errors.shape[1]
        real = inputs.is_floating_point()
        pool.add(
            _LookSample(
                step,
                in_pieces(
                    inputs, lambda piece: self._narrowed("inputs", piece).float().cpu() if real else piece.long().cpu()
                ),
                pad(
                    in_pieces(errors, lambda piece: self._narrowed("errors", piece / rms).half().cpu()), (0, 0, lead, 0)
                ),
                pad(in_pieces(states, self._kept_states), (0, 0, lead, 0)),
                _apart(identities(each[rows] for each in local.source), errors),
            )
        )

    def _kept_states(self, states: Tensor) -> Tensor:
        return self._narrowed("states", states).clamp(-6e4, 6e4).half().cpu()

    def _narrowed(self, what: str, values: Tensor) -> Tensor:
        """(…, wide) projected by a fixed Gaussian matrix that keeps squared lengths on average."""
        wide, narrow = values.shape[-1], WIDTH[what]
        if wide <= narrow:
            return values
        if (what, wide) not in self._matrices:
            generator = torch.Generator().manual_seed(wide)
            self._matrices[what, wide] = torch.randn(wide, narrow, generator=generator) / narrow**0.5
        return values.float() @ self._matrices[what, wide].to(values.device)


def _fitting(local: LocalErrors, preceding: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Which rows one look keeps, and their errors, states and inputs, these with the chunks before them.

    Rows are left out, evenly, and steps only where a single row is too much: then the last ones stay. The errors and
    states are those of the last steps.
    """
    inputs = local.inputs.detach()
    if inputs.is_floating_point():
        inputs = inputs.flatten(2)
    before = [chunk.reshape(*chunk.shape[:2], *inputs.shape[2:]) for chunk in preceding if len(chunk) == len(inputs)]
    lead = sum(chunk.shape[1] for chunk in before)
    widths = {"errors": local.errors, "states": local.states, "inputs": inputs}
    numbers = [min(WIDTH[name], each.shape[-1] if each.dim() > 2 else 2) for name, each in widths.items()]
    per_step = 2 * (numbers[0] + numbers[1]) + 4 * numbers[2]
    B, T = len(inputs), lead + inputs.shape[1]
    T = min(T, max(1, MOST_BYTES // 2 // per_step))
    count = min(B, MOST_SEQUENCES // 2, max(1, MOST_BYTES // 2 // (per_step * T)))
    rows = torch.linspace(0, B - 1, count, dtype=torch.float64).round().long().to(inputs.device)
    errors, states = (_rows(each, rows)[:, -T:] for each in (local.errors, local.states))
    whole = _rows(inputs, rows) if not before else torch.cat([each[rows] for each in (*before, inputs)], 1)
    return rows, errors, states, whole[:, -T:]


def _rows(values: Tensor, rows: Tensor) -> Tensor:
    """These rows of the values, which are the values themselves where they are all of them."""
    return values if len(rows) == len(values) else values[rows]

"""Where a run broke: the first value that is NaN or infinite, and who took care of such values."""

from __future__ import annotations

from gradreach.record.schema import NonFinite, Record


def kept_out(record: Record) -> frozenset[int]:
    """The steps that a guard took no update from: whatever was wrong with them did not reach the weights."""
    return record.guarded.steps("skipped") if record.guarded is not None else frozenset()


def scaled_away(record: Record) -> frozenset[int]:
    """The steps whose overflow a loss scaler met by skipping the update."""
    return frozenset(found.step for found in record.nonfinite if found.scaled_away)


def first_break(record: Record, handled: frozenset[int]) -> int | None:
    """The first step with a NaN or an infinity that is not among the `handled` ones."""
    broken = [found.step for found in record.nonfinite if found.step not in handled]
    broken += [step.step for step in record.not_finite if step.step not in handled and step.broken]
    return min(broken, default=None)


def origin(record: Record, out: frozenset[int]) -> NonFinite | None:
    """The non-finite value that came first, as its replay found it; one of the steps that were kept `out` is none."""
    real = [found for found in record.nonfinite if not found.scaled_away and found.step not in out]
    return min(real, key=lambda found: found.step, default=None)


def nonfinite_steps(record: Record) -> tuple[int, ...]:
    """The steps whose norm or loss was NaN or infinite, or that the replay was called for."""
    return tuple(sorted({step.step for step in record.not_finite} | {found.step for found in record.nonfinite}))

"""What of the extras is installed."""

from __future__ import annotations

from gradreach.doctor.check import Check, Diagnosis
from gradreach.doctor.checks.packages import diagnosis, requirements, version_of


def extras() -> Diagnosis:
    """What of the extras is installed; one that is not is none that is missed."""
    wanted = [each for each in requirements() if each.extra]
    there = [each for each in wanted if version_of(each.name)]
    absent = sorted({each.extra for each in wanted if each not in there})
    found = diagnosis(there, "")
    without = f"not installed: {', '.join(absent)} (pip install 'gradreach[{','.join(absent)}]')" if absent else ""
    return Diagnosis(found.state, "; ".join(part for part in (found.text, without) if part), found.do)


CHECK = Check("extras", 3, extras)

"""What is seen of compiled code."""

from __future__ import annotations

from gradreach.doctor.check import Check, Diagnosis
from gradreach.doctor.process import NoAnswer, Timeout, answer_of
from gradreach.facts.wording import count

COMPILE_LIMIT = 60.0
"""Seconds after which the check gives up; a first compilation on a slow CPU takes half of that."""


def compiled_code() -> Diagnosis:
    """Whether torch.compile works here, and what is seen of what it compiles."""
    try:
        seen = answer_of("gradreach.doctor.compiled_training", COMPILE_LIMIT)
    except Timeout as error:
        return Diagnosis("warning", f"skipped: {error}", "nothing, unless you use torch.compile")
    except NoAnswer as error:
        return Diagnosis(
            "warning", f"does not work here: {error}", "nothing, unless you use torch.compile; it needs a C++ compiler"
        )
    if seen["seen"] != seen["steps"] or seen["norms"] != seen["steps"]:
        return Diagnosis(
            "error", f"works, but {seen['seen']} of {seen['steps']} backward passes were seen", "report this"
        )
    inside = count(seen["modules"], "module") if seen["modules"] else "none of the modules"
    return Diagnosis("ok", f"works; of compiled code every backward pass and norm is seen, and {inside} inside")


CHECK = Check("compile", 7, compiled_code, needs_torch=True)

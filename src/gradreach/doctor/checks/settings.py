"""The settings in force."""

from __future__ import annotations

from gradreach import settings
from gradreach.doctor.check import Check, Diagnosis
from gradreach.facts.wording import count, percent


def in_force() -> Diagnosis:
    """The settings and the file that they come from."""
    try:
        found = settings.of()
    except settings.BadSettings as error:
        return Diagnosis("error", str(error), "mend that file: until then run, report, check and compare end with it")
    if found.source is None:
        return Diagnosis(
            "ok", f"all by default, no pyproject.toml here has [{settings.TABLE}]; budget {percent(found.budget)}"
        )
    ignored = f", ignored {', '.join(found.ignore)}" if found.ignore else ""
    changed = count(len(found.changed), "threshold") + f" set: {', '.join(found.changed)}" if found.changed else ""
    return Diagnosis(
        "ok", f"{found.source}: budget {percent(found.budget)}{ignored}{f', {changed}' if changed else ''}"
    )


CHECK = Check("settings", 12, in_force)

"""All advice by its id."""

from __future__ import annotations

from gradreach.record.members import in_folder
from gradreach.remedies.advice.advice import Advice

ADVICE: dict[str, Advice[...]] = {each.id: each for each in in_folder("gradreach.remedies.advice", Advice)}

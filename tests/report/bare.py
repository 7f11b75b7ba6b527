"""A report in which no rule has spoken."""

from __future__ import annotations

from gradreach.record.schema import Record
from gradreach.report import Report


def bare(record: Record) -> Report:
    return Report(record)

"""Counts what the zoo's runs came to and prints precision and recall; under xdist too, for properties travel along."""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                counts.update({key: int(value) for key, value in report.user_properties if key in KEYS})
    if counts["scripts"]:
        planted, found, wrong = (counts[key] for key in ("planted", "found", "wrong"))
        terminalreporter.section("zoo")
        terminalreporter.write_line(
            f"{counts['scripts']} scripts: {found} of {planted} planted faults found in place, "
            f"{wrong} false errors or warnings; "
            f"precision {_share(found, found + wrong)}, recall {_share(found, planted)}"
        )


KEYS = ("scripts", "planted", "found", "wrong")


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "–"

"""A demo says whether it showed what it promises, and fails where it did not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gradreach.cli import run_and_report
from gradreach.demo import DEMOS
from tests.records.runs import ALL
from tests.records.writing import write


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of a run, the recording of one that broke with GR301."""

    def run(_program: object, watching: run_and_report.WatchOptions, *_: object, **__: object) -> int:
        write(watching.out, ALL["broken"])
        return 0

    monkeypatch.setattr(run_and_report, "run_and_report", run)


@pytest.mark.parametrize(
    ("shows", "steps", "code", "says"),
    [
        ("GR301", None, 0, "as promised: GR301 found"),
        ("GR402", None, 1, "promised was: GR402 found; found was GR102, GR301, GR304: please report this"),
        ("GR402", 5, 0, "promised was: GR402 found; found was GR102, GR301, GR304: it was cut short by --steps"),
        ("", None, 1, "promised was: no error and no warning; found was GR102, GR301, GR304: please"),
    ],
)
def test_the_promise_is_held_against_what_was_found(
    shows: str,
    steps: int | None,
    code: int,
    says: str,
    recorded: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    del recorded
    demo = replace(DEMOS["nan"], shows=shows)
    assert run_and_report.run_demo(demo, tmp_path, steps) == code
    assert says in capsys.readouterr().err

"""What `gradreach doctor --compile` says."""

from __future__ import annotations

import json
import re

import pytest

from gradreach.cli import main
from gradreach.engine import compiled_scan


def test_it_says_how_long_it_took_and_where_they_lie(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiled_scan, "compile_all", lambda: "/home/her/cache")
    assert main(["doctor", "--compile", "--format", "json"]) == 0
    came = capsys.readouterr()
    (check,) = json.loads(came.out)["checks"]
    assert (check["name"], check["state"]) == ("loops", "ok")
    assert re.fullmatch(
        r"all compiled loops of gr.nn are ready in float32 and float64 after \d+\.\d s; kept in /home/her/cache",
        check["text"],
    )
    assert "compiling the loops of gr.nn" in came.err


def test_without_numba_or_a_folder_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> str:
        raise ModuleNotFoundError("No module named 'numba'")

    monkeypatch.setattr(compiled_scan, "compile_all", missing)
    assert main(["doctor", "--compile"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "nothing was compiled, as numba cannot be imported (No module named 'numba')" in told
    assert "→ pip install 'gradreach[fast]'" in told
    monkeypatch.setattr(compiled_scan, "compile_all", lambda: None)
    assert main(["doctor", "--compile"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "for this process alone: no folder can be written" in told
    assert "→ set NUMBA_CACHE_DIR" in told

"""`gradreach experiments`: a list, a run, what is wrong in one sentence, and the exit code."""

from dataclasses import replace
from pathlib import Path

import pytest

from gradreach.cli import main
from gradreach.experiments import command
from gradreach.experiments.claim import at_most
from gradreach.experiments.experiment import load
from gradreach.experiments.registry import experiments


def test_without_a_name_it_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiments"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(experiments())


def test_a_run_writes_numbers_and_figures_and_prints_its_claims(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experiments", "cliff", "--quick", "--out", str(tmp_path)]) == 0
    done = load(experiments()["cliff"], tmp_path / "cliff.json")
    assert done.form == "quick"
    assert (tmp_path / "cliff.svg").read_text().count("<svg") == 1
    out = capsys.readouterr().out
    assert out.count("  holds: ") == len(experiments()["cliff"].claims(done.measured))
    assert done.date in out


def test_a_claim_that_does_not_hold_is_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = replace(experiments()["cliff"], claims=lambda _: (at_most("a thing", 2.0, 1.0, "so"),))
    monkeypatch.setattr(command, "experiments", lambda: {"cliff": broken})
    assert main(["experiments", "cliff", "--quick", "--out", str(tmp_path)]) == 1
    assert "DOES NOT HOLD: a thing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["no-such"], "jacobian-product"),
        (["cliff", "--quick", "--full"], "--full"),
        (["cliff", "--jobs", "0"], "--jobs"),
        (["cliff", "--data", "/no/such/folder"], "--data"),
    ],
)
def test_wrong_use_is_one_sentence(args: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiments", *args]) == 2
    assert says in capsys.readouterr().err


def test_a_part_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda _: None)
    assert main(["experiments", "cliff", "--quick"]) == 2
    assert 'python -m pip install "gradreach[experiments]"' in capsys.readouterr().err

"""`gradreach tasks`, as a user meets it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gradreach.tasks import OFFERS
from gradreach.tasks.__main__ import main
from tests import forked

LAST = r"(solved after|not solved in|trained for) \d+ steps: test error [\d.e-]+, by chance [\d.e-]+"


def told(capsys: pytest.CaptureFixture[str], words: str) -> list[str]:
    """The lines that a training prints."""
    assert main(words.split()) == 0
    return capsys.readouterr().out.splitlines()


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """What is said of a wrong usage: one line, exit code 2, nothing on stdout."""
    with pytest.raises(SystemExit) as ended:
        main(args)
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_no_name_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    for name, offer in OFFERS.items():
        assert re.search(rf"^{name} +{re.escape(offer.says)}$", out, re.MULTILINE)


@pytest.mark.parametrize("name", OFFERS)
def test_help_shows_the_options_and_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    for option in ("--batch", "--rate", "--optimizer", "--clip", "--seed", "--steps", "--every", "Example:  gradreach"):
        assert option in out
    assert OFFERS[name].says.split(",")[0] in out
    assert ">>>" not in out


def test_options_reach_the_task_the_model_and_the_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, "adding --length 8 --layer rnn --hidden 5 --steps 3 --every 2 --clip none")
    assert lines[0].startswith("adding, T 8: 51 parameters, test error by chance 0.1667, learned at 0.01")
    assert [line.split()[:2] for line in lines[1:-1]] == [["step", "2"], ["step", "3"]]
    assert re.fullmatch(LAST, lines[-1])


def test_how_it_ended_is_said_last(capsys: pytest.CaptureFixture[str]) -> None:
    def last(words: str) -> str:
        return told(capsys, words)[-1]

    assert last("scalar --steps 300").startswith("solved after 100 steps")
    assert last("adding --length 6 --hidden 4 --steps 2").startswith("not solved in 2 steps")
    assert last("music --length 6 --hidden 4 --steps 2").startswith("trained for 2 steps")
    exploding = "adding --length 9 --hidden 4 --optimizer sgd --layer relu --rate 1e30 --clip none --steps 50"
    assert re.fullmatch(r"diverged: the loss of step \d+ is (inf|nan)", last(exploding))


def test_wrong_usage_is_said_in_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def of(words: str) -> str:
        return refused(capsys, *words.split())

    assert "invalid choice: 'nope'" in of("nope")
    assert "length: expected at least 2 steps" in of("adding --length 1")
    assert "--length: expected a whole number, got ten" in of("adding --length ten")
    assert "--clip: expected a number or none, got off" in of("adding --clip off")
    assert "layer: expected one of rnn, " in of("adding --layer elman")
    assert "batch: expected at least 1 sample, got 0" in of("adding --batch 0")
    assert "rate: expected a number above 0, got -1.0" in of("adding --rate -1")
    assert "steps: expected at least 1, got 0" in of("adding --steps 0")
    assert "unrecognized arguments: --lenght 8" in of("adding --lenght 8")
    assert "nowhere.txt" in of(f"characters --data {tmp_path}/nowhere.txt")
    (tmp_path / "prose.txt").write_text("two words\nthree of them\nand then four words\n", encoding="utf-8")
    assert "data: expected one column of numbers" in of(f"sensor --data {tmp_path}/prose.txt")


def test_under_watch_from_end_to_end(tmp_path: Path) -> None:
    plain = ["-m", "gradreach.tasks", "adding", "--length", "20", "--steps", "30"]
    done, alone = (forked.run(*words, cwd=tmp_path) for words in (["-m", "gradreach", "run", *plain], plain))
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(LAST, done.stdout.splitlines()[-1])
    report = Path(done.stderr.splitlines()[-1].removeprefix("report: "))
    assert (tmp_path / report).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert alone.stdout == done.stdout


def test_a_terminal_without_the_signs_is_no_obstacle() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gradreach.tasks"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert b"8 ? 8" in done.stdout

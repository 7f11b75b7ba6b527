"""What a run without a backward pass is told: one sentence for each way in which a script ends before its training."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gradreach.cli.why_unseen import why_unseen
from gradreach.watch.launch.program import Program, ProgramEnd
from tests import forked


def gradreach(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return forked.run("-m", "gradreach", *args, cwd=cwd)


@pytest.mark.parametrize(
    ("source", "args", "code", "says"),
    [
        ("def f(:\n", (), 1, "Python cannot read train.py, line 1: invalid syntax; nothing was trained"),
        ("x = 1\n  y = 2\n", (), 1, "Python cannot read train.py, line 2: unexpected indent; nothing was trained"),
        ("import no_such_thing\n", (), 1, "train.py imports no_such_thing, which "),
        ("from math import no_such_thing\n", (), 1, "train.py ended at an import, before any training: cannot import "),
        ("raise ValueError('no data')\n", (), 1, "train.py raised ValueError: no data before its first backward pass"),
        ("import sys; sys.exit(2)\n", (), 2, "train.py ended itself with exit code 2 before its first backward pass"),
        ("import sys; sys.exit(2)\n", ("--out", "x"), 2, "; --out was given to the script: gradreach's own options "),
        (
            "import argparse; argparse.ArgumentParser().parse_args()\n",
            ("-h",),
            0,
            "train.py was asked for its help and trained",
        ),
        ("print(1)\n", (), 0, "train.py ran to its end and never imported torch: there was nothing to watch"),
        ("import torch\n", (), 0, "train.py ran to its end, and no backward pass was seen: in this process it called"),
    ],
)
def test_each_end_has_its_sentence(source: str, args: tuple[str, ...], code: int, says: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(source)
    done = gradreach("run", "train.py", *args, cwd=tmp_path)
    assert done.returncode == code
    last = done.stderr.splitlines()[-1]
    assert last.startswith("gradreach: ")
    assert says in last
    assert ("no backward pass" in last) == (says.startswith("train.py ran to its end, and"))


def test_an_interrupt_is_told() -> None:
    ended = ProgramEnd("interrupted", 130, "KeyboardInterrupt")
    assert why_unseen(Program("train.py"), ended) == "train.py was interrupted before its first backward pass"


def test_a_notebook_is_no_script(tmp_path: Path) -> None:
    (tmp_path / "train.ipynb").write_text("{}")
    done = gradreach("train.ipynb", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("gradreach: train.ipynb is a notebook, and no script: put `with gr.observe(model)")
    assert not (tmp_path / "gradreach-out").exists()


def test_a_script_in_the_place_of_a_command_is_run(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import sys; print(sys.argv)\n")
    done = gradreach("train.py", "--epochs", "3", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "['train.py', '--epochs', '3']\n")


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--budgt", "no option --budgt; did you mean --budget"),
        ("--htlm=x.html", "no option --htlm; did you mean --html"),
        ("--zzz", "no option --zzz; `gradreach run --help` lists them."),
    ],
)
def test_an_unknown_option_before_the_script_is_named(option: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print(1)\n")
    done = gradreach("run", option, "train.py", cwd=tmp_path)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())
    assert done.stdout == ""

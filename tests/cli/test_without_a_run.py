"""Commands that need no run: quick, and of an exit code that scripts can rely on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gradreach.cli import listings, main
from gradreach.cli.arguments import in_force
from gradreach.doctor import check as doctor_check
from gradreach.doctor.check import Check, Diagnosis

HEAVY = ("torch", "numpy", "rich", "jinja2", "msgspec", "pydantic", "jaxtyping", "beartype", "sqlite3", "tomllib")


def loaded(*args: str, blocked: str = "") -> tuple[str, set[str]]:
    """What `gradreach args` prints, and which of the heavy modules it imported, in a process of its own."""
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked.split()!r}))\n"
        "from gradreach.cli import main\n"
        "code = main(sys.argv[1:])\n"
        f"print(code, *(name for name in {HEAVY!r} if sys.modules.get(name)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *args], capture_output=True, text=True, check=False)
    code, *names = done.stderr.splitlines()[-1].split()
    assert code == "0", done.stderr
    return done.stdout, set(names)


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["rules"], ["explain", "GR101"], ["explain", "--help"]])
def test_what_needs_no_run_imports_nothing_heavy(args: list[str]) -> None:
    out, names = loaded(*args)
    assert out
    assert names == set()


@pytest.mark.parametrize("command", ["tasks", "experiments"])
def test_lists_need_no_torch(command: str) -> None:
    _, names = loaded(command)
    assert names <= {"pydantic"}


def test_lists_are_those_of_the_families() -> None:
    from gradreach.experiments.registry import experiments
    from gradreach.tasks.offers import OFFERS

    assert listings.experiments() == {name: each.title for name, each in experiments().items()}
    assert listings.tasks() == {name: offer.says for name, offer in OFFERS.items()}
    assert list(listings.experiments()) == list(experiments())
    assert list(listings.tasks()) == list(OFFERS)


def test_a_list_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    rows = listings.table({"one": "many words " * 20, "another": "few"}).splitlines()
    assert max(map(len, rows)) <= 60
    assert rows[0].startswith("one      many words")
    assert rows[1].startswith("         ")
    assert rows[-1] == "another  few"


def test_a_shell_can_complete() -> None:
    asked = {"_GRADREACH_COMPLETE": "complete_bash", "COMP_WORDS": "gradreach re", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "gradreach"], capture_output=True, text=True, check=False, env={**os.environ, **asked}
    )
    assert done.stdout.split() == ["report"]


def test_explain_takes_several_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "gr101", "GR303"]) == 0
    out = capsys.readouterr().out
    assert out.index("GR101 vanishing") < out.index("GR303 clipping")


def test_explain_without_a_code_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 2
    assert "name a rule by its code" in capsys.readouterr().err
    assert main(["explain", "--loud"]) == 2
    assert main(["explain", "GR101", "GR1O1"]) == 2


def test_help_still_stands_on_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ([], ["explain"], ["rules"], ["doctor"]):
        for option in ("--help", "-h"):
            assert main([*command, option]) == 0
            out = capsys.readouterr().out
            assert "Usage: gradreach" in out
            assert "--help" in out


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def as_if(*found: Diagnosis) -> None:
        made = [Check(f"check {n}", n, lambda each=each: each) for n, each in enumerate(found)]
        monkeypatch.setattr(doctor_check, "checks", lambda: made)

    return as_if


def test_doctor_has_a_line_a_check_and_what_to_do(
    made: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    made(Diagnosis("ok", "well"), Diagnosis("warning", "so so", "mind it"), Diagnosis("error", "word " * 30, "mend it"))
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "✓ check 0      well",
        "! check 1      so so",
        "               → mind it",
        f"✗ check 2      {'word ' * 17}".rstrip(),
        f"               {'word ' * 13}".rstrip(),
        "               → mend it",
    ]


def test_doctor_is_clean_where_nothing_is_an_error(
    made: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    made(Diagnosis("ok", "well"), Diagnosis("warning", "so so", "mind it"))
    assert main(["doctor", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": "gradreach-doctor/1",
        "ok": True,
        "checks": [
            {"name": "check 0", "state": "ok", "text": "well", "do": ""},
            {"name": "check 1", "state": "warning", "text": "so so", "do": "mind it"},
        ],
    }


def test_doctor_without_torch_says_so() -> None:
    script = (
        "import sys\n"
        "from gradreach.doctor import check\n"
        "check.torch_is_installed = lambda: False\n"
        "from gradreach.cli import main\n"
        "code = main(['doctor'])\n"
        "sys.exit(code if 'torch' not in sys.modules else 'torch was imported')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "✗ torch" in done.stdout
    assert "→ pip install torch" in done.stdout
    assert "✓ disk" in done.stdout


def test_settings_that_cannot_be_used_end_a_command_as_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    monkeypatch.chdir(tmp_path)
    assert in_force().source is None
    (tmp_path / "pyproject.toml").write_text("[tool.gradreach]\nbuget = 1\n")
    with pytest.raises(typer.Exit) as raised:
        in_force()
    assert raised.value.exit_code == 2
    assert "did you mean budget?" in capsys.readouterr().err

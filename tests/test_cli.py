"""The command line, as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradreach.cli import main
from gradreach.rules.registry import RULES
from tests import forked
from tests.records.runs import ALL
from tests.records.writing import write


def gradreach(*args: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return forked.run("-m", "gradreach", *args, env={**os.environ, **environment})


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("broken"), ALL["broken"])


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("healthy"), ALL["healthy"])


def test_report_prints_the_verdict_and_ends_with_the_page(broken: Path) -> None:
    done = gradreach("report", broken)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "Training broke at step 121" in done.stdout
    assert done.stdout.splitlines()[-1] == f"report: {broken / 'report.html'}"
    assert (broken / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_report_takes_the_file_itself(broken: Path) -> None:
    assert gradreach("report", broken / "rank0.sqlite").returncode == 0


def test_report_writes_what_it_is_asked_to(healthy: Path, tmp_path: Path) -> None:
    page, fields = tmp_path / "out.html", tmp_path / "fields"
    done = gradreach("report", healthy, "--html", page, "--json", fields)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == f"report: {page}"
    assert json.loads(fields.read_text(encoding="utf-8"))["schema"] == "gradreach/1"
    assert not (healthy / "report.html").exists()


def test_report_as_json_is_json_alone(broken: Path) -> None:
    done = gradreach("report", broken, "--format", "json")
    assert json.loads(done.stdout)["norm"]["nonfinite_steps"][0] == 121


def test_report_as_markdown_is_markdown_alone(broken: Path) -> None:
    done = gradreach("report", broken, "--markdown")
    assert done.returncode == 0
    assert done.stdout.startswith("### The script raised ValueError.\n\nLoss is NaN. Training broke at step 121:")
    assert not (broken / "card.svg").exists()


def test_report_writes_the_card(broken: Path, tmp_path: Path) -> None:
    assert main(["report", str(broken), "--card", str(tmp_path / "card.svg")]) == 0
    assert (tmp_path / "card.svg").read_text(encoding="utf-8").startswith("<svg ")
    assert main(["report", str(broken), "--card", str(tmp_path / "card.gif")]) == 2
    assert main(["report", str(broken), "--card", str(tmp_path / "no" / "card.svg")]) == 2


def test_a_png_card_without_a_browser_says_what_is_missing(
    broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert main(["report", str(broken), "--card", str(tmp_path / "card.png")]) == 2
    assert "a PNG is drawn by Chromium or Chrome, and neither is on the PATH" in capsys.readouterr().err


def test_run_opens_the_page_where_that_is_asked(tmp_path: Path) -> None:
    script, told = tmp_path / "train.py", tmp_path / "opened"
    script.write_text(
        "import torch, webbrowser\n"
        f"webbrowser.open = lambda url: not open({str(told)!r}, 'w').write(url) or True\n"
        "w = torch.ones(1, requires_grad=True)\n"
        "for _ in range(3): (w * w).sum().backward()\n"
    )
    assert gradreach("run", "--open", "--out", tmp_path / "out", script).returncode == 0
    assert told.read_text() == (tmp_path / "out" / "report.html").as_uri()
    told.unlink()
    assert gradreach("run", "--out", tmp_path / "out", script).returncode == 0
    assert not told.exists()


def test_a_page_older_than_the_recording_is_drawn_anew(tmp_path: Path) -> None:
    folder = write(tmp_path, ALL["healthy"])
    page = folder / "report.html"
    page.write_text("old")
    os.utime(page, (1, 1))
    gradreach("report", folder)
    assert page.read_text(encoding="utf-8") != "old"
    page.write_text("kept")
    gradreach("report", folder)
    assert page.read_text() == "kept"


def test_a_page_older_than_the_settings_is_drawn_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "run", ALL["broken"])
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(folder)]) == 0
    page = folder / "report.html"
    assert "GR301" in page.read_text(encoding="utf-8")
    later = page.stat().st_mtime + 10
    (tmp_path / "pyproject.toml").write_text('[tool.gradreach]\nignore = ["GR301"]\n')
    os.utime(tmp_path / "pyproject.toml", (later, later))
    assert main(["report", str(folder)]) == 0
    assert "explain-GR301" not in page.read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_still_has_its_summary(healthy: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = gradreach("report", healthy, "--html", tmp_path / "taken" / "page.html")
    assert done.returncode == 2
    assert done.stderr.startswith("gradreach: cannot write ")


@pytest.mark.parametrize(("level", "code"), [("error", 1), ("warning", 1), ("info", 1)])
def test_check_fails_on_findings(broken: Path, level: str, code: int) -> None:
    done = gradreach("check", broken, "--fail-on", level)
    assert done.returncode == code
    assert "error GR301" in done.stdout


def test_check_passes_without(healthy: Path) -> None:
    done = gradreach("check", healthy, "--fail-on", "info")
    assert done.returncode == 0
    verdict, total = done.stdout.splitlines()
    assert verdict.startswith("Learns, and nothing found: the loss fell from 2.49 to 1.63 (35 %) in 200 steps; ")
    assert total == "0 at or above info, 0 in all"


def test_check_passes_below_the_level(tmp_path: Path) -> None:
    folder = write(tmp_path, ALL["vanishing"])
    assert gradreach("check", folder, "--fail-on", "error").returncode == 0
    assert gradreach("check", folder, "--fail-on", "info").returncode == 1
    assert gradreach("check", folder, "--fail-on", "info", "--ignore", "gr101").returncode == 0


def test_check_as_json(broken: Path) -> None:
    fields = json.loads(gradreach("check", broken, "--format", "json").stdout)
    assert fields["failed"] is True
    assert "GR301" in {finding["code"] for finding in fields["findings"]}


@pytest.mark.parametrize("command", ["report", "check"])
def test_an_unreadable_recording_is_one_sentence(tmp_path: Path, command: str) -> None:
    foreign = tmp_path / "rank0.sqlite"
    foreign.write_text("this is no database, and long enough to be taken for one by its size alone " * 20)
    for path in (tmp_path, tmp_path / "missing", foreign):
        done = gradreach(command, path)
        assert done.returncode == 3
        assert done.stdout == ""
        assert done.stderr.startswith("gradreach: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "args",
    [["nonsense"], ["report"], ["report", "x", "--format", "yaml"], ["check", "x", "--fail-on", "never"], ["--what"]],
)
def test_wrong_usage(args: list[str]) -> None:
    done = gradreach(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "Error" in done.stderr


def test_an_unknown_rule_to_ignore_is_wrong_usage(healthy: Path) -> None:
    done = gradreach("check", healthy, "--ignore", "GR999")
    assert done.returncode == 2
    assert "GR999" in done.stderr


@pytest.mark.parametrize("code", sorted(RULES))
def test_explain_every_rule(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", code.lower()]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{code} {RULES[code].title} (")
    assert max(map(len, text.splitlines())) <= 100
    for heading in ("What it is", "The mathematics", "When it speaks", "What to do", "References"):
        assert f"\n{heading}\n" in text


def test_explain_suggests(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "GR4O1"]) == 2
    assert "did you mean GR401" in capsys.readouterr().err
    assert main(["explain", "spike"]) == 2
    assert "did you mean GR302" in capsys.readouterr().err
    assert main(["explain", "qqqqqq"]) == 2
    assert "`gradreach rules`" in capsys.readouterr().err


def test_rules_lists_every_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(RULES)


def test_version() -> None:
    done = gradreach("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("gradreach ")


@pytest.mark.parametrize("command", ["report", "check", "explain", "rules"])
def test_help_has_an_example(command: str) -> None:
    done = gradreach(command, "--help")
    assert done.returncode == 0
    assert f"Example:  gradreach {command}" in done.stdout


def test_ascii_output_where_the_stream_knows_no_more(tmp_path: Path) -> None:
    folder = write(tmp_path, ALL["vanishing"])
    for args in (["report", folder], ["explain", "GR101"], ["check", folder, "--fail-on", "info"]):
        command = [sys.executable, "-m", "gradreach", *map(str, args)]
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert "Traceback" not in done.stderr
        assert done.stdout.isascii()


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["rules"],
        ["explain", "GR101"],
        ["report", "{}"],
        ["check", "{}"],
        ["report", "{}", "--format", "json"],
    ],
)
def test_reading_never_imports_torch(healthy: Path, args: list[str]) -> None:
    script = (
        "import sys; from gradreach.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'numpy', 'beartype', 'jaxtyping'} & set(sys.modules); sys.exit(f'{code} {heavy}')"
    )
    command = [sys.executable, "-c", script, *(arg.format(healthy) for arg in args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.strip().splitlines()[-1] == "0 set()"


def test_a_closed_pipe_is_no_error(broken: Path) -> None:
    command = f"{sys.executable} -m gradreach report {broken} --format json | head -c 10"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_run_takes_subnormal_numbers_for_0_where_asked(tmp_path: Path, threads: str) -> None:
    script, fields = tmp_path / "train.py", tmp_path / "report.json"
    script.write_text(
        "import sys, torch\n"
        "small = torch.full((2**20,), 1e-30)\n"
        "print(int((small * 1e-10).count_nonzero()), sys.argv[1:])\n"
        "torch.manual_seed(0)\n"
        "model = torch.nn.Linear(4, 1)\n"
        "for step in range(5):\n"
        "    loss = model(torch.randn(8, 4)).square().mean()\n"
        "    loss.backward()\n"
        "    print(loss.item(), float(torch.rand(1)))\n"
        "sys.exit(3)\n"
    )
    plain = gradreach("run", "--out", tmp_path / "plain", script, "--lr", "1", OMP_NUM_THREADS=threads)
    options = ("--flush-subnormals", "--json", fields, "--out", tmp_path / "flushed")
    flushed = gradreach("run", *options, script, "--lr", "1", OMP_NUM_THREADS=threads)
    assert plain.returncode == flushed.returncode == 3
    (first, *kept), (other, *now) = plain.stdout.splitlines(), flushed.stdout.splitlines()
    assert (first, other) == (f"{2**20} ['--lr', '1']", "0 ['--lr', '1']")
    assert kept == now
    notes = json.loads(fields.read_text())["notes"]
    assert [note for note in notes if note.startswith("Subnormal numbers counted as 0 in this run")]


def test_run_with_a_guard_says_so_and_counts_what_it_did(tmp_path: Path) -> None:
    script, fields = tmp_path / "train.py", tmp_path / "report.json"
    script.write_text(
        "import torch\n"
        "model = torch.nn.Linear(4, 1)\n"
        "optimizer = torch.optim.Adam(model.parameters())\n"
        "for step in range(40):\n"
        "    x = torch.randn(8, 4) * (float('nan') if step == 25 else 1.0)\n"
        "    optimizer.zero_grad()\n"
        "    model(x).square().mean().backward()\n"
        "    optimizer.step()\n"
        "print(bool(model.weight.isfinite().all()))\n"
    )
    plain = gradreach("run", "--out", tmp_path / "plain", script)
    assert (plain.returncode, plain.stdout) == (0, "False\n")
    assert "--guard" not in plain.stderr.splitlines()[0]
    guarded = gradreach("run", "--guard", "--out", tmp_path / "guarded", "--json", fields, script)
    assert (guarded.returncode, guarded.stdout) == (0, "True\n")
    assert guarded.stderr.startswith("gradreach: --guard changes this training")
    assert "The guard kept step 25 out of the weights" in guarded.stderr
    told = json.loads(fields.read_text())["guarded"]
    assert [(deed["step"], deed["what"]) for deed in told["deeds"]] == [(25, "skipped")]
    assert told["updates"] == 39

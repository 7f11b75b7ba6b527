"""A program under `gradreach run` behaves as under `python`: output, traceback, exit code, argv, paths, interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from gradreach.record.store import rank_file, ranks, read
from tests import forked

Run = Callable[..., subprocess.CompletedProcess[str]]

TRAINING = """
import torch
torch.manual_seed(0)
model = torch.nn.RNN(3, 8)
optimizer = torch.optim.SGD(model.parameters(), 0.01)
for step in range({steps}):
    loss = model(torch.randn(5, 2, 3))[0].square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    {extra}
"""


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def start(*args: str | Path, cwd: Path = tmp_path, **kwargs: object) -> subprocess.CompletedProcess[str]:
        return forked.run("-m", "gradreach", "run", *args, cwd=cwd, **kwargs)  # type: ignore[arg-type]

    return start


@pytest.fixture
def run_from_its_start(tmp_path: Path) -> Run:
    """The same, in a process that is started and not forked."""

    def start(*args: object, **kwargs: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gradreach", "run", *map(str, args)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, **kwargs)  # type: ignore[call-overload, no-any-return]

    return start


def _training(steps: int = 5, extra: str = "") -> str:
    return TRAINING.format(steps=steps, extra=extra)


def _plain(path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(path), *args], cwd=path.parent, capture_output=True, text=True)


def test_name_argv_file_and_path_are_the_scripts_own(script: Callable[[str], Path], run_from_its_start: Run) -> None:
    path = script("""
        import os, sys, neighbour
        print(__name__, sys.argv, __file__, sys.path[0], os.getcwd(), neighbour.here, sys.modules["__main__"].__file__)
        print(input())
    """)
    (path.parent / "neighbour.py").write_text("here = 'yes'\n")
    plain = subprocess.run(
        [sys.executable, "script.py", "--epochs", "3", "-h"],
        cwd=path.parent,
        input="typed",
        capture_output=True,
        text=True,
    )
    seen = run_from_its_start("script.py", "--epochs", "3", "-h", input="typed")
    assert plain.returncode == 0
    assert seen.stdout == plain.stdout
    assert seen.returncode == 0
    assert "was asked for its help and trained nothing" in seen.stderr


def test_a_module_runs_as_under_dash_m(tmp_path: Path, run_from_its_start: Run) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "train.py").write_text("import sys\nprint(__name__, __package__, sys.argv[1:])\n")
    plain = subprocess.run([sys.executable, "-m", "pack.train", "a"], cwd=tmp_path, capture_output=True, text=True)
    seen = run_from_its_start("-m", "pack.train", "a")
    assert plain.stdout == "__main__ pack ['a']\n"
    assert seen.stdout == plain.stdout


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("import sys; sys.exit(7)", 7),
        ("raise SystemExit('why')", 1),
        ("import sys; sys.exit()", 0),
        ("def f():\n    raise ValueError('inside')\nf()", 1),
        ("def broken(:\n    pass", 1),
        ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('x') from e", 1),
    ],
)
def test_exit_code_and_traceback_are_the_scripts_own(
    text: str, code: int, script: Callable[[str], Path], run: Run
) -> None:
    path = script(text)
    plain = _plain(path)
    seen = run(path)
    assert plain.returncode == code
    assert seen.returncode == code
    ours = "".join(line for line in seen.stderr.splitlines(True) if not line.startswith("gradreach:"))
    assert ours == plain.stderr


@pytest.mark.parametrize("target", ["missing.py", "."])
def test_nothing_to_run_is_one_sentence(target: str, run: Run) -> None:
    seen = run(target)
    assert seen.returncode == 2
    assert seen.stderr.count("\n") == 1
    assert seen.stderr.startswith("gradreach: ")


@pytest.mark.parametrize("option", [["--budget", "2"], ["--budget", "0"], ["--every", "0"], ["--steps", "0"], []])
def test_wrong_usage_exits_with_2(option: list[str], run: Run) -> None:
    seen = run(*option, *(["x.py"] if option else []))
    assert seen.returncode == 2
    assert "Traceback" not in seen.stderr


def test_a_script_that_raises_in_mid_training_keeps_its_traceback_and_its_record(
    script: Callable[[str], Path], run: Run, tmp_path: Path
) -> None:
    path = script(_training(9, "if step == 6: raise RuntimeError('out of luck')"))
    seen = run("--out", "out", path)
    assert seen.returncode == 1
    assert "RuntimeError: out of luck" in seen.stderr
    assert "observation/" not in seen.stderr.split("RuntimeError")[0]
    record = read(tmp_path / "out")
    assert len(record.steps) == 7
    assert (record.outcome.how, record.outcome.code) == ("raised", 1)
    assert "out of luck" in record.outcome.error


def test_an_error_inside_backward_shows_no_frame_of_ours(script: Callable[[str], Path], run: Run) -> None:
    path = script("import torch\nx = torch.ones(2, requires_grad=True)\n(x * x).backward()\n")
    plain, seen = _plain(path), run(path)
    assert seen.returncode == plain.returncode == 1
    assert seen.stderr.startswith(plain.stderr)


def test_steps_end_the_run_cleanly(script: Callable[[str], Path], run: Run, tmp_path: Path) -> None:
    path = script("import atexit; atexit.register(print, 'bye')\n" + _training(50))
    seen = run("--out", "out", "--steps", "4", path)
    assert seen.returncode == 0
    assert "bye" in seen.stdout
    record = read(tmp_path / "out")
    assert len(record.steps) == 4
    assert record.outcome.how == "stopped"


def test_an_interrupt_ends_as_under_python(script: Callable[[str], Path], run: Run, tmp_path: Path) -> None:
    path = script(_training(9, "if step == 6: import os, signal; os.kill(os.getpid(), signal.SIGINT)"))
    seen = run("--out", "out", path)
    assert seen.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in seen.stderr
    assert "report.html" in seen.stderr
    assert read(tmp_path / "out").outcome.how == "interrupted"


def test_kill_9_leaves_a_record_that_renders(script: Callable[[str], Path], run: Run, tmp_path: Path) -> None:
    path = script(_training(400, "if step == 300: import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    seen = run("--out", "out", "--every", "20", path)
    assert seen.returncode == -signal.SIGKILL
    record = read(tmp_path / "out")
    assert record.steps
    assert record.looks
    assert record.outcome.how == "unknown"
    assert forked.run("-m", "gradreach", "report", "out", cwd=tmp_path).returncode == 0


def test_a_folder_that_cannot_be_written_is_replaced_by_another(
    script: Callable[[str], Path], run: Run, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    seen = run("--out", "file/out", script(_training()))
    assert seen.returncode == 0
    assert "gradreach: cannot write to" in seen.stderr
    assert "report.html" in seen.stderr


def test_a_disk_that_fills_up_ends_the_record_not_the_run(
    script: Callable[[str], Path], run: Run, tmp_path: Path
) -> None:
    """Files that cannot grow past a limit stand for a full disk: the write fails in mid-run either way."""
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
    path = script(limit + _training(60, "if step == 59: print('trained')"))
    seen = run("--out", "out", "--every", "1", path)
    assert seen.returncode == 0
    assert seen.stdout == "trained\n"
    assert "the recording stopped" in seen.stderr
    assert read(tmp_path / "out").looks


def test_findings_can_fail_a_run_that_succeeded(script: Callable[[str], Path], run: Run) -> None:
    path = script(_training(6, "model.weight_hh_l0.data.fill_(float('nan'))"))
    assert run("--out", "a", "--fail-on", "error", path).returncode == 1
    assert run("--out", "b", path).returncode == 0


def test_children_of_the_script_are_left_alone(script: Callable[[str], Path], run: Run) -> None:
    loader = """
        import torch
        from torch.utils.data import DataLoader, TensorDataset
        if __name__ == "__main__":
            data = TensorDataset(torch.randn(32, 3), torch.randn(32, 1))
            model = torch.nn.Linear(3, 1)
            for context in ("fork", "spawn"):
                for x, y in DataLoader(data, 8, num_workers=2, multiprocessing_context=context):
                    (model(x) - y).square().mean().backward()
            print("done")
    """
    seen = run("--out", "out", script(loader))
    assert seen.returncode == 0, seen.stderr
    assert seen.stdout == "done\n"


@pytest.mark.slow(7, "starts torchrun and two processes")
def test_every_rank_records_and_rank_0_reports_on_all(script: Callable[[str], Path], tmp_path: Path) -> None:
    path = script("""
        import torch
        import torch.distributed as dist
        dist.init_process_group("gloo")
        rank = dist.get_rank()
        torch.manual_seed(0)
        model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 1))
        for step in range(12):
            model.zero_grad()
            loss = model(torch.full((2, 4), float(rank + 1))).square().mean()
            (loss * (float("nan") if rank and step == 9 else 1.0)).backward()
        dist.barrier()
        dist.destroy_process_group()
    """)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "rank7.sqlite").write_text("of an older run")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone",
         "-m", "gradreach", "run", "--out", "out", str(path)],
        cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert ranks(tmp_path / "out") == (0, 1)
    assert {read(rank_file(tmp_path / "out", r)).run.rank for r in (0, 1)} == {0, 1}
    assert done.stderr.count("report.html") == 1
    assert "gradreach: rank 1" in done.stderr
    assert all(len(read(rank_file(tmp_path / "out", r)).steps) == 12 for r in (0, 1))


def test_a_script_that_only_asks_whether_torch_is_there_first_is_watched(
    script: Callable[[str], Path], run: Run, tmp_path: Path
) -> None:
    asking = "import importlib.util\nassert importlib.util.find_spec('torch') is not None\n"
    assert run("--out", "out", script(asking + _training())).returncode == 0
    assert len(read(tmp_path / "out").steps) == 5


def test_torch_is_imported_by_the_script_alone(script: Callable[[str], Path], run_from_its_start: Run) -> None:
    """What a script sets before it imports torch (threads, devices) must still count."""
    path = script("import sys; print([m for m in ('torch', 'numpy') if m in sys.modules])")
    assert run_from_its_start(path).stdout == "[]\n"


def test_json_and_html_go_where_they_are_asked(script: Callable[[str], Path], run: Run, tmp_path: Path) -> None:
    moving = "import os; os.makedirs('elsewhere', exist_ok=True); os.chdir('elsewhere')\n"
    seen = run("--out", "out", "--json", "r.json", "--html", "r.html", script(moving + _training()))
    assert seen.returncode == 0
    assert json.loads((tmp_path / "r.json").read_text())["schema"] == "gradreach/1"
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")

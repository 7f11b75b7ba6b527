"""Compiled loops are kept for a user, not for an installation, and never used for other sources."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gradreach

pytest.importorskip("numba", reason="the compiled loops need numba, which is an extra")

PROGRAM = """
import json, torch
from gradreach.engine.cells.compiled import loops, rnn
pre, h = torch.ones(2, 1, 3), torch.zeros(3, 1, 3)
rnn.forward(rnn.TANH, pre.numpy(), torch.eye(3).numpy(), h.numpy())
stats = rnn._ahead.stats
print(json.dumps({"folder": loops.kept_in(), "h": h[1, 0, 0].item(),
                  "compiled": len(stats.cache_misses), "loaded": len(stats.cache_hits)}))
"""


def installed(folder: Path, *, changed: str = "", read_only: bool = False) -> Path:
    """A copy of the package in a folder of its own, one of the loops' files changed by a line."""
    source = Path(gradreach.__file__).parent
    shutil.copytree(source, folder / "gradreach", ignore=shutil.ignore_patterns("__pycache__"))
    part = folder / "gradreach/engine/cells/compiled/simd.py"
    part.write_text(part.read_text(encoding="utf-8") + changed, encoding="utf-8")
    if read_only:
        for each in [folder, *folder.rglob("*")]:
            each.chmod(0o555 if each.is_dir() else 0o444)
    return folder


def run_in(package: Path, cache: Path, **more: str) -> dict[str, object]:
    places = {"HOME": str(cache), "XDG_CACHE_HOME": str(cache), "LOCALAPPDATA": str(cache), "PYTHONPATH": str(package)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment |= places | more | {"PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=cache)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.mark.slow(20, "compiles a loop in five processes")
def test_another_installation_finds_what_one_has_compiled(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    one = installed(tmp_path / "one", read_only=True)
    first = run_in(one, cache)
    assert (first["compiled"], first["loaded"]) == (1, 0)
    assert str(first["folder"]).startswith(str(cache))
    assert not list(one.rglob("*.nb[ci]"))

    second = run_in(installed(tmp_path / "two"), cache)
    assert (second["compiled"], second["loaded"]) == (0, 1)
    assert second["h"] == first["h"]

    other = run_in(installed(tmp_path / "three", changed="\n# of another version\n"), cache)
    assert (other["compiled"], other["loaded"]) == (1, 0)
    assert other["folder"] != first["folder"]

    asked_for = tmp_path / "asked for"
    assert str(run_in(one, cache, NUMBA_CACHE_DIR=str(asked_for))["folder"]).startswith(str(asked_for))

    (tmp_path / "no folder").write_text("")
    nowhere = str(tmp_path / "no folder")
    beside = run_in(installed(tmp_path / "four"), cache, HOME=nowhere, XDG_CACHE_HOME=nowhere, LOCALAPPDATA=nowhere)
    assert str(beside["folder"]).startswith(str(tmp_path / "four"))

"""`gradreach run` writes to every sink that another package registers, and to its own file whatever becomes of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gradreach.record.schema import Step
from gradreach.record.store import read

PACKAGE = """
from gradreach.record.sinks.sink import Destination


class Lines:
    def __init__(self, folder):
        self.file = open(folder / "lines.txt", "w")

    def write(self, entry):
        print(type(entry).__name__, file=self.file)

    def flush(self):
        self.file.flush()

    def close(self):
        self.file.close()


class Broken(Lines):
    def write(self, entry):
        raise ValueError("no room")


def locked(folder, run):
    raise PermissionError("no key")


LINES = Destination("lines", lambda folder, run: Lines(folder))
BROKEN = Destination("broken", lambda folder, run: Broken(folder / ".."))
LOCKED = Destination("locked", locked)
"""
ENTRY_POINTS = """
[gradreach.sinks]
broken = other_package:BROKEN
lines = other_package:LINES
locked = other_package:LOCKED
"""
SCRIPT = """
import torch
model = torch.nn.Linear(2, 1)
for _ in range(5):
    model(torch.ones(1, 2)).sum().backward()
print("done")
"""


def test_every_registered_sink_is_written_to_and_none_can_harm(tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    (installed / "other_package-1.0.dist-info").mkdir(parents=True)
    (installed / "other_package.py").write_text(PACKAGE)
    (installed / "other_package-1.0.dist-info" / "METADATA").write_text("Name: other-package\nVersion: 1.0\n")
    (installed / "other_package-1.0.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "train.py").write_text(SCRIPT)
    code = (
        "import sys; from pathlib import Path; from gradreach.watch.launch.launch import watch; "
        "from gradreach.watch.launch.options import WatchOptions; "
        "from gradreach.watch.launch.program import Program; "
        f"result = watch(Program({str(tmp_path / 'train.py')!r}), WatchOptions(Path({str(tmp_path / 'out')!r}))); "
        "print(result.trouble)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(installed)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "done\nBroken takes no more of this run: no room\n"
    record = read(tmp_path / "out")
    assert len(record.steps) == 5
    assert set(record.notes) == {
        "Broken takes no more of this run: no room",
        "The sink locked of other-package could not be opened: no key.",
    }
    lines = (tmp_path / "out" / "lines.txt").read_text().split()
    assert lines.count(Step.__name__) == 5
    assert lines[-1] == "Outcome"

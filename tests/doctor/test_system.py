"""Checks of what gradreach stands on."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gradreach.doctor.checks import disk, extras, packages, python, settings, terminal
from gradreach.doctor.checks.disk import file_system, over_network
from gradreach.doctor.checks.packages import Requirement, diagnosis

MOUNTS = r"""
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/me/fast xfs rw 0 0
//host/share /mnt/two\040words cifs rw 0 0
broken
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    file = tmp_path / "mounts"
    file.write_text(MOUNTS)
    return file


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/work", "ext4"),
        ("/home", "nfs4"),
        ("/home/me/runs", "nfs4"),
        ("/home/me/fast/runs", "xfs"),
        ("/homeless", "ext4"),
        ("/mnt/two words/x", "cifs"),
    ],
)
def test_the_innermost_mount_holds_a_folder(mounts: Path, folder: str, kind: str) -> None:
    assert file_system(Path(folder), mounts) == kind


def test_where_the_kernel_says_nothing_the_type_is_unknown(tmp_path: Path) -> None:
    assert file_system(tmp_path, tmp_path / "missing") == ""


@pytest.mark.parametrize(
    ("kind", "network"),
    [("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("lustre", True), ("ext4", False), ("overlay", False)],
)
def test_network_file_systems_are_known_by_their_type(kind: str, network: bool) -> None:
    assert over_network(kind) is network


def test_a_network_file_system_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(disk, "file_system", lambda _folder: "nfs4")
    seen = disk.disk()
    assert seen.state == "warning"
    assert "nfs4: a network file system" in seen.text
    assert "--out" in seen.do
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(disk, "file_system", lambda _folder: "ext4")
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=disk.LEAST_SPACE - 1))
    assert disk.disk().state == "warning"
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=disk.LEAST_SPACE))
    assert disk.disk().state == "ok"


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(disk.tempfile, "TemporaryDirectory", refused)
    seen = disk.disk()
    assert (seen.state, seen.text) == ("error", f"{tmp_path} cannot be written: Permission denied")


def test_python_and_packages_are_told_by_version() -> None:
    assert python.python().state == "ok"
    assert python.python().text.startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    seen = packages.packages()
    assert seen.state == "ok"
    for name in ("gradreach", "torch", "numpy", "rich", "typer", "jinja2", "msgspec", "jaxtyping"):
        assert f"{name} " in seen.text


def test_an_old_python_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "PYTHON", (99, 0))
    assert python.python().state == "error"
    assert python.python().do == "gradreach needs Python 99.0 or later"


def test_a_package_missing_or_too_old_is_an_error_with_its_command() -> None:
    seen = diagnosis(
        [Requirement("rich", "1.0", ""), Requirement("rich", "999.1", ""), Requirement("no-such-thing", "2", "")], ""
    )
    assert seen.state == "error"
    assert seen.do == "pip install 'rich>=999.1' 'no-such-thing>=2'"
    assert "no-such-thing missing" in seen.text


@pytest.mark.parametrize(
    ("there", "least", "enough"),
    [
        ("2.13.0+cpu", "2.6", True),
        ("2.6", "2.6", True),
        ("2.5.9", "2.6", False),
        ("10.0", "9.9", True),
        (None, "1", False),
    ],
)
def test_versions_are_compared_by_number(there: str | None, least: str, enough: bool) -> None:
    assert packages.enough(there, least) is enough


def test_an_extra_that_is_absent_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        extras, "requirements", lambda: [Requirement("rich", "1", "fast"), Requirement("no-such-thing", "2", "plots")]
    )
    seen = extras.extras()
    assert seen.state == "ok"
    assert seen.text.startswith("rich ")
    assert seen.text.endswith("not installed: plots (pip install 'gradreach[plots]')")


def test_a_terminal_without_symbols_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    seen = terminal.terminal({"NO_COLOR": "1"})
    assert seen.state == "warning"
    assert "ascii, no terminal, so no colour, NO_COLOR is set" in seen.text
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert terminal.terminal({}).state == "ok"


def test_settings_are_told_with_their_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.gradreach]\nbudget = 0.1\nignore = ["GR303"]\n[tool.gradreach.thresholds]\nspike = 20\n')
    seen = settings.in_force()
    assert seen.text == f"{file}: budget 10 %, ignored GR303, 1 threshold set: spike"
    file.write_text("[tool.gradreach]\nbuget = 0.1\n")
    assert settings.in_force().state == "error"
    assert settings.in_force().text.endswith("did you mean budget?")
    file.unlink()
    assert "budget 2 %" in settings.in_force().text
    assert os.listdir(tmp_path) == []

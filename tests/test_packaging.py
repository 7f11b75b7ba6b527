"""What is shipped: the wheel holds all of the package and nothing else, the sdist what its tests and pages need."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = {
    str(path.relative_to(ROOT / "src"))
    for path in (ROOT / "src/gradreach").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(out)], cwd=ROOT, check=True)
    return out


def test_the_wheel_is_the_package(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in held if ".dist-info/" not in name} == PACKAGE
    assert {"gradreach/py.typed", "gradreach/__init__.pyi", "gradreach/report/templates/report.html.j2"} <= PACKAGE
    assert any(name.endswith("licenses/LICENSE") for name in held)


def test_the_sdist_can_be_tested_and_documented(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{name}" for name in PACKAGE} <= held
    assert {
        "README.md",
        "LICENSE",
        "Makefile",
        "tests/conftest.py",
        "docs/conf.py",
        "docs/pictures/first-light.png",
    } <= held

"""What a project's pyproject.toml may set, and what is said where it is wrong."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gradreach import settings
from gradreach.facts.thresholds import DEFAULT, Threshold
from gradreach.rules.registry import THRESHOLDS
from gradreach.settings import BadSettings, Settings


def write(folder: Path, text: str) -> Path:
    file = folder / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_nothing_set_is_the_default(tmp_path: Path) -> None:
    assert settings.of(tmp_path) == Settings(0.02, (), DEFAULT, None)


def test_what_is_set_is_in_force_with_its_source(tmp_path: Path) -> None:
    file = write(tmp_path, '[tool.gradreach]\nbudget = 0.05\nignore = ["GR101", "gr303"]\n')
    assert settings.of(tmp_path) == Settings(0.05, ("GR101", "GR303"), DEFAULT, file)


def test_the_nearest_file_with_the_table_counts(tmp_path: Path) -> None:
    outer = write(tmp_path, "[tool.gradreach]\nbudget = 0.5\n")
    inner = tmp_path / "package" / "deep"
    inner.mkdir(parents=True)
    write(tmp_path / "package", '[project]\nname = "x"\ndependencies = ["gradreach"]\n[tool.ruff]\n')
    assert settings.of(inner) == Settings(0.5, source=outer)
    nearest = write(inner, "[tool.gradreach]\n")
    assert settings.of(inner) == Settings(source=nearest)


def test_the_current_folder_is_where_it_looks_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, "[tool.gradreach]\nbudget = 1\n")
    monkeypatch.chdir(tmp_path)
    assert settings.of() == Settings(1.0, source=file)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("buget = 0.02", ["unknown key 'buget'", "did you mean budget?"]),
        ("colour = true", ["unknown key 'colour'", "expected one of budget, memory, ignore, thresholds"]),
        ("budget = 0", ["budget: expected a share of the wall time above 0 and up to 1, got 0; try 0.02"]),
        ("budget = 1.5", ["got 1.5"]),
        ("budget = nan", ["got nan"]),
        ("budget = true", ["budget: expected a share", "got true"]),
        ('budget = "2 %"', ["got '2 %'"]),
        ("memory = 0", ["memory: expected a size of memory, got 0", '"500MB"']),
        ('memory = "much"', ["got 'much'"]),
        ('ignore = "GR101"', ["ignore: expected a list of codes, got 'GR101'", '["GR101"]']),
        ("ignore = [101]", ["ignore: expected a list of codes, got [101]"]),
        ('ignore = ["GR4O1"]', ["ignore: no rule has the code 'GR4O1'", "did you mean GR401?"]),
        ('ignore = ["???"]', ["`gradreach rules` lists them"]),
        ("thresholds = 3", ["[tool.gradreach.thresholds]: expected a table, got 3"]),
        ("thresholds.nonsense = 3", ["[tool.gradreach.thresholds]: unknown key 'nonsense'"]),
    ],
)
def test_what_is_wrong_is_said_with_file_key_and_what_to_do(tmp_path: Path, table: str, told: list[str]) -> None:
    file = write(tmp_path, f"[tool.gradreach]\n{table}\n")
    with pytest.raises(BadSettings) as raised:
        settings.of(tmp_path)
    for part in [str(file), *told]:
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("each", THRESHOLDS.values(), ids=lambda each: each.key)
def test_a_threshold_is_a_number_in_its_range(tmp_path: Path, each: Threshold) -> None:
    for value in (each.low, min(each.high, 1e30)):
        write(tmp_path, f"[tool.gradreach.thresholds]\n{each.key} = {value!r}\n")
        assert settings.of(tmp_path).thresholds[each] == value
    above = [str(2 * each.high), "inf"] if math.isfinite(each.high) else []
    for came in ("-1", "nan", "true", '"much"', "[1]", *above):
        write(tmp_path, f"[tool.gradreach.thresholds]\n{each.key} = {came}\n")
        told = rf"\[tool\.gradreach\.thresholds\] {each.key}: expected {re.escape(each.range)}, got"
        with pytest.raises(BadSettings, match=told):
            settings.of(tmp_path)


def test_a_misspelt_threshold_is_suggested(tmp_path: Path) -> None:
    for each in THRESHOLDS.values():
        write(tmp_path, f"[tool.gradreach.thresholds]\n{each.key}x = 1\n")
        with pytest.raises(BadSettings, match=f"unknown key '{each.key}x'; did you mean {each.key}?"):
            settings.of(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[tool.gradreach\n", "expected TOML"),
        (b"[tool.gradreach]\nbudget = '\xff'\n", "expected UTF-8"),
        (b"[tool]\ngradreach = 3\n", "tool.gradreach: expected a table, got 3"),
    ],
)
def test_a_file_that_is_no_toml_is_an_error(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "pyproject.toml").write_bytes(content)
    with pytest.raises(BadSettings, match=told):
        settings.of(tmp_path)


def test_reading_settings_imports_next_to_nothing(tmp_path: Path) -> None:
    write(tmp_path, '[project]\nname = "no table here"\n')
    script = (
        "import sys; from gradreach import settings; settings.of(); "
        "sys.exit(' '.join({'torch', 'numpy', 'tomllib', 'difflib', 'gradreach.rules.registry'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""

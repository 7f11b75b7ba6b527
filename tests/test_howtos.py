"""README and how-tos show what is: each text and picture is one that docs/pictures.py makes, and made anew it says the
same."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import pytest

from docs import pictures

SHOWN = {path: path.read_text(encoding="utf-8") for path in sorted((pictures.DOCS / "howto").glob("*.md"))}
LARGEST = 200_000
"""Bytes of a picture."""


def stored(name: str) -> str:
    return (pictures.PICTURES / f"{name}.txt").read_text(encoding="utf-8")


def told(text: str) -> tuple[list[str], str]:
    """Severity and code of each finding on a last screen, and the beginning of its verdict without figures."""
    findings = re.findall(r"^(error|warning|info) +(GR\d+)", text, re.MULTILINE)
    verdict = text.split("\n\n")[1].replace("\n", " ")
    return [" ".join(each) for each in findings], re.sub(r"\d[\d.,e-]*", "#", re.split(r": |\. ", verdict)[0])


def test_what_is_stored_is_what_is_made() -> None:
    made = {f"{name}.txt" for name in pictures.RUNS}
    made |= {f"{name}-{scheme}.png" for name, run in pictures.RUNS.items() if run.page for scheme in ("light", "dark")}
    assert {path.name for path in pictures.PICTURES.iterdir()} == made


def test_pictures_are_small_and_of_their_page() -> None:
    for name, run in pictures.RUNS.items():
        for path in pictures.PICTURES.glob(f"{name}-*.png") if run.page else ():
            picture = path.read_bytes()
            assert len(picture) < LARGEST, path.name
            assert run.page
            assert struct.unpack(">II", picture[16:24]) == tuple(side * pictures.SHARPNESS for side in run.page)


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.stem)
def test_a_howto_names_the_commands_that_it_shows_the_screens_of(page: Path) -> None:
    for name in re.findall(r"literalinclude\} \.\./pictures/(\S+)\.txt", SHOWN[page]):
        run = pictures.RUNS[name]
        assert f"    gradreach run {' '.join((run.name, *run.options))}\n" in SHOWN[page]


def test_the_threshold_that_is_told_is_the_one_that_is_tried() -> None:
    assert f"(model.parameters(), {pictures.RUNS['clip-after'].options[1]})" in stored("clip")


def test_the_readme_shows_the_run_of_its_picture() -> None:
    readme = (pictures.DOCS.parent / "README.md").read_text(encoding="utf-8")
    quoted = re.search(r"^    Your gradients vanish.*?^    do      \S+$", readme, re.MULTILINE | re.DOTALL)
    assert quoted
    screen = stored("first").splitlines()
    assert {line.removeprefix("    ") for line in quoted[0].splitlines()} <= set(screen)
    for link in re.findall(r"\]\((?!http)([^)#]+)|(?:srcset|src)=\"([^\"]+)", readme):
        assert (pictures.DOCS.parent / "".join(link)).is_file(), link


@pytest.mark.parametrize("name", pictures.RUNS)
def test_the_second_run_has_no_alarm_left(name: str) -> None:
    findings, verdict = told(stored(name))
    alarms = [each for each in findings if not each.startswith("info")]
    assert bool(alarms) != name.endswith("-after")
    assert (verdict == "Learns, and nothing found") is not bool(alarms)


@pytest.mark.slow(8, "runs the script of a how-to to its end")
@pytest.mark.parametrize("name", pictures.RUNS)
def test_made_anew_it_says_the_same(name: str, tmp_path: Path) -> None:
    pictures.watch(name, tmp_path)
    assert told((tmp_path / f"{name}.txt").read_text(encoding="utf-8")) == told(stored(name))


@pytest.mark.slow(5, "runs a script, and photographs its page light and dark")
def test_pictures_can_be_made(browser: Any, tmp_path: Path) -> None:
    pictures.make(browser, "nan", tmp_path)
    light, dark = (tmp_path / f"nan-{scheme}.png" for scheme in ("light", "dark"))
    assert light.read_bytes() != dark.read_bytes()
    assert all(picture.stat().st_size < LARGEST for picture in (light, dark))

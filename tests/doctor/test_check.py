"""All checks are made, each is told before it begins, and one that raises is what is wrong."""

from __future__ import annotations

import pytest

from gradreach.doctor.check import Check, Diagnosis, as_dict, checks, examine
from gradreach.doctor.process import NoAnswer, Timeout, answer_of


def sound() -> Diagnosis:
    return Diagnosis("ok", "well")


def broken() -> Diagnosis:
    raise RuntimeError("no such device\nand more lines")


def mute() -> Diagnosis:
    raise ValueError


def test_every_check_is_made_in_order_whatever_the_others_do() -> None:
    begun: list[str] = []
    four = [Check(name, 0, look) for name, look in zip("abcd", (sound, broken, mute, sound), strict=True)]
    came = list(examine(four, begun.append))
    assert begun == ["a", "b", "c", "d"]
    assert [found.state for _, found in came] == ["ok", "error", "error", "ok"]
    assert came[1] == ("b", Diagnosis("error", "RuntimeError: no such device"))
    assert came[2][1].text == "ValueError: no message"


def test_a_check_is_a_flat_dict() -> None:
    assert as_dict("disk", Diagnosis("warning", "full", "make room")) == {
        "name": "disk",
        "state": "warning",
        "text": "full",
        "do": "make room",
    }


def test_the_checks_are_made_in_the_order_of_what_they_build_on() -> None:
    names = [check.name for check in checks()]
    assert names[:6] == ["Python", "packages", "extras", "torch", "devices", "hooks"]
    assert names[6:] == ["compile", "AMP", "distributed", "disk", "terminal", "settings"]


@pytest.fixture
def module(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(tmp_path)
    return "a_module_for_the_doctor"


def write(folder: object, name: str, text: str) -> None:
    with open(f"{folder}/{name}.py", "w", encoding="utf-8") as file:
        file.write(text)


def test_the_last_line_of_another_process_is_its_answer(tmp_path: object, module: str) -> None:
    write(tmp_path, module, 'print("noise"); print(\'{"seen": 3}\')')
    assert answer_of(module, 60.0) == {"seen": 3}


def test_a_process_that_fails_says_why(tmp_path: object, module: str) -> None:
    write(tmp_path, module, 'raise OSError("no compiler")')
    with pytest.raises(NoAnswer, match="OSError: no compiler"):
        answer_of(module, 60.0)
    write(tmp_path, module, "raise SystemExit(3)")
    with pytest.raises(NoAnswer, match="exit code 3"):
        answer_of(module, 60.0)


def test_a_process_that_hangs_is_given_up(tmp_path: object, module: str) -> None:
    write(tmp_path, module, "import time; time.sleep(600)")
    with pytest.raises(Timeout, match=r"no answer within 0\.5 s"):
        answer_of(module, 0.5)

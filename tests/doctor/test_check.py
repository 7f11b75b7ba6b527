"""All checks are made, each is told before it begins, and one that raises is what is wrong."""

from __future__ import annotations

import pytest

from gradreach.doctor.check import Check, Seen, made
from gradreach.doctor.process import Failed, TooSlow, answer_of


def sound() -> Seen:
    return Seen("ok", "well")


def broken() -> Seen:
    raise RuntimeError("no such device\nand more lines")


def mute() -> Seen:
    raise ValueError


def test_every_check_is_made_in_order_whatever_the_others_do() -> None:
    begun: list[str] = []
    came = list(made({"a": sound, "b": broken, "c": mute, "d": sound}, begun.append))
    assert begun == ["a", "b", "c", "d"]
    assert [check.seen.state for check in came] == ["ok", "error", "error", "ok"]
    assert came[1] == Check("b", Seen("error", "RuntimeError: no such device"))
    assert came[2].seen.text == "ValueError: no message"


def test_a_check_is_a_flat_dict() -> None:
    assert Check("disk", Seen("warning", "full", "make room")).as_dict() == {
        "name": "disk",
        "state": "warning",
        "text": "full",
        "do": "make room",
    }


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
    with pytest.raises(Failed, match="OSError: no compiler"):
        answer_of(module, 60.0)
    write(tmp_path, module, "raise SystemExit(3)")
    with pytest.raises(Failed, match="exit code 3"):
        answer_of(module, 60.0)


def test_a_process_that_hangs_is_given_up(tmp_path: object, module: str) -> None:
    write(tmp_path, module, "import time; time.sleep(600)")
    with pytest.raises(TooSlow, match=r"no answer within 0\.5 s"):
        answer_of(module, 0.5)

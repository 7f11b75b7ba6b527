"""The summary on a terminal and in a log."""

import io

import pytest
from rich.console import Console

from gradreach.report import Report
from gradreach.report.terminal import WIDTH, print_summary

from .records import ALL, FINDINGS


def printed(name: str, path: str = "", encoding: str = "utf-8", **console: object) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    report = Report(ALL[name], FINDINGS.get(name, ()), ("GR201",), {"GR401": "its evidence is not recorded"})
    print_summary(report, Console(file=stream, **{"width": WIDTH, **console}), path)  # type: ignore[arg-type]
    stream.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("name", ALL)
def test_fits_a_hundred_columns_without_escape_codes(name: str, encoding: str) -> None:
    text = printed(name, "/tmp/report.html", encoding)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())
    assert text.splitlines()[-1] == "report: /tmp/report.html"


def test_an_ascii_log_spells_the_symbols() -> None:
    text = printed("vanishing", encoding="ascii")
    assert "gamma*lambda" in text
    assert "?" not in text.replace("vanishing?", "").replace("NaN?", "").replace("threshold?", "")


def test_order_from_verdict_to_path() -> None:
    text = printed("vanishing", "out/report.html")
    parts = [
        "Threshold clips",
        "warning GR303",
        "info    GR101",
        "recurrent layer",
        "\ndepth ",
        "\nnorm ",
        "passed  ",
        "vanishing through depth",
        "not made",
        "overhead",
    ]
    places = [text.index(part) for part in [*parts, "report: out/report.html"]]
    assert places == sorted(places)


def test_a_finding_says_where_why_and_what_to_do() -> None:
    text = printed("broken")
    for part in (
        "`rnn` layer 0, step 121",
        "norm before 900",
        "Step 121 holds the first NaN",
        "clip_grad_norm_",
        "gradreach explain GR301",
    ):
        assert part in text


def test_colour_on_a_terminal_alone() -> None:
    assert "\x1b[" in printed("vanishing", force_terminal=True, color_system="standard")


def test_markup_in_names_is_text() -> None:
    text = printed("hostile")
    assert "[bold" in text
    assert "\x1b" not in text


def test_a_long_path_is_not_broken() -> None:
    path = "/very" * 60 + "/report.html"
    assert printed("healthy", path).splitlines()[-1] == f"report: {path}"


def test_nothing_seen_is_one_sentence() -> None:
    text = printed("empty")
    assert "No backward pass was seen: hello.py ran to its end" in text
    assert "recurrent layer" not in text


def test_rich_prints_a_report_itself() -> None:
    console = Console(file=io.StringIO(), width=WIDTH)
    console.print(Report(ALL["healthy"]))
    assert "Healthy:" in console.file.getvalue()  # type: ignore[attr-defined]

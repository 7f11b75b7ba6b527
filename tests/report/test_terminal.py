"""The summary on a terminal and in a log."""

import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from gradreach.record.look import Look
from gradreach.record.schema import Finding, Overhead, Record, Remedy
from gradreach.report.charts.flow import lines
from gradreach.report.charts.terminal_card import WIDTH, console_for
from gradreach.report.last_screen import ROWS
from gradreach.report.terminal import print_summary
from tests.records.findings import FINDINGS, VANISHING
from tests.records.parts import run
from tests.records.runs import ALL
from tests.report.reports import report_of


def printed(name: str, path: str = "", encoding: str = "utf-8", *, verbose: bool = True, **console: object) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    report = report_of(ALL[name], FINDINGS.get(name, ()), ("GR201",), {"GR204": "no ReLU was seen"})
    screen = Console(file=stream, **{"width": WIDTH, **console})  # type: ignore[arg-type]
    print_summary(report.conclusions, screen, path, verbose=verbose)
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


def test_all_that_is_known_stands_above_the_last_screen() -> None:
    text = printed("vanishing", "out/report.html")
    parts = [
        "warning GR303",
        "info    GR101",
        "recurrent layer",
        "\ndepth ",
        "\nnorm ",
        "passed   1 check found nothing: vanishing through depth",
        "not made dead units: no ReLU was seen",
        "overhead",
        "Clipping threshold far too low",
        "\nwarning GR303 clipping",
        "\ndo ",
        "Is my RNN vanishing?",
        "Did anything turn NaN?",
        "Which clip threshold?",
        "1 check passed, 1 not made; ",
    ]
    at = 0
    for part in [*parts, "report: out/report.html"]:
        at = text.index(part, at)


@pytest.mark.parametrize("name", ALL)
def test_the_last_screen_is_eighty_columns_by_twenty_three_rows(name: str) -> None:
    rows = printed(name, "out/report.html", verbose=False, width=80).splitlines()
    assert len(rows) <= ROWS
    assert max(map(len, rows)) <= 80
    assert rows[-1] == "report: out/report.html"


def test_the_last_screen_holds_verdict_findings_remedy_and_answers() -> None:
    text = printed("vanishing", "out/report.html", verbose=False, width=80)
    parts = [
        "Clipping threshold far too low",
        "\nwarning GR303 ",
        "\ninfo    GR101 ",
        "\ndo      ",
        "Is my RNN vanishing?",
    ]
    places = [text.index(part) for part in [*parts, "1 check passed, 1 not made (--verbose lists them)"]]
    assert places == sorted(places)
    assert "evidence" not in text
    assert "…" not in text
    assert "Is my RNN vanishing?" not in printed("empty", verbose=False)


def test_of_findings_that_find_no_room_the_number_is_told() -> None:
    many = tuple(replace(VANISHING, severity="warning", where={"module": f"part{n}.rnn"}) for n in range(40))
    out = io.StringIO()
    print_summary(report_of(ALL["vanishing"], many).conclusions, Console(file=out, width=80))
    rows = out.getvalue().splitlines()
    assert len(rows) <= ROWS
    shown = sum(row.startswith("warning GR101") for row in rows)
    assert f"        and {40 - shown} more on the page" in rows


def test_a_place_is_shortened_before_it_takes_a_row() -> None:
    text = of(
        (replace(VANISHING, where={**VANISHING.where, "kind": "LSTM", "site": f"{'deep/' * 15}train.py:12"}),),
        verbose=False,
    )
    assert "info    GR101 vanishing through time  `rnn` layer 0\n" in text


def test_the_scripts_line_that_broke_stands_before_the_remedy() -> None:
    broken = ALL["broken"]
    origin = replace(broken.nonfinite[0], source="train.py:4", code="p = torch.log(q)")
    text = of(FINDINGS["broken"], replace(broken, nonfinite=(origin,)), verbose=False)
    assert "\nline    p = torch.log(q)\ndo      " in text
    assert "line    " not in of((VANISHING,), verbose=False)


def test_long_code_is_left_to_the_page() -> None:
    code = Remedy("long", "\n".join(f"line {n}" for n in range(9)), "why")
    text = of((replace(VANISHING, severity="warning", remedies=(code,)),), verbose=False)
    assert "do      line 0  # and what follows it on the page\n        Why\n" in text


def test_the_answer_in_short_stands_out_on_a_terminal() -> None:
    short = report_of(ALL["broken"], FINDINGS["broken"]).answers[-1].short
    assert short
    assert f"\x1b[1m{short}" in printed("broken", force_terminal=True, color_system="standard")


def test_checks_that_lacked_the_same_are_named_together_under_one_word() -> None:
    lacking = {"GR203": "no tanh", "GR204": "no ReLU", "GR201": "no tanh"}
    out = io.StringIO()
    print_summary(report_of(ALL["healthy"], (), (), lacking).conclusions, Console(file=out, width=WIDTH), verbose=True)
    text = out.getvalue()
    assert "not made saturated activations; vanishing through depth: no tanh\n         dead units: no ReLU\n" in text


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
    console.print(report_of(ALL["healthy"]))
    assert "Learns, and nothing found:" in console.file.getvalue()  # type: ignore[attr-defined]


def of(findings: tuple[Finding, ...], record: Record = ALL["vanishing"], *, verbose: bool = True) -> str:
    out = io.StringIO()
    print_summary(report_of(record, findings).conclusions, Console(file=out, width=WIDTH), verbose=verbose)
    return out.getvalue()


def test_information_is_told_once_without_what_to_do() -> None:
    text = of((VANISHING,))
    assert "info    GR101 vanishing through time  `rnn` layer 0\n        r(ℓ) falls" in text
    assert text.count("gradreach explain GR101") == 1
    for part in ("evidence", "because", "model.rnn = ", "orthogonal_"):
        assert part not in text


def test_layers_under_one_code_share_an_entry_and_a_warning_stands_alone() -> None:
    shared = "It does no harm here."
    first, second = (
        replace(VANISHING, where={**VANISHING.where, "layer": n}, because=f"r falls after lag {9 - n}. {shared}")
        for n in (0, 1)
    )
    text = of((first, second))
    assert "info    GR101 vanishing through time  `rnn`\n" in text
    assert "layer 0: R falls after lag 9.\n" in text
    assert "layer 1: R falls after lag 8.\n" in text
    assert text.count(shared) == 1
    assert text.count("info    GR101") == 2  # in full, and on the last screen
    apart = of((replace(first, severity="warning"), replace(second, severity="warning")))
    assert apart.count("warning GR101") == 4


def test_what_the_data_was_asked_and_what_came_out() -> None:
    text = " ".join(of((), ALL["asked"]).split())
    assert (
        "data `rnn`, 256 sequences up to step 242: The error still depends on the input 29–43 steps back (share 24 %"
        in text
    )
    assert "comes from there is 0.00438 of the near one: it vanishes." in text
    assert "Of the input 44–59 steps back there is not enough data yet: a share of 9 %" in text
    assert "data `rnn`: Not enough data yet: 12 positions in 3 sequences" in " ".join(of((), ALL["scarce"]).split())
    assert "\ndata" not in of(())


@pytest.mark.parametrize(
    ("every", "text"),
    [
        (None, "1.3 % of the wall time, budget 2 %"),
        (1, "1.3 % of the wall time; every step watched, as asked"),
        (7, "1.3 % of the wall time; one step in 7 watched, as asked"),
    ],
)
def test_overhead_is_held_against_a_budget_only_where_there_was_one(every: int | None, text: str) -> None:
    overhead = Overhead(0.02, 0.013, 0.021, 0.04, every=every)
    assert f"overhead {text}" in of((), replace(ALL["vanishing"], overhead=overhead))


@pytest.mark.parametrize(("memory", "told"), [(None, False), (0, False), (310_000_000, True)])
def test_memory_that_looks_took_stands_beside_their_time(memory: int | None, told: bool) -> None:
    overhead = Overhead(0.02, 0.013, 0.021, 0.04, memory=memory)
    text = " ".join(of((), replace(ALL["vanishing"], overhead=overhead)).split())
    assert ("1.3 % of the wall time, 310 MB more memory at the peak, budget 2 %" in text) == told


def test_a_run_over_its_budget_is_told_why() -> None:
    told = " ".join(of((), replace(ALL["vanishing"], overhead=Overhead(0.02, 0.17, 0.21, 0.4))).split())
    assert (
        "overhead 17 % of the wall time, over the budget of 2 %: planned looks and some work at each step come" in told
    )


def test_depth_names_the_first_and_the_last_module_with_weights() -> None:
    text = of(())
    assert "gradient rms 2e-5 at `encoder`, the first of 3 modules with weights, 4e-4 at `decoder`" in text
    busiest = [*ALL["gan"].steps, replace(ALL["gan"].steps[-1], step=300, site=1)]
    told = of((), replace(ALL["gan"], steps=tuple(busiest)))
    assert "backward at dcgan.py:225: gradient rms 1e-5 at `netG.main.0`, the first of 4 modules" in told
    assert "netD.main" not in told


def test_no_bound_where_no_layer_has_one_and_no_layer_of_a_cell() -> None:
    assert "γλ" in of(())
    assert "γλ" not in of((), ALL["healthy"])
    cell = replace(ALL["healthy"].looks[0].time[0], module="net.cell", kind="LSTMCell")
    assert " net.cell (LSTMCell) " in of((), replace(ALL["healthy"], looks=(Look(2, 0, 0.1, time=(cell,)),)))


def test_the_command_is_cut_between_words() -> None:
    made = replace(ALL["healthy"], run=run("main.py", "--model", "LSTM", "--data", "/" + 60 * "d"))
    assert of((), made, verbose=False).startswith("gradreach: main.py --model LSTM --data …, 200 steps")


def test_paths_in_the_current_folder_are_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = replace(ALL["vanishing"], notes=(f"read {tmp_path}/a.py:3 and {tmp_path}x/b.py",))
    note = of((), made).partition("\nnote ")[2].partition("\n\n")[0].replace("\n", " ").replace(" ", "")
    assert note == f"reada.py:3and{tmp_path}x/b.py"


def test_no_line_ends_between_a_number_and_its_unit() -> None:
    text = "the norm is 12 % of 345 steps at layer 2, step 7, γλ = 1 × 1.14 = 1.14 a step, in 3.5 s"
    for width in range(24, 90):
        broken = lines(text, width)
        assert " ".join(broken) == text
        assert max(map(len, broken)) <= width
        assert not [line for line in broken if line.startswith(("%", "steps at", "2,", "7,", "×", "=")) or line == "s"]


@pytest.mark.parametrize("stderr", [False, True])
def test_off_a_terminal_a_hundred_columns(stderr: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "stderr" if stderr else "stdout", io.StringIO())
    assert console_for(stderr=stderr).width == WIDTH

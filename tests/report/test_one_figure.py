"""What a reader sees of a run is one and the same, whatever the form: sentences and figures of page, terminal, JSON."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from functools import cached_property
from html.parser import HTMLParser
from typing import Any

import pytest
from rich.console import Console

from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Overhead, Record
from gradreach.report.report import Report
from gradreach.report.terminal import print_summary
from tests.records.runs import ALL

NAMES = [name for name in ALL if name not in ("empty", "hostile")]


class Text(HTMLParser):
    """The text of a page as a reader sees it, without style and script."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002
        self.hidden += tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def plain(text: str) -> str:
    """Without ticks, with single spaces."""
    return " ".join(text.replace("`", "").replace("\u00a0", " ").split())


@dataclass
class Seen:
    """A report in each form, drawn once."""

    report: Report

    @cached_property
    def pieces(self) -> list[str]:
        """The pieces of text of the page, each from one element."""
        reader = Text()
        reader.feed(self.report.to_html())
        return reader.parts

    @cached_property
    def page(self) -> str:
        return plain("".join(self.pieces))

    @cached_property
    def printed(self) -> str:
        console = Console(file=io.StringIO(), width=100)
        print_summary(self.report.conclusions, console, verbose=True)
        return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]

    @cached_property
    def fields(self) -> dict[str, Any]:
        return self.report.as_dict()


def uneven() -> Record:
    """The vanishing run whose looks differ, and of whose clipped steps only a part was measured."""
    made, horizons = ALL["asked"], (20, 12, 29, 4, 15)
    looks = tuple(
        replace(look, time=tuple(replace(seen, horizon=horizons[place]) for seen in look.time))
        for place, look in enumerate(made.looks)
    )
    steps = tuple(replace(step, threshold=3.0) for step in made.steps if step.step < 30 or step.step % 7 == 0)
    return replace(made, steps=steps, looks=looks, overhead=Overhead(0.02, 0.01, 0.01, 0.1, passes=300))


RUNS = {**{name: ALL[name] for name in NAMES}, "uneven": uneven()}


@pytest.fixture(params=RUNS, scope="module")
def seen(request: pytest.FixtureRequest) -> Seen:
    return Seen(Report.of(RUNS[request.param]))


def test_verdict_and_answers_read_alike(seen: Seen) -> None:
    report, printed = seen.report, plain(seen.printed)
    assert seen.fields["verdict"] == {"level": report.verdict.level, "sentence": report.verdict.sentence}
    head, _, rest = report.verdict.sentence.partition(": ")
    assert plain(report.verdict.sentence) in printed
    assert plain(head) in seen.page
    assert plain(rest[1:]) in seen.page
    assert [each["answer"] for each in seen.fields["answers"]] == [each.answer for each in report.answers]
    for each in report.answers:
        assert plain(each.answer) in seen.page
        assert all(word in printed for word in plain(each.short).split())


def test_reasons_read_alike(seen: Seen) -> None:
    printed = plain(seen.printed)
    for finding in seen.report.findings:
        for sentence in re.split(r"(?<=[.]) ", finding.because):
            assert plain(sentence)[1:] in seen.page
            assert plain(sentence)[1:] in printed


def test_nothing_reads_as_if_it_had_been_damaged(seen: Seen) -> None:
    for text in ("\n".join(seen.pieces), seen.printed, seen.report.to_json()):
        assert not re.search(r"\d\?[^\s\"]|\?\d|×\?|\?×|\ufffd|Ã|â€", text)
    report = seen.report
    for each in (report.verdict.sentence, *(a.answer for a in report.answers), *(f.because for f in report.findings)):
        assert not re.search(r"  |\s[.,;:)]|\(\s|\.\.|;\.|None|nan\b", each), each


def test_one_horizon_of_each_layer(seen: Seen) -> None:
    fields = seen.fields
    shown = {(t["module"], t["layer"], t["direction"], t["site"]): t["horizon"] for t in fields["time"]}
    sites = [site["site"] for site in fields["sites"]]
    for finding in fields["findings"]:
        where = finding["where"]
        if finding["code"] in ("GR101", "GR103"):
            key = (where["module"], where["layer"], where["direction"], sites.index(where["site"]))
            assert finding["evidence"]["horizon"] == shown[key]
        if finding["code"] in ("GR401", "GR402", "GR403") and shown:
            assert finding["evidence"]["horizon"] == max(shown.values())
    for test in fields["dependency_tests"]:
        assert test["horizon"] is None or not shown or test["horizon"] == max(shown.values())
    told = re.search(r"gets (?:only )?(\d+) of", " ".join(each["answer"] for each in fields["answers"]))
    assert told is None or int(told[1]) in shown.values()


def test_one_clip_rate_and_one_threshold(seen: Seen) -> None:
    fields = seen.fields
    clip, answer, printed = fields["norm"]["clip"], fields["answers"][2]["answer"], plain(seen.printed)
    if clip["rate"] is not None:
        assert f"threshold {figure(clip['threshold'])} clips {percent(clip['rate'])}" in printed
        told = re.findall(r"acts on ([\d.]+ %)(?: \([^)]*\))? of steps", answer)
        assert set(told) <= {percent(clip["rate"])}
    if len(fields["sites"]) > 1:
        return
    advised = [
        limit
        for finding in fields["findings"]
        if finding["code"] in ("GR302", "GR303")
        for remedy in finding["remedies"]
        for limit in re.findall(r"clip_grad_norm_\([^,]*, ([\d.e-]+)\)", remedy["do"])
    ]
    assert set(advised) <= {figure(clip["advised"], 2)}


def test_a_figure_of_an_old_look_says_of_which_step_it_is() -> None:
    old = Seen(Report.of(replace(ALL["vanishing"], looks=ALL["vanishing"].looks[:2])))
    assert ", as of step 62" in old.report.answers[0].answer
    assert "the last, as of step 62" in plain(old.printed)
    assert "as of step" not in Report.of(ALL["healthy"]).answers[0].answer

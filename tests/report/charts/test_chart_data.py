"""Charts as data: what a script gets is what is drawn, safe inside a script element, and never larger than a screen."""

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gradreach.report.charts.chart import Frame, Line, Mark, Strip, plot
from gradreach.report.charts.chart_data import chart_data

FRAME = Frame("norms", "step", "norm", log=True)


def told(*lines: Line, frame: Frame = FRAME, **more: Any) -> dict[str, Any]:
    return dict(json.loads(chart_data(frame, lines, **more)))


def test_nothing_to_draw_is_no_data() -> None:
    assert chart_data(FRAME, [Line("norm", [(0, None), (1, math.nan)])]) == ""


def test_values_that_no_log_axis_holds_are_gaps() -> None:
    points = [(0, 1.0), (1, 0.0), (2, math.inf), (3, math.nan), (4, None), (5, -1.0), (6, 0.123456789)]
    (table,) = told(Line("norm", points))["tables"]
    assert table["x"] == list(range(7))
    assert table["lines"][0]["y"] == [1, None, None, None, None, None, 0.12346]
    (table,) = told(Line("norm", points), frame=Frame("n", "s", "n"))["tables"]
    assert table["lines"][0]["y"] == [1, 0, None, None, None, -1, 0.12346]


def test_lines_over_the_same_places_share_a_table() -> None:
    same, other = [(0, 1.0), (1, 2.0)], [(0, 1.0), (2, 2.0)]
    tables = told(Line("a", same), Line("b", same, 1), Line("c", other, 2, dots=True))["tables"]
    assert [[line["name"] for line in table["lines"]] for table in tables] == [["a", "b"], ["c"]]
    assert [line["style"] for table in tables for line in table["lines"]] == ["line s0", "line s1", "line s2"]
    assert tables[1]["lines"][0]["dots"]


def test_ranges_are_those_of_the_drawing() -> None:
    fields = told(Line("a", [(0, 2.0), (9, 30.0)]), marks=[Mark("late", x=4, until=20), Mark("low", y=0.05)])
    assert fields["span"] == [0, 20]
    assert fields["range"] == [0.01, 100]


def test_marks_and_strips_are_told_as_they_are() -> None:
    marks = [Mark("spike", x=3, y=2.123456, style="spike"), Mark("rule", y=0.5, word="half")]
    fields = told(Line("a", [(0, 2.0), (9, 3.0)]), marks=marks, strips=[Strip("clipped", [(1, 4)]), Strip("none", [])])
    spike, rule = fields["marks"]
    assert (spike["x"], spike["y"], spike["style"]) == (3, 2.1235, "spike")
    assert "x" not in rule
    assert rule["word"] == "half"
    assert fields["strips"] == [{"name": "clipped", "style": "clipped", "stretches": [[1, 4]]}]


def test_a_strip_is_drawn_along_the_bottom() -> None:
    drawn = plot(FRAME, [Line("a", [(0, 2.0), (9, 3.0)])], (), [Strip("clipped", [(0, 3), (9, 9)])])
    assert drawn.count('class="clipped"') == 1
    assert drawn.split('class="clipped" d="')[1].split('"')[0].count("z") == 2


@given(st.text())
def test_no_name_ends_the_script_element(name: str) -> None:
    hostile = f"</script><!--\u2028{name}"
    text = chart_data(Frame(hostile, hostile, hostile), [Line(hostile, [(0, 1.0)])], [Mark(hostile, x=0, word=hostile)])
    assert text.isascii()
    assert not set("<>&\n") & set(text)
    assert json.loads(text)["title"].startswith("</script><!--?")

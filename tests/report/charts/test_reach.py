"""The reach curve and the lags marked in it."""

import re

from gradreach.facts.dependency import LagResult, LagVerdict
from gradreach.record.schema import Lag
from gradreach.record.seen.recurrence import Probe
from gradreach.report.charts.reach import reach_figure
from tests.records.parts import curve, lag, time_look

VERDICTS: tuple[LagVerdict, ...] = ("vanishing", "reached", "cut off", "not judged", "slight", "nothing", "undecided")


def band(found: Lag, verdict: LagVerdict) -> LagResult:
    return LagResult(found, 0.5, verdict)


def drawn(*asked: LagResult, **changes: object) -> str:
    figure = reach_figure(time_look(**{"factor": 0.7, **changes}), 90, asked=asked)  # type: ignore[arg-type]
    assert figure is not None
    return figure.svg


def widths(svg: str) -> list[float]:
    """Of each band the pixels that it spans."""
    return [float(b) - float(a) for a, b in re.findall(r'class="band \w+" d="M([\d.]+) [\d.]+V[\d.]+H([\d.]+)V', svg)]


def test_only_lags_that_the_error_depends_on_are_marked() -> None:
    svg = drawn(*(band(lag(5 * n + 1, 5 * n + 3, 0.1), verdict) for n, verdict in enumerate(VERDICTS)))
    for verdict in VERDICTS:
        assert (f", {verdict}</title>" in svg) == (verdict in VERDICTS[:4])
    assert 'class="band' not in drawn()


def test_a_band_spans_its_lags_and_a_single_lag_is_seen() -> None:
    one, ten = widths(drawn(band(lag(20, 20, 0.1), "vanishing"), band(lag(30, 39, 0.1), "vanishing")))
    step = (460 - 12 - 58) / 59
    assert abs(one - step) < 0.2
    assert abs(ten - 10 * step) < 0.2
    (last,) = widths(drawn(band(lag(59, 59, 0.1), "reached")))
    assert last > 2


def test_lags_before_the_chunk_widen_the_axis() -> None:
    svg = drawn(band(lag(60, 118, 0.1), "cut off"))
    assert ">100</text>" in svg
    assert ">100</text>" not in drawn(band(lag(40, 59, 0.1), "vanishing"))


def test_words_stand_on_lines_of_their_own() -> None:
    svg = drawn(band(lag(5, 6, 0.1), "vanishing"), band(lag(7, 9, 0.1), "vanishing"), band(lag(10, 12, 0.1), "reached"))
    heights = dict(re.findall(r'y="([\d.]+)"[^>]*class="label">((?:depends|horizon)[^<]*)<', svg))
    assert sorted(heights.values()) == ["depends: reached", "depends: vanishing", "horizon 12"]


def test_the_legend_tells_the_bands_apart_without_colour() -> None:
    asked = (band(lag(5, 6, 0.1), "vanishing"), band(lag(10, 12, 0.1), "reached"))
    figure = reach_figure(time_look(factor=0.7), 90, asked=asked)
    assert figure is not None
    assert ("error depends, no gradient from there", "band lost") in figure.legend
    assert ("error depends, gradient arrives", "band learnable") in figure.legend
    assert "5–6 (vanishing), 10–12 (reached)" in figure.caption
    assert "another layer" not in figure.caption


def test_a_lag_that_another_layer_reaches_is_said_to_be_so() -> None:
    figure = reach_figure(time_look(factor=0.7), 90, asked=(band(lag(40, 40, 0.1), "reached"),))
    assert figure is not None
    assert "What another layer reaches counts as reached." in figure.caption


def test_a_probe_has_a_curve_without_a_bound() -> None:
    figure = reach_figure(Probe("net.head", 60, 12, curve(60, 0.7), 4), 90)
    assert figure is not None
    assert 'aria-label="Reach curve of net.head"' in figure.svg
    assert "bound" not in figure.svg
    assert reach_figure(Probe("net.head", 60, 0, (), 4), 90) is None


def test_the_caption_says_which_norm_it_is_and_what_comes_from_past_the_horizon() -> None:
    def caption(**changes: object) -> str:
        figure = reach_figure(time_look(**{"factor": 0.7, **changes}), 90)  # type: ignore[arg-type]
        assert figure is not None
        return figure.caption

    reach = [0.7**lag for lag in range(60)]
    assert caption().endswith("at step 90: horizon 12 of 59 steps.")
    assert caption(kind="LSTM").endswith("horizon 12 of 59 steps. Of h and c together.")
    assert caption(kind="GRU").endswith("horizon 12 of 59 steps.")
    reach[32] = 0.25
    told = caption(reach=tuple(reach))
    assert told.endswith("horizon 12 of 59 steps, under 1 % first at lag 13 and last over it at lag 32.")

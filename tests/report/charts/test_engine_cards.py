"""A reach and a spectrum by themselves, in a notebook and on a terminal."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
import torch
from torch import nn

import gradreach as gr
from gradreach.engine.reach import Reach
from gradreach.engine.spectrum import Spectrum
from tests.report.charts.test_terminal_card import printed

LIMIT = 90_000
"""Bytes that a card may take in a notebook."""


def error(T: int, B: int, H: int, at: slice = slice(None)) -> torch.Tensor:
    e = torch.zeros(T, B, H)
    e[at] = torch.randn(T, B, H)[at]
    return e


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def a_reach(T: int = 40, at: slice = slice(None)) -> Reach:
    return gr.reach(nn.RNN(3, 8), torch.randn(T, 2, 3), error(T, 2, 8, at))


def a_spectrum(T: int = 40) -> Spectrum:
    return gr.spectrum(nn.RNN(3, 8), torch.randn(T, 1, 3))


def text(fragment: str) -> str:
    return " ".join(" ".join(ElementTree.fromstring(fragment).itertext()).split())


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("made", [a_reach, a_spectrum])
def test_they_fit_a_terminal(made: object, width: int, encoding: str) -> None:
    told = printed(made(), width, encoding)  # type: ignore[operator]
    assert max(map(len, told.splitlines())) <= width
    assert "?" not in told
    assert "\x1b" not in told


def test_a_reach_tells_horizon_factor_window_and_the_lags() -> None:
    reach = a_reach()
    for told in (" ".join(printed(reach).split()), text(reach._repr_html_())):
        assert "Reach of RNN_TANH layer 0" in told
        assert f"{reach.horizon} of 39 steps back" in told
        assert f"k2 = {reach.window()} keeps" in told
        assert "exact yes" in told
    rows = [line.split() for line in printed(reach).splitlines()]
    assert float(next(row for row in rows if row[:1] == ["4"])[1]) == pytest.approx(reach.curve[4], rel=0.01)


def test_a_reach_shows_curve_and_map_in_a_notebook() -> None:
    root = ElementTree.fromstring(a_reach()._repr_html_())
    titles = [e.attrib["aria-label"] for e in root.iter("svg")]
    assert titles == ["Reach curve of RNN_TANH layer 0", "Reach map of RNN_TANH layer 0"]
    assert all(list(e.iter("path")) for e in root.iter("svg"))


def test_the_map_shows_the_norms_that_the_reach_holds() -> None:
    reach = a_reach(20)
    cells = [e.text or "" for e in ElementTree.fromstring(reach._repr_html_()).iter("title")]
    told = next(cell for cell in cells if cell.startswith("t 19, k 17:"))
    assert float(told.split()[-1]) == pytest.approx(float(reach.map[19, 17]), rel=0.06)


def test_of_a_reverse_direction_the_map_runs_the_other_way() -> None:
    layer = nn.GRU(3, 8, bidirectional=True)
    reach = gr.reach(layer, torch.randn(12, 2, 3), error(12, 2, 16), reverse=True)
    assert "layer 0, reverse" in printed(reach)
    cells = [e.text or "" for e in ElementTree.fromstring(reach._repr_html_()).iter("title")]
    assert any(cell.startswith("t 0, k 5:") for cell in cells)
    assert not any(cell.startswith("t 5, k 0:") for cell in cells)


def test_a_reach_of_one_step_says_that_nothing_lies_further_back() -> None:
    reach = a_reach(at=slice(0, 1))
    assert "nothing further back" in printed(reach)
    assert "nothing further back" in text(reach._repr_html_())
    assert "–" not in printed(reach)


def test_what_was_left_out_is_said() -> None:
    reach = gr.reach(nn.RNN(3, 8), torch.randn(40, 4, 3), error(40, 4, 8), anchors=5, rows=2)
    assert "no: 5 of 40 steps with a local error, 2 of 4 rows" in " ".join(printed(reach).split())


def test_how_well_a_sample_tells_the_horizon_is_said() -> None:
    torch.manual_seed(0)
    layer, x, errors = nn.RNN(3, 8), torch.randn(40, 4, 3), torch.randn(40, 4, 8)
    some = gr.reach(layer, x, errors, anchors=5)
    assert some.horizon_interval is not None
    low, high = some.horizon_interval
    said = f"of all steps, the horizon lies from {low} to {high} with a confidence of 95 %"
    assert said in " ".join(printed(some, 100).split())
    for known in (gr.reach(layer, x, errors), gr.reach(layer, x, errors, anchors=[3, 9])):
        assert "confidence" not in printed(known)


def test_a_spectrum_shows_the_bound_beside_the_norm() -> None:
    spectrum = a_spectrum()
    fragment = spectrum._repr_html_()
    assert "Dashed: its bound" in text(fragment)
    lines = [e for e in ElementTree.fromstring(fragment).iter("path") if e.attrib.get("stroke-width") == "1.8"]
    assert [("stroke-dasharray" in line.attrib) for line in lines] == [False, True]
    told = printed(spectrum)
    for symbol in ("γ ", "λ ", "ρ ", "γλ ", "exponents"):
        assert f"\n  {symbol}" in told


def test_gates_have_no_bound_and_say_so() -> None:
    told = printed(gr.spectrum(nn.LSTM(3, 8), torch.randn(20, 1, 3)))
    assert "gate f" in told
    assert "none that binds" in told


def test_a_long_sequence_makes_no_heavy_card() -> None:
    T = 1500
    reach = gr.reach(nn.RNN(3, 4), torch.randn(T, 1, 3), error(T, 1, 4), anchors=200)
    assert len(reach._repr_html_()) < LIMIT
    assert len(printed(reach).splitlines()) < 30
    assert len(gr.spectrum(nn.RNN(3, 4), torch.randn(T, 1, 3))._repr_html_()) < LIMIT


def test_what_no_float_holds_is_told_all_the_same() -> None:
    layer = nn.RNN(3, 8)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(1e-8)
    told = printed(gr.reach(layer, torch.randn(60, 2, 3), error(60, 2, 8)))
    assert "e-4" in told.splitlines()[-2] or "e-5" in told.splitlines()[-2]
    assert "inf" not in told


def test_of_an_lstm_it_is_said_which_norm_a_figure_is() -> None:
    reach = gr.reach(nn.LSTM(3, 8), torch.randn(40, 2, 3), error(40, 2, 8))
    assert reach.by_h is not None
    told = " ".join(printed(reach, 80).split())
    assert f"of (h, c) jointly; of h alone, ‖∂L_t/∂h_k‖, at least 1 % arrives {reach.by_h.horizon} steps back" in told
    rows = [line.split() for line in printed(reach).splitlines()]
    row = next(row for row in rows if row[:1] == ["4"])
    assert [float(row[1]), float(row[2])] == pytest.approx([reach.curve[4], reach.by_h.curve[4]], rel=0.01)
    assert "Dashed: of h alone" in text(reach._repr_html_())
    assert "norm of h alone, ‖∂L_t/∂h_k‖ with c_k held" in " ".join(printed(reach.by_h).split())
    assert "norm" not in printed(a_reach())
    for width in (80, 100):
        assert max(map(len, printed(reach, width, "ascii").splitlines())) <= width


def test_under_a_shortcut_the_first_dip_and_the_farthest_lag_are_both_told() -> None:
    layer = gr.nn.RNN(3, 8, skip=8)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(0.05)
    reach = gr.reach(layer, torch.randn(40, 2, 3), error(40, 2, 8, slice(-1, None)))
    told = " ".join(printed(reach).split())
    assert f"arrives {reach.horizon} of 39 steps back without a gap" in told
    assert f"under 1 % first at lag {reach.horizon + 1}, and {float(f'{reach.curve[32]:.3g}')} again at lag 32" in told
    assert f"horizon {reach.horizon}, farthest 32" in told


def test_a_share_under_0_is_explained_where_there_is_one() -> None:
    told = {min(each.lag_share) < 0: printed(each) for each in (a_reach(T) for T in range(3, 24))}
    assert set(told) == {True, False}
    for is_negative, words in told.items():
        assert ("points against the whole" in " ".join(words.split())) == is_negative

"""What a sample of the steps tells of the whole map, held against the whole map."""

import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import gradreach as gr
from gradreach.engine.anchor_sample import draw
from gradreach.engine.reach_curve import curve, horizon, interval
from gradreach.engine.reach_map import ReachMap

T = 120
LAGS = (1, 3, 10, 30, 60)
SIZES = ("alike", "varied", "far apart", "on few steps", "periodic", "growing")


@cache
def whole(kind: str, sizes: str) -> ReachMap:
    """The map of every step of one layer, its errors of such sizes."""
    torch.manual_seed(SIZES.index(sizes))
    layer = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[kind](4, 8, dtype=torch.float64)
    if kind == "gru":  # gates that open and shut: how far an error goes differs greatly from step to step
        with torch.no_grad():
            layer.weight_hh_l0.mul_(4)
            layer.weight_ih_l0.mul_(4)
    steps = torch.arange(T)
    scale = {
        "alike": torch.ones(T),
        "varied": torch.randn(T).exp(),
        "far apart": (2 * torch.randn(T)).exp(),
        "on few steps": (torch.randperm(T) < 40).float(),
        "periodic": 1 + 3.0 * (steps % 8 == 3),
        "growing": (steps / 20).exp(),
    }[sizes]
    x, error = torch.randn(T, 3, 4, dtype=torch.float64), torch.randn(T, 3, 8) * scale.view(-1, 1, 1)
    return gr.reach(layer, x, error.double(), anchors="all").lags


def sampled(found: ReachMap, most: int, seed: int) -> ReachMap:
    """What a sweep of a sample finds, taken from the map of all."""
    sizes = [0.0] * T
    for t, size in zip(found.anchors, found.own.mean(1).tolist(), strict=True):
        sizes[t] = size
    chances = draw(sizes, most, seed)
    at = [found.anchors.index(t) for t in chances]
    some = ReachMap(tuple(chances), found.log2_norms[at], found.own[at], found.depth[at])
    some = replace(some, chances=tuple(chances.values()))
    return replace(some, whole_from=max(t + 1 for t in found.anchors if t not in chances))


@pytest.mark.slow(3, "draws 3,240 samples")
@pytest.mark.parametrize("sizes", SIZES)
def test_the_interval_holds_the_curve_of_all_steps_in_95_samples_of_100(sizes: str) -> None:
    held: dict[tuple[str, int], list[bool]] = {}
    horizons = []
    for kind in ("rnn", "gru", "lstm"):
        found = whole(kind, sizes)
        r = curve(found)
        for most in (4, 8, 32):
            for seed in range(60):
                known = interval(sampled(found, most, seed)) or ()
                held.setdefault((kind, most), []).extend(
                    known[lag][0] * (1 - 1e-9) <= r[lag] <= known[lag][1] * (1 + 1e-9) for lag in LAGS
                )
                low, high = (horizon([ends[end] for ends in known]) for end in (0, 1))
                horizons.append(low <= horizon(r) <= high)
    shares = {cell: sum(each) / len(each) for cell, each in held.items()}
    assert 0.93 <= sum(shares.values()) / len(shares) <= 0.985, shares
    assert min(shares.values()) >= 0.88, shares
    assert sum(horizons) / len(horizons) >= 0.92


def test_a_wide_interval_narrows_with_the_sample() -> None:
    found = whole("lstm", "varied")
    widths = []
    for most in (4, 16, 64):
        known = [interval(sampled(found, most, seed)) or () for seed in range(20)]
        widths.append(sorted(math.log(each[10][1] / each[10][0]) for each in known)[10])
    assert widths[0] > 2 * widths[1] > 4 * widths[2] > 0


def test_where_all_steps_that_reach_so_far_are_in_both_ends_are_the_figure() -> None:
    some = sampled(whole("rnn", "alike"), 16, 0)
    known, r = interval(some) or (), curve(some)
    assert all(known[lag] == (r[lag], r[lag]) for lag in range(some.whole_from, T))
    assert all(low < r[lag] < high for lag, (low, high) in enumerate(known[1:90], start=1))
    everything = gr.reach(nn.RNN(2, 3), torch.randn(30, 2, 2), torch.randn(30, 2, 3))
    assert everything.exact
    assert everything.interval == tuple((each, each) for each in everything.curve)
    assert everything.horizon_interval == (everything.horizon, everything.horizon)


def test_where_one_step_stands_for_others_nothing_is_known() -> None:
    some = sampled(whole("rnn", "alike"), 1, 0)
    assert some.anchors == (T - 1,)
    known = interval(some) or ()
    assert set(known[:-1]) == {(0.0, math.inf)}
    assert known[-1] == (curve(some)[-1],) * 2


def test_of_steps_that_were_named_no_interval_is_told() -> None:
    layer, x, error = nn.RNN(2, 3), torch.randn(9, 2, 2), torch.randn(9, 2, 3)
    named = gr.reach(layer, x, error, anchors=[1, 8])
    assert (named.interval, named.horizon_interval) == (None, None)
    every = gr.reach(layer, x, error, anchors=range(9))
    assert (every.exact, every.interval) == (True, gr.reach(layer, x, error).interval)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_sample_has_the_maps_own_figures(reverse: bool) -> None:
    """Rows of the map are those of the whole map, r(ℓ) and the shares estimates of the whole's, of an LSTM by h too."""
    torch.manual_seed(0)
    layer = nn.LSTM(2, 8, bidirectional=True, dtype=torch.float64)
    x, error = torch.randn(150, 4, 2).double(), (torch.randn(150, 4, 16) * torch.randn(150, 1, 1).exp()).double()
    full = gr.reach(layer, x, error, anchors="all", reverse=reverse)
    some = gr.reach(layer, x, error, reverse=reverse)
    assert (full.exact, some.exact, len(some.anchors)) == (True, False, 64)
    assert some.sampled.startswith("64 of 150 steps with a local error: ")
    at = [full.anchors.index(t) for t in some.anchors]
    assert torch.allclose(some.map, full.map[at], rtol=1e-10)
    assert some.by_h is not None
    assert full.by_h is not None
    assert torch.allclose(some.by_h.map, full.by_h.map[at], rtol=1e-10)
    for ours, theirs in ((some, full), (some.by_h, full.by_h)):
        assert ours.curve[:40] == pytest.approx(theirs.curve[:40], rel=0.15)
    assert some.lag_share[:5] == pytest.approx(full.lag_share[:5], abs=0.1)
    assert sum(some.lag_share) == pytest.approx(1)


def test_a_cell_of_ones_own_is_sampled_the_same_way() -> None:
    torch.manual_seed(0)
    layer, cell = nn.GRU(2, 3, dtype=torch.float64), nn.GRUCell(2, 3, dtype=torch.float64)
    cell.load_state_dict({name[:-3]: p for name, p in layer.named_parameters()})
    x, error = torch.randn(40, 2, 2).double(), torch.randn(40, 2, 3).double()
    theirs = gr.reach(layer, x, error, anchors=9)
    ours = gr.reach(gr.Cell(cell), x, error, torch.zeros(2, 3).double(), anchors=9)
    assert ours.anchors == theirs.anchors
    assert ours.curve == pytest.approx(theirs.curve, rel=1e-9)
    assert ours.interval is not None
    assert theirs.interval is not None
    assert [ends[1] for ends in ours.interval] == pytest.approx([ends[1] for ends in theirs.interval], rel=1e-6)


def test_the_scripts_random_numbers_stay_and_the_same_call_draws_the_same() -> None:
    layer, x, error = nn.RNN(2, 3), torch.randn(100, 2, 2), torch.randn(100, 2, 3)
    state = torch.get_rng_state()
    assert gr.reach(layer, x, error).anchors == gr.reach(layer, x, error).anchors
    assert torch.equal(state, torch.get_rng_state())


@settings(max_examples=100)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.integers(1, 30), st.integers(0, 1000))
def test_so_many_are_drawn_and_never_one_twice(sizes: list[float], most: int, seed: int) -> None:
    drawn = draw(sizes, most, seed)
    known = [t for t, size in enumerate(sizes) if size > 0]
    assert len(drawn) == min(most, len(known))
    assert list(drawn) == sorted(drawn)
    assert set(drawn) <= set(known)
    assert all(0 < chance <= 1 for chance in drawn.values())
    assert not known or drawn[known[-1]] == 1.0


def test_chances_are_what_they_say() -> None:
    sizes = [1.0, 4.0, 0.0, 2.0, 2.0, 30.0, 1.0, 3.0, 1.0, 2.0]
    counts, told = [0] * len(sizes), dict[int, float]()
    for seed in range(4000):
        drawn = draw(sizes, 5, seed)
        told |= drawn
        for t in drawn:
            counts[t] += 1
    assert {t: count / 4000 for t, count in enumerate(counts) if count} == pytest.approx(told, abs=0.03)
    assert sum(told.values()) == pytest.approx(5)

import math
import os
import signal
import warnings

import numpy as np
import pytest
import torch

pytest.importorskip("numba", reason="the compiled loops need numba, which is an extra")

import gradreach as gr
from gradreach.engine.cells.compiled import gru, loops, lstm, product, rnn, simd
from gradreach.engine.compiled_scan import compile_all

GATES = {"tanh": 1, "relu": 1, "logistic": 1, "gru": 3, "lstm": 4}
ACTIVATIONS = {
    "tanh": (rnn.TANH, torch.tanh),
    "relu": (rnn.RELU, torch.relu),
    "logistic": (rnn.LOGISTIC, torch.sigmoid),
}
SIZES = [(1, 1, 1), (5, 1, 3), (4, 3, 17), (3, 9, 32), (6, 19, 40), (2, 33, 70)]


def drawn(kind, T, B, H, dtype=np.float64, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    G = GATES[kind]
    shapes = {
        "pre": (T, B, G * H),
        "w_hh": (G * H, H),
        "b_hn": (H,),
        "h_0": (B, H),
        "c_0": (B, H),
        "e": (T, B, H),
        "e_hn": (B, H),
        "e_cn": (B, H),
    }
    case = {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}
    case["w_hh"] /= math.sqrt(H) * scale
    return {name: array.astype(dtype) for name, array in case.items()}


def ran(kind, case, *, skip=0, clip=math.inf, threads=1, in_place=False, steps_of_delta=None):
    """What the compiled loops make of a case, everything that they fill."""
    T, B, H = case["e"].shape
    dtype = case["e"].dtype
    pre, w = case["pre"].copy(), case["w_hh"]
    h, c, inner = (np.full((n, B, H), np.nan, dtype) for n in (T + 1, T + 1, T))
    h[0], c[0] = case["h_0"], case["c_0"]
    g = pre if in_place else np.full_like(pre, np.nan)
    dh, dc = case["e_hn"].copy(), case["e_cn"].copy()
    delta, delta_c, entry = (np.full((n or T, B, H), np.nan, dtype) for n in (steps_of_delta, T, T))
    ahead, back = {"skip": skip, "threads": threads}, {"skip": skip, "clip": clip, "threads": threads}
    if kind == "lstm":
        lstm.forward(pre, w, h, c, **ahead)
        out = {"gates": pre.copy(), "h": h, "c": c}
        lstm.backward(pre, w, c, case["e"], dh, dc, g, delta, delta_c, **back)
        return out | {"g": g, "delta": delta, "delta_c": delta_c, "dh": dh, "dc": dc}
    if kind == "gru":
        gru.forward(pre, w, case["b_hn"], inner, h, **ahead)
        out = {"gates": pre.copy(), "inner": inner, "h": h}
        gru.backward(pre, w, inner, h, case["e"], dh, g, entry, delta, **back)
        return out | {"g": g, "entry": entry, "delta": delta, "dh": dh}
    activation = ACTIVATIONS[kind][0]
    rnn.forward(activation, pre, w, h, **ahead)
    out = {"gates": pre.copy(), "h": h}
    rnn.backward(activation, pre, w, case["e"], dh, g, delta, **back)
    return out | {"g": g, "delta": delta, "dh": dh}


def cell(kind, pre, side, h, c, b_hn):
    """One step by torch's formulas, from the hidden side's product: the new h, c, the gates and the GRU's inner."""
    if kind == "lstm":
        i, f, g, o = (pre + side).chunk(4, -1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c + i * g
        return o * c.tanh(), c, torch.cat([i, f, g, o], -1), None
    if kind == "gru":
        a_r, a_z, a_n = pre.chunk(3, -1)
        s_r, s_z, s_n = side.chunk(3, -1)
        r, z, inner = (a_r + s_r).sigmoid(), (a_z + s_z).sigmoid(), s_n + b_hn
        n = (a_n + r * inner).tanh()
        return (1 - z) * n + z * h, c, torch.cat([r, z, n], -1), inner
    y = ACTIVATIONS[kind][1](pre + side)
    return y, c, y, None


def expected(kind, case, *, skip=0, clip=math.inf):
    """The same in double precision, each step's adjoint by autograd over that step alone."""
    at = {name: torch.from_numpy(array).double() for name, array in case.items()}
    T, H = case["e"].shape[0], case["e"].shape[2]
    h, c, steps = [at["h_0"]], [at["c_0"]], []
    for t in range(T):
        leaves = [x.clone().requires_grad_() for x in (at["pre"][t], h[-1] @ at["w_hh"].T, h[-1], c[-1])]
        made = cell(kind, *leaves, at["b_hn"])
        steps.append((leaves, made))
        new = made[0].detach()
        h.append((new + h[t + 1 - skip]) / 2 if 0 < skip <= t + 1 else new)
        c.append(made[1].detach())
    d = [torch.zeros_like(at["h_0"]) for _ in range(T + 1)]
    d[T], dc = at["e_hn"].clone(), at["e_cn"].clone()
    g, entry, delta_c = ([None] * T for _ in range(3))
    for t in reversed(range(T)):
        d[t + 1] += at["e"][t]
        parts = [d[t + 1], dc] if kind == "lstm" else [d[t + 1]]
        size = torch.cat(parts, -1).norm(dim=-1, keepdim=True)
        factor = torch.where(size <= clip, 1.0, clip / size)
        d[t + 1], dc = d[t + 1] * factor, dc * (factor if kind == "lstm" else 1)
        share, delta_c[t] = d[t + 1], dc
        if 0 < skip <= t + 1:
            share = share / 2
            d[t + 1 - skip] += share
        leaves, made = steps[t]
        outs, sent = ([made[0], made[1]], [share, dc]) if kind == "lstm" else ([made[0]], [share])
        back = torch.autograd.grad(outs, leaves, sent, allow_unused=True)
        entry[t], g[t] = back[0][:, -H:], back[1]
        d[t] += back[1] @ at["w_hh"] + (0 if back[2] is None else back[2])
        dc = dc if back[3] is None else back[3]
    stacked = {"gates": [made[2] for _, made in steps], "h": h, "g": g, "delta": d[1:]}
    if kind == "gru":
        stacked |= {"inner": [made[3] for _, made in steps], "entry": entry}
    ends = {"dh": d[0]}
    if kind == "lstm":
        stacked |= {"c": c, "delta_c": delta_c}
        ends["dc"] = dc
    return {name: torch.stack(parts).detach().numpy() for name, parts in stacked.items()} | {
        name: end.detach().numpy() for name, end in ends.items()
    }


def rows(array, which):
    """Some rows of (B, …) or (T, B, …)."""
    return array[which] if array.ndim == 2 else array[:, which]


def assert_close(got, want, tolerance):
    assert got.keys() == want.keys()
    for name, array in want.items():
        size = max(np.abs(array).max(), 1e-3)
        np.testing.assert_allclose(got[name], array, rtol=0, atol=tolerance * size, err_msg=name)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("size", SIZES)
def test_both_loops_equal_the_plain_formulas(kind, size):
    case = drawn(kind, *size, seed=sum(size))
    assert_close(ran(kind, case), expected(kind, case), 1e-12)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("size", SIZES)
def test_single_precision(kind, size):
    case = drawn(kind, *size, dtype=np.float32)
    got = ran(kind, case)
    assert all(array.dtype == np.float32 for array in got.values())
    assert_close(got, expected(kind, case), 1e-5)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("skip", [1, 2, 5, 7, 8])
@pytest.mark.parametrize("clip", [math.inf, 1.0])
def test_shortcut_and_its_adjoint(kind, skip, clip):
    case = drawn(kind, 7, 3, 5)
    assert_close(ran(kind, case, skip=skip, clip=clip), expected(kind, case, skip=skip, clip=clip), 1e-12)


@pytest.mark.parametrize("kind", GATES)
def test_clip_holds_the_joint_adjoint_at_every_step(kind):
    case = drawn(kind, 9, 4, 6, scale=3.0)
    got = ran(kind, case, clip=0.5)
    assert_close(got, expected(kind, case, clip=0.5), 1e-12)
    size = np.square(got["delta"]).sum(-1) + (np.square(got["delta_c"]).sum(-1) if kind == "lstm" else 0)
    np.testing.assert_array_less(np.sqrt(size), 0.5 * (1 + 1e-12))


@pytest.mark.parametrize("kind", GATES)
def test_clip_of_an_adjoint_whose_square_overflows(kind):
    case = drawn(kind, 3, 2, 4, dtype=np.float32)
    case["e"] *= np.float32(1e30)
    got = ran(kind, case, clip=1.0)
    size = np.square(got["delta"]).sum(-1) + (np.square(got["delta_c"]).sum(-1) if kind == "lstm" else 0)
    np.testing.assert_allclose(size, 1.0, rtol=1e-5)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_do_not_depend_on_the_number_of_threads(kind, dtype, monkeypatch):
    case = drawn(kind, 6, 23, 21, dtype=dtype)
    alone = ran(kind, case, skip=2, clip=2.0)
    for team in (loops.team, lambda: None):
        monkeypatch.setattr(loops, "team", team)
        for threads in (2, 3, 23, 40):
            for name, array in ran(kind, case, skip=2, clip=2.0, threads=threads).items():
                np.testing.assert_array_equal(array, alone[name], err_msg=f"{name}, {threads} threads")


@pytest.mark.parametrize("kind", GATES)
def test_rows_do_not_depend_on_each_other(kind):
    case = drawn(kind, 5, 11, 18, dtype=np.float32)
    together = ran(kind, case, clip=1.0)
    for b in (0, 7, 10):
        only = {
            name: array if name in ("w_hh", "b_hn") else np.ascontiguousarray(rows(array, [b]))
            for name, array in case.items()
        }
        for name, array in ran(kind, only, clip=1.0).items():
            np.testing.assert_array_equal(array, rows(together[name], [b]), err_msg=name)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("clip", [math.inf, 1.0])
def test_room_for_one_step_of_delta_is_enough(kind, clip):
    case = drawn(kind, 5, 4, 19)
    whole, one = ran(kind, case, clip=clip), ran(kind, case, clip=clip, steps_of_delta=1)
    np.testing.assert_array_equal(one.pop("delta")[0], whole.pop("delta")[0])
    for name, array in whole.items():
        np.testing.assert_array_equal(one[name], array, err_msg=name)
    with pytest.raises(ValueError, match=r"delta: expected float64 \(5, 4, 19\)"):
        ran(kind, case, skip=2, steps_of_delta=1)


@pytest.mark.parametrize("kind", GATES)
def test_adjoint_may_take_the_place_of_the_gates(kind):
    case = drawn(kind, 5, 4, 19)
    apart, in_place = ran(kind, case), ran(kind, case, in_place=True)
    for name, array in apart.items():
        np.testing.assert_array_equal(in_place[name], array, err_msg=name)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("clip", [math.inf, 1.0])
def test_nan_stays_in_its_row_and_does_not_vanish(kind, clip):
    case = drawn(kind, 6, 5, 17)
    sound = ran(kind, case, clip=clip)
    case["pre"][2, 3] = np.nan
    got = ran(kind, case, clip=clip)
    others = [0, 1, 2, 4]
    assert np.isnan(got["h"][3:, 3]).all()
    assert np.isfinite(got["h"][:3]).all()
    for name, array in got.items():
        np.testing.assert_array_equal(rows(array, others), rows(sound[name], others), err_msg=name)
    case = drawn(kind, 6, 5, 17)
    case["e"][4, 1, 0] = np.nan
    got = ran(kind, case, clip=clip)
    assert np.isnan(got["delta"][4, 1, 0])
    assert np.isnan(got["dh"][1]).all()
    assert np.isfinite(got["dh"][[0, 2, 3, 4]]).all()
    if clip < math.inf:
        assert np.isnan(got["delta"][4, 1]).all()


def test_relu_passes_nan_on():
    case = drawn("relu", 1, 1, 3)
    case["pre"][0, 0, 1] = np.nan
    assert np.isnan(ran("relu", case)["h"][1, 0, 1])


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize(("T", "B"), [(0, 3), (3, 0)])
def test_nothing_to_do(kind, T, B):
    case = drawn(kind, T, B, 4)
    got = ran(kind, case, skip=1, threads=2)
    np.testing.assert_array_equal(got["h"][0], case["h_0"])
    if T == 0:
        np.testing.assert_array_equal(got["dh"], case["e_hn"])


def test_gru_without_a_bias():
    case = drawn("gru", 3, 2, 5)
    w, h = case["w_hh"], np.zeros((2, 4, 2, 5))
    pre, inner = np.stack([case["pre"]] * 2), np.empty((2, 3, 2, 5))
    gru.forward(pre[0], w, None, inner[0], h[0])
    gru.forward(pre[1], w, np.zeros(5), inner[1], h[1])
    np.testing.assert_array_equal(h[0], h[1])


def applied(function, x):
    from numba import njit

    @njit
    def each(out, x):
        function(out, x)

    out = np.empty_like(x)
    each(out, x)
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("M", "K", "N"), [(1, 1, 1), (7, 3, 40), (65, 17, 32), (130, 40, 33), (200, 64, 256)])
def test_the_product_of_many_rows(dtype, threads, M, K, N):
    rng = np.random.default_rng(0)
    a, w, bias = (rng.standard_normal(shape).astype(dtype) for shape in ((M, K), (N, K), (N,)))
    for added in (bias, None):
        out = np.full((M, N), np.nan, dtype)
        product.times(a, w.T, added, out, threads=threads)
        exact = a.astype(np.longdouble) @ w.T + (0 if added is None else added)
        np.testing.assert_allclose(out, exact, rtol=0, atol=20 * math.sqrt(K) * np.finfo(dtype).eps)


def test_a_product_may_take_the_place_of_its_rows():
    rng = np.random.default_rng(0)
    a, w, apart = rng.standard_normal((200, 40)), rng.standard_normal((40, 40)), np.empty((200, 40))
    product.times(a, w, None, apart)
    product.times(a, w, None, a, threads=3)
    np.testing.assert_array_equal(a, apart)
    with pytest.raises(ValueError, match=r"bias: expected contiguous float64 \(40,\), got float32 \(40,\)"):
        product.times(a, w, np.zeros(40, np.float32), apart)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_to_the_last_digits(dtype):
    rng = np.random.default_rng(0)
    size = 10.0 ** rng.uniform(-12, 1.3, 200_000)
    x = np.concatenate([size, -size, np.linspace(-40, 40, 100_001)]).astype(dtype)
    exact = x.astype(np.longdouble)
    if np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps and dtype == np.float64:
        pytest.skip("no longer number on this machine to compare with")
    for function, true in ((simd.tanh, np.tanh(exact)), (simd.logistic, 1 / (1 + np.exp(-exact)))):
        error = np.abs(applied(function, x) - true) / np.where(true == 0, 1, np.abs(true))
        assert error.max() < 3 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_at_the_ends(dtype):
    info = np.finfo(dtype)
    far = np.array([90, 1e3, 1e30, info.max, np.inf], dtype)
    np.testing.assert_array_equal(applied(simd.tanh, far), 1)
    np.testing.assert_array_equal(applied(simd.tanh, -far), -1)
    np.testing.assert_array_equal(applied(simd.logistic, far), 1)
    np.testing.assert_allclose(applied(simd.logistic, -far), 0, atol=1e-38)
    assert applied(simd.logistic, -far)[-1] == 0
    near = np.array([0.0, -0.0, info.tiny, -info.tiny, info.smallest_subnormal, 1e-30], dtype)
    np.testing.assert_array_equal(applied(simd.tanh, near), near)
    np.testing.assert_array_equal(np.signbit(applied(simd.tanh, near)), np.signbit(near))
    np.testing.assert_array_equal(applied(simd.logistic, near), 0.5)
    for function in (simd.tanh, simd.logistic, simd.relu):
        assert np.isnan(applied(function, np.full(37, np.nan, dtype))).all()


@pytest.mark.parametrize("kind", ["tanh", "logistic", "gru", "lstm"])
def test_huge_inputs_saturate(kind):
    case = drawn(kind, 3, 2, 9, dtype=np.float32)
    case["pre"] = np.copysign(np.float32(1e30), case["pre"])
    got = ran(kind, case)
    assert all(np.isfinite(array).all() for array in got.values())
    assert_close(got, expected(kind, case), 1e-5)


@pytest.mark.parametrize("kind", GATES)
def test_adjoint_fades_below_the_smallest_normal_number(kind):
    case = drawn(kind, 12, 2, 6, dtype=np.float32)
    case["e"][:], case["e_cn"][:] = 0, 0
    case["e_hn"] = np.full_like(case["e_hn"], 1e-38)
    got = ran(kind, case)
    want = expected(kind, case)
    np.testing.assert_allclose(got["delta"], want["delta"], atol=2e-43, rtol=1e-5)


def test_what_does_not_fit_is_named():
    case = drawn("tanh", 3, 2, 4)
    h = np.zeros((4, 2, 4))
    with pytest.raises(ValueError, match=r"w_hh: expected shape \(4, 4\)"):
        rnn.forward(rnn.TANH, case["pre"], np.zeros((8, 4)), h)
    with pytest.raises(ValueError, match=r"h: expected float64 \(4, 2, 4\), got float32"):
        rnn.forward(rnn.TANH, case["pre"], case["w_hh"], h.astype(np.float32))
    with pytest.raises(ValueError, match="w_hh: expected float32 or float64, got float16"):
        rnn.forward(rnn.TANH, case["pre"], case["w_hh"].astype(np.float16), h)
    with pytest.raises(ValueError, match="h: expected a C-contiguous array"):
        rnn.forward(rnn.TANH, case["pre"], case["w_hh"], np.zeros((4, 2, 8))[..., ::2])
    short = np.zeros((3, 2, 4))
    with pytest.raises(ValueError, match=r"h: expected float64 \(4, 2, 4\), got float64 \(3, 2, 4\)"):
        rnn.forward(rnn.TANH, case["pre"], case["w_hh"], short)


def test_an_error_in_a_thread_comes_back(monkeypatch):
    def failing(first, last):
        raise RuntimeError(f"rows {first} to {last}")

    for team in (loops.team, lambda: None):
        monkeypatch.setattr(loops, "team", team)
        with pytest.raises(RuntimeError, match="rows"):
            loops.over_rows(failing, 4, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_computes_too():
    case = drawn("lstm", 4, 6, 8)
    here = ran("lstm", case, threads=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        signal.alarm(60)
        there = ran("lstm", case, threads=2)
        os._exit(0 if all(np.array_equal(there[name], array) for name, array in here.items()) else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_is_compiled_ahead_is_all_that_the_layers_need():
    compile_all()
    loops = [each for kind in (rnn, gru, lstm) for each in (kind._ahead, kind._back)]
    loops.append(product._rows)
    known = [len(each.signatures) for each in loops]
    for family in (gr.nn.RNN, gr.nn.GRU, gr.nn.LSTM):
        for dtype in (torch.float32, torch.float64):
            for options in ({}, {"skip": 3, "clip_state_grad": 1.0, "bidirectional": True, "num_layers": 2}):
                layer = family(33, 3, dtype=dtype, **options)
                x = torch.randn(20, 2, 33, dtype=dtype, requires_grad=True)
                layer(x)[0].sum().backward()
    assert [len(each.signatures) for each in loops] == known

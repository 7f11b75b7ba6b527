from pathlib import Path

import numpy as np
import pytest
import torch

import gradreach as gr
from gradreach.tasks.sensor import HOLD, LONG, PULSE, TESTED


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def wave(n: int = 3000) -> np.ndarray:
    t = np.arange(n)
    return np.sin(t / 7) + 0.1 * np.random.default_rng(0).standard_normal(n) + 5


def test_the_whole_signal() -> None:
    task = gr.tasks.sensor()
    x, y = task.train(2, generator())
    assert x.shape == (2, LONG, 1)
    assert y.shape == (2, LONG)
    assert task.test(3, generator()).x.shape == (3, TESTED, 1)


def test_the_regime_is_the_sign_of_the_latest_pulse() -> None:
    x, y = gr.tasks.sensor(length=4000).train(8, generator())
    signal = x.squeeze(-1)
    pulses = signal.abs() > PULSE / 2  # the oscillations reach 1.5, the noise is 0.1
    assert pulses[:, 0].all()
    for row, regime, pulsed in zip(signal, y, pulses, strict=True):
        held = 0
        for t in range(len(row)):
            if pulsed[t]:
                held = int(row[t] > 0)
            assert int(regime[t]) == held
    n, share = pulses[:, 1:].numel(), float(pulses[:, 1:].double().mean())
    assert abs(share - 1 / HOLD) < 5 * (1 / HOLD / n) ** 0.5


def test_who_remembers_no_pulse_is_wrong_by_chance() -> None:
    task = gr.tasks.sensor(length=1024)
    x, y = task.test(400, generator())
    forgetful = torch.cat([-x, x], -1)  # the sign of now
    late = float(task.error(forgetful[:, 1:], y[:, 1:]))
    segments = 400 * 1024 / HOLD
    assert abs(late - task.chance) < 5 * 0.5 / segments**0.5


def test_trained_in_windows() -> None:
    task = gr.tasks.sensor(length=96)
    model = gr.tasks.recurrent(task, "gru", 8)
    x, y = task.train(4, generator())
    seen = []
    for window in gr.tbptt(x, y, k1=16, k2=32, step=model.carry, layout=gr.BatchLayout(dim=1)):
        task.loss(model.head(window.output), window.y).backward()
        seen.append(window.output.shape)
    assert seen == [(4, 16, 8)] * 6


@pytest.mark.parametrize("ending", ["npy", "csv", "txt"])
def test_from_a_file(tmp_path: Path, ending: str) -> None:
    values, path = wave(), tmp_path / f"values.{ending}"
    if ending == "npy":
        np.save(path, values)
    else:
        np.savetxt(path, values, header="reading", comments="" if ending == "csv" else "#")
    task = gr.tasks.sensor(length=50, data=path)
    for draw, part in ((task.train, values[:-300]), (task.test, values[-300:])):
        x, y = draw(20, generator())
        assert x.shape == y.shape == (20, 50, 1)
        assert torch.equal(x[:, 1:], y[:, :-1])
        scaled = (part - values[:-300].mean()) / values[:-300].std(ddof=1)
        assert np.isin(x.numpy().round(4), scaled.astype(np.float32).round(4)).all()
    assert gr.tasks.sensor(data=str(path)).length == 299


def test_chance_is_the_line_from_one_value_to_the_next(tmp_path: Path) -> None:
    path, noise = tmp_path / "ar.npy", np.random.default_rng(0).standard_normal(60_000)
    values = np.zeros(60_000)
    for t in range(1, 60_000):
        values[t] = 0.9 * values[t - 1] + noise[t]
    np.save(path, values)
    expected, n = 1 - 0.9**2, 6_000  # of an AR(1) brought to variance 1
    assert abs(gr.tasks.sensor(length=50, data=path).chance - expected) < 5 * expected * (2 / n) ** 0.5 + 0.01


@pytest.mark.parametrize(
    ("text", "length", "why"),
    [
        ("1\n2\nthree\n4\n5\n", 2, "row 3 that is none"),
        ("1 2\n3 4\n5 6\n7 8\n", 2, "keep one column"),
        ("1\n2\n", 2, "2 of them"),
        ("1\n2\n" * 50, 10, "at most 9 steps"),
        ("1\n" * 100, 5, "numbers that vary"),
    ],
)
def test_refuses_a_file(tmp_path: Path, text: str, length: int, why: str) -> None:
    path = tmp_path / "signal.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=why):
        gr.tasks.sensor(length=length, data=path)


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^data: expected one column of numbers"):
        gr.tasks.sensor(data=tmp_path / "none.npy")
    with pytest.raises(ValueError, match=r"^length: expected at least 2"):
        gr.tasks.sensor(length=1)

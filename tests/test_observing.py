"""`gr.observe` around one's own loop, `gr.diagnose` on weights as they stand."""

from __future__ import annotations

import doctest
import inspect
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import gradreach as gr
from gradreach import observing
from gradreach.watch.frames import is_library_file, line_of


def _model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))


def test_examples_in_the_docstrings() -> None:
    failures, tried = doctest.testmod(observing)
    assert (failures, tried > 0) == (0, True)


def test_a_loop_of_ones_own(tmp_path: Path) -> None:
    model = _model()
    with gr.observe(model, every=1, out=tmp_path / "out") as watch:
        for _ in range(4):
            model.zero_grad()
            model(torch.randn(2, 3)).square().mean().backward()
        assert len(watch.report().record.looks) == 3  # the last one's update is still to come
    report = watch.report()
    assert len(report.record.steps) == 4
    assert report.record.models == {"model": "Sequential"}
    assert report.record.outcome.how == "finished"
    report.save(tmp_path / "report.html")
    report.save(tmp_path / "report.json")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_only_the_model_asked_for_is_watched() -> None:
    model, other = _model(), nn.Linear(3, 3)
    with gr.observe(model, every=1) as watch:
        (model(other(torch.ones(2, 3))).sum()).backward()
    record = watch.record()
    assert record.models == {"model": "Sequential"}
    assert {look.module for look in record.looks[0].depth} == {"model.0", "model.1", "model.2"}
    expected = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
    assert record.steps[0].norm == pytest.approx(float(expected), rel=1e-5)


def test_an_error_in_the_loop_passes_through_and_leaves_the_record() -> None:
    model = _model()
    watch = gr.observe(model)

    def train() -> None:
        with watch:
            model(torch.ones(1, 3)).sum().backward()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        train()
    assert watch.record().outcome.error == "KeyError: 'mine'"
    assert len(watch.record().steps) == 1
    with gr.observe(model):
        pass


def test_one_watch_at_a_time() -> None:
    with gr.observe(_model()), pytest.raises(RuntimeError, match="another watch"), gr.observe(_model()):
        pass


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"model": "net"}, TypeError, "model must be a torch.nn.Module, got str"),
        ({"budget": 3.0}, ValueError, "budget must be a share"),
        ({"every": 0}, ValueError, "every must be a number of steps"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        inspect.unwrap(gr.observe)(**{"model": _model(), **arguments})  # type: ignore[arg-type]


def test_diagnose_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    model(torch.randn(5, 3)).sum().backward()
    tensors = [*model.parameters(), *model.buffers()]
    before = [t.detach().clone() for t in tensors]
    gradients = [p.grad.clone() for p in model.parameters()]
    generator = torch.get_rng_state()
    batches = [(torch.randn(5, 3), torch.zeros(5, 1)) for _ in range(2)]
    torch.set_rng_state(generator)
    report = gr.diagnose(model, batches, nn.functional.mse_loss)
    assert len(report.record.looks) == 2
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(a, b) for a, b in zip(before, tensors, strict=True))
    assert all(torch.equal(a, p.grad) for a, p in zip(gradients, model.parameters(), strict=True))


def test_diagnose_names_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="batches must hold"):
        gr.diagnose(_model(), [], nn.functional.mse_loss)
    batch = (torch.randn(5, 3), torch.zeros(5, 1))
    with pytest.raises(ValueError, match=r"scalar tensor, got \(5, 1\)"):
        gr.diagnose(_model(), [batch], lambda out, y: out - y)


@pytest.mark.parametrize(
    ("batch", "got"),
    [
        (torch.zeros(5, 3), "a Tensor"),
        ((torch.zeros(5, 3), torch.zeros(5, 1), torch.zeros(5)), "a tuple of 3"),
        ({"x": torch.zeros(5, 3), "y": torch.zeros(5, 1)}, "a dict of 2"),
    ],
)
def test_diagnose_says_which_batches_it_takes(batch: object, got: str) -> None:
    with pytest.raises(
        ValueError, match=rf"loss_fn\(model\(x\), y\) for each \(x, y\) of batches, got {got}: make pairs"
    ):
        gr.diagnose(_model(), [batch], nn.functional.mse_loss)


def test_diagnose_says_which_outputs_a_loss_met() -> None:
    batch = (torch.zeros(5, 2, 3), torch.zeros(5, 2, 8))
    with pytest.raises(AttributeError) as raised:
        gr.diagnose(nn.RNN(3, 8), [batch], nn.functional.mse_loss)
    (note,) = raised.value.__notes__
    assert "model(x) gave a tuple: take the tensor out of it" in note


def test_a_watch_says_where_it_stands(tmp_path: Path) -> None:
    model = _model()
    watch = gr.observe(model, out=tmp_path / "out")
    assert repr(watch) == f"<gradreach.Watch of Sequential, not begun: 0 backward passes, in {tmp_path / 'out'}>"
    with pytest.raises(RuntimeError, match="nothing was watched yet; ask within its `with` block"):
        watch.report()
    with watch:
        model(torch.ones(1, 3)).sum().backward()
        assert "Sequential, on: 1 backward pass, in" in repr(watch)
    assert "Sequential, ended: 1 backward pass, in" in repr(watch)


def test_lines_of_a_notebook_are_named_by_their_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = SimpleNamespace(compile=SimpleNamespace(_filename_map={"/tmp/ipykernel_1/2.py": 7}))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))  # type: ignore[arg-type]
    assert line_of("/tmp/ipykernel_1/2.py", 4) == "cell [7], line 4"
    assert line_of("/tmp/other.py", 4) == "/tmp/other.py:4"
    assert not is_library_file("<ipython-input-7-abc>")
    assert is_library_file("<string>")


def test_names_and_help() -> None:
    assert gr.__version__ == version("gradreach")
    assert not [name for name in dir(gr) if name.startswith("_")]
    assert set(gr.__all__) <= set(dir(gr))
    with pytest.raises(AttributeError, match="it has"):
        gr.nothing  # noqa: B018

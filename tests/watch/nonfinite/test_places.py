"""The module, the line and the row of the first value that is not finite, and what is not blamed for it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.schema import NonFinite
from tests.watch.conftest import Watched

HEAD = """
import torch
import torch.nn.functional as F
from torch import nn
torch.manual_seed(1)
BAD, bad = 64, False
"""
LOOP = """
optimizer = torch.optim.Adam(parameters, 1e-3)
for step in range(BAD + 2):
    bad = step == BAD
    x = torch.randn(16, 6)
{BODY}
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def found(setup: str, body: str, folder: Path, watched: Watched, every: int | None = None) -> NonFinite:
    """What is said of a script whose fault comes at step 64, by default between two looks."""
    inner = "\n".join(f"    {line}" for line in dedent(body).strip().splitlines())
    script = HEAD + dedent(setup) + LOOP.replace("{BODY}", inner)
    file = folder / "script.py"
    file.write_text(script, encoding="utf-8")
    _, record = watched(lambda: exec(compile(script, str(file), "exec"), {"__name__": "__main__"}), every)
    assert not record.notes, record.notes
    (only,) = [each for each in record.nonfinite if not each.scaled_away]
    assert only.step == 64
    return only


NET = """
net = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 4))
parameters = list(net.parameters())
"""


@pytest.mark.parametrize("every", [1, None])
def test_a_function_between_the_model_and_the_loss(every: int | None, tmp_path: Path, watched: Watched) -> None:
    setup = NET + "\ndef distance(a, b):\n    gap = (a - b).square().sum(1)\n    return torch.sqrt(gap)\n"
    body = """
        other = torch.randn(16, 6)
        if bad:
            other[11] = x[11]
        loss = distance(net(x), net(other)).mean()"""
    told = found(setup, body, tmp_path, watched, every)
    assert (told.phase, told.operation, told.cause) == ("backward", "sqrt", "root at zero")
    assert (told.index, told.shape) == ((11,), (16,))
    assert told.code == "return torch.sqrt(gap)"
    assert told.module == ""


def test_a_parents_own_forward_is_not_laid_to_the_next_leaf(tmp_path: Path, watched: Watched) -> None:
    setup = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.last = nn.Linear(6, 24), nn.Linear(24, 1)
            def forward(self, x):
                h = self.first(x).square()
                h = torch.log(h - (50.0 if bad else -1.0))
                return self.last(h)
        net = Net()
        parameters = list(net.parameters())
        """
    told = found(setup, "loss = net(x).square().mean()", tmp_path, watched)
    assert (told.phase, told.module, told.operation) == ("forward", "net", "log")
    assert told.cause == "log of a negative"
    assert told.code.startswith("h = torch.log(h")
    assert told.argument.startswith("log of −")


def test_what_one_model_hands_to_the_next_is_no_data(tmp_path: Path, watched: Watched) -> None:
    setup = """
        encoder, decoder = nn.Linear(6, 4), nn.Linear(4, 1)
        parameters = [*encoder.parameters(), *decoder.parameters()]
        """
    body = """
        h = encoder(x)
        h = torch.exp(h * (1e4 if bad else 0.1))
        loss = decoder(h).square().mean()"""
    told = found(setup, body, tmp_path, watched)
    assert (told.phase, told.operation, told.cause) == ("loss", "exp", "exp overflow")
    assert told.code.startswith("h = torch.exp")


def test_a_model_between_models_is_named_itself(tmp_path: Path, watched: Watched) -> None:
    setup = """
        class Encoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = nn.Linear(6, 4)
            def forward(self, x):
                return torch.exp(self.inner(x) * (1e4 if bad else 0.1))
        encoder, decoder = Encoder(), nn.Linear(4, 1)
        parameters = [*encoder.parameters(), *decoder.parameters()]
        """
    told = found(setup, "loss = decoder(encoder(x)).square().mean()", tmp_path, watched)
    assert (told.phase, told.module, told.operation) == ("forward", "encoder", "exp")


@pytest.mark.parametrize(("value", "said"), [("nan", "nan"), ("inf", "inf")])
def test_data_at_a_step_that_is_not_measured(value: str, said: str, tmp_path: Path, watched: Watched) -> None:
    body = f"""
        if bad:
            x[5, 2] = float("{value}")
        loss = net(x).square().mean()"""
    told = found(NET, body, tmp_path, watched)
    assert (told.phase, told.value, told.cause, told.module) == ("input", said, "inputs", "net")
    assert told.index == (5, 2)


def test_a_mask_of_minus_infinity_among_the_arguments_is_no_bad_data(tmp_path: Path, watched: Watched) -> None:
    setup = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.attend, self.head = nn.MultiheadAttention(6, 2, batch_first=True), nn.Linear(6, 1)
            def forward(self, x, mask):
                h, _ = self.attend(x, x, x, attn_mask=mask, need_weights=False)
                y = self.head(h)
                return torch.sqrt((y - y.detach() * float(bad)).square())
        net = Net()
        parameters = list(net.parameters())
        """
    body = """
        mask = torch.full((4, 4), float("-inf")).triu(1)
        loss = net(x.view(4, 4, 6), mask).mean()"""
    told = found(setup, body, tmp_path, watched)
    assert (told.phase, told.module, told.cause) == ("backward", "net", "root at zero")


def test_dropout_falls_as_it_did(tmp_path: Path, watched: Watched) -> None:
    setup = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.body, self.drop = nn.Linear(6, 24), nn.Dropout(0.5)
            def forward(self, x):
                h = self.drop(self.body(x).square() + 1)
                return torch.log(h if bad else h + 1)
        net = Net()
        parameters = list(net.parameters())
        """
    told = found(setup, "loss = net(x).mean()", tmp_path, watched)
    assert (told.module, told.cause, told.argument) == ("net", "log of zero", "log of 0")
    assert told.detail == ""


def test_a_model_that_never_does_the_same_twice_is_not_asked_where(tmp_path: Path, watched: Watched) -> None:
    setup = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.body, self.calls = nn.Linear(6, 24), 0
            def forward(self, x):
                self.calls += 1
                h = self.body(x) * (3 if self.calls % 2 else 1)
                return torch.log(h if bad else h.square() + 1)
        net = Net()
        parameters = list(net.parameters())
        """
    told = found(setup, "loss = net(x).mean()", tmp_path, watched)
    assert "another output" in told.detail
    assert (told.operation, told.cause, told.module) == ("log", "log of a negative", "")


def test_an_update_out_of_the_format(tmp_path: Path, watched: Watched) -> None:
    body = """
        for group in optimizer.param_groups:
            group["lr"] = 1e38 if step == BAD - 1 else 1e-3
        loss = net(x).square().mean() * (1e6 if step == BAD - 1 else 1.0)"""
    setup = NET + "\ntorch.optim.Adam = torch.optim.SGD\n"
    adam = torch.optim.Adam
    try:
        told = found(setup, body, tmp_path, watched)
    finally:
        torch.optim.Adam = adam  # type: ignore[misc]
    assert (told.phase, told.cause) == ("parameters", "update too large")
    assert told.argument.startswith("SGD with a rate of")


def test_a_forward_overflow_under_a_loss_scaler_is_named_at_once(watched: Watched) -> None:
    class Squares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 8)

        def forward(self, x: Tensor) -> Tensor:
            h = self.inner(x)
            return h * h

    def train() -> None:
        model = Squares()
        optimizer = torch.optim.SGD(model.parameters(), 1e-3)
        scaler = torch.amp.GradScaler("cpu")
        for step in range(8):
            x = torch.randn(6, 4) * (1e4 if step == 5 else 1.0)
            with torch.autocast("cpu", dtype=torch.float16):
                y = model(x)
            optimizer.zero_grad()
            scaler.scale(y.float().mean()).backward()
            scaler.step(optimizer)
            scaler.update()

    _, record = watched(train)
    (told,) = [each for each in record.nonfinite if not each.scaled_away]
    assert (told.step, told.phase, told.module, told.cause) == (5, "forward", "model", "half overflow")
    assert "65,504" in told.argument


def test_a_batch_that_the_model_writes_into_is_not_run_again(watched: Watched) -> None:
    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.scale = nn.Linear(4, 4), 1.0

        def forward(self, x: Tensor) -> Tensor:
            x.mul_(2)
            return torch.log(self.inner(x).abs() * self.scale)

    def train() -> Tensor:
        torch.manual_seed(3)
        model, x = Writes(), torch.randn(5, 4)
        for scale in (1.0, 0.0):
            model.scale = scale
            model(x).mean().backward()
        return x

    plain = train()
    x, record = watched(train)
    assert torch.equal(plain, x)
    (told,) = record.nonfinite
    assert told.phase == "loss"
    assert told.module == ""

"""While a CUDA graph is captured nothing of ours reads a number, and its replays are told of."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.watch.conftest import Watched


class _Captured:
    """Stands for a CUDA graph where there is no device: it captures nothing."""

    def capture_begin(self) -> None:
        """As torch's own."""

    def capture_end(self) -> None:
        """As torch's own."""

    def replay(self) -> None:
        """As torch's own."""


class _Reads(TorchDispatchMode):
    """Counts the numbers that are read, and the operations."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0
        self.operations: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.read += func is torch.ops.aten._local_scalar_dense.default
        self.operations.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def _no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "CUDAGraph", _Captured)


def test_a_capture_is_left_alone_and_its_replays_are_told_of(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[int] = []

    def train() -> Tensor:
        torch.manual_seed(0)
        net, x = nn.Linear(3, 1), torch.ones(2, 3)
        optimizer = torch.optim.SGD(net.parameters(), 0.1)

        def step() -> None:
            optimizer.zero_grad()
            net(x).square().mean().backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            optimizer.step()

        step()
        graph = torch.cuda.CUDAGraph()
        reads, take = [], torch.get_rng_state
        monkeypatch.setattr(torch, "get_rng_state", lambda: (states.append(1), take())[1])
        graph.capture_begin()
        before = len(states)
        plain = _Reads()
        with plain:
            step()
        reads.append(plain.read)
        graph.capture_end()
        assert len(states) == before
        for _ in range(5):
            graph.replay()
        step()
        assert reads == [0]
        return net.weight.detach().clone()

    usual = train()
    seen, record = watched(train)
    assert torch.equal(seen, usual)
    assert len(record.steps) == 2
    assert [note for note in record.notes if "A captured CUDA graph ran 5 times" in note]


def test_graphs_that_torch_itself_runs_within_a_pass_are_not_told_of(watched: Watched) -> None:
    within = compile("for _ in range(3): graph.replay()", torch.__file__, "exec")

    def train() -> None:
        exec(within, {"graph": torch.cuda.CUDAGraph()})

    _, record = watched(train)
    assert not record.notes

"""Any order of sound, non-finite and far-out steps, overflows, lasting changes, spoilt weights, restarts."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from math import inf, nan
from pathlib import Path

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from torch import Tensor, nn

from gradreach.remedies.guard.events import GaveUp
from gradreach.remedies.guard.guard import Guard
from gradreach.remedies.guard.options import GuardPolicy, GuardSnapshots

PATIENCE, LIMIT, ATTEMPTS, EVERY = 2, 6, 2, 4


class Run:
    """A small network with running statistics, its optimizer, scheduler, scaler and guard, as a script makes them."""

    def __init__(self, folder: Path, scaled: bool) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-3)
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.999)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=3) if scaled else None
        self.guard = Guard(
            self.model,
            self.optimizer,
            clip=1.0,
            scheduler=self.scheduler,
            scaler=self.scaler,
            policy=GuardPolicy(PATIENCE, LIMIT, ATTEMPTS),
            snapshots=GuardSnapshots(EVERY, folder),
        )
        self.last = self.guard.resume()

    def loss(self, factor: float = 1.0) -> Tensor:
        return (self.model(factor * torch.randn(8, 3)) - 1.0).square().mean()

    def tensors(self) -> list[Tensor]:
        state = self.optimizer.state_dict()["state"].values()
        moments = [t for entry in state for t in entry.values() if isinstance(t, Tensor)]
        return [*self.model.state_dict().values(), *moments]


class GuardMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.level = 1.0
        logging.getLogger("gradreach").setLevel(logging.CRITICAL)

    @initialize(scaled=st.booleans())
    def start(self, scaled: bool) -> None:
        self.scaled = scaled
        self.begin()

    def begin(self) -> None:
        self.run = Run(Path(self.folder.name), self.scaled)
        self.bad_in_a_row = 0
        self.spoilt = False
        self.ended = False
        self.before = dict(self.run.guard.counts)

    def step(self, loss: Callable[[], Tensor]) -> None:
        guard, told = self.run.guard, len(self.run.guard.events)
        weights = [t.detach().clone() for t in self.run.tensors()]
        self.before = dict(guard.counts)
        try:
            guard.step(loss())
        except GaveUp:
            self.ended, self.spoilt = True, False
        events = guard.events[told:]
        counts = guard.counts
        if counts["rolled_back"] > self.before["rolled_back"]:
            self.bad_in_a_row = 0
            self.spoilt = False
        elif counts["skipped"] > self.before["skipped"]:
            self.bad_in_a_row += 1
        elif counts["good"] > self.before["good"]:
            self.bad_in_a_row = 0
        if guard.skipped:
            assert events or counts["overflowed"] > self.before["overflowed"]  # never without a reason
            assert all(p.grad is None for p in self.run.model.parameters())
            if counts["rolled_back"] == self.before["rolled_back"] and not self.ended:
                assert all(
                    torch.equal(a, b) or (self.spoilt and not bool(a.isfinite().all()))
                    for a, b in zip(weights, self.run.tensors(), strict=True)
                )
        assert self.bad_in_a_row < 2 * LIMIT  # spikes after steps that are not finite are counted anew

    live = precondition(lambda self: not self.ended)

    @live
    @rule(times=st.integers(1, 30))
    def sound(self, times: int) -> None:
        for _ in range(times):
            if not self.ended:
                self.step(lambda: self.level * self.run.loss())

    @live
    @rule(times=st.integers(1, 12), factor=st.sampled_from([nan, inf]))
    def not_finite(self, times: int, factor: float) -> None:
        for _ in range(times):
            if not self.ended:
                self.step(lambda: self.run.loss(factor))
                assert self.run.guard.counts["good"] == self.before["good"]

    @live
    @rule(times=st.integers(1, 12))
    def spike(self, times: int) -> None:
        for _ in range(times):
            if not self.ended:
                self.step(lambda: 1e6 * self.level * self.run.loss())

    @live
    @rule(times=st.integers(1, 4))
    def backward_overflows(self, times: int) -> None:
        def loss() -> Tensor:
            finite = self.run.loss()
            finite.register_hook(lambda gradient: gradient * inf)
            return finite

        for _ in range(times):
            if not self.ended:
                self.step(loss)

    @live
    @rule()
    def level_changes_for_good(self) -> None:
        self.level = 1e4 if self.level == 1.0 else 1.0

    @precondition(lambda self: not self.ended and self.run.guard.steps > self.run.last)
    @rule()
    def weight_is_spoilt(self) -> None:
        self.spoilt = True
        with torch.no_grad():
            self.run.model[2].weight[0, 0] = inf

    @live
    @rule()
    def own_loop(self) -> None:
        guard, loss = self.run.guard, self.run.loss()
        scaled = loss if self.run.scaler is None else self.run.scaler.scale(loss)
        scaled.backward()
        before = guard.counts["rolled_back"]
        try:
            if guard.before_step(loss):
                if self.run.scaler is None:
                    self.run.optimizer.step()
                else:
                    self.run.scaler.step(self.run.optimizer)
                    self.run.scaler.update()
                self.run.scheduler.step()
                self.bad_in_a_row = 0
            else:
                self.bad_in_a_row += 1
        except GaveUp:
            self.ended, self.spoilt = True, False
        if guard.counts["rolled_back"] > before:
            self.bad_in_a_row, self.spoilt = 0, False
        self.run.optimizer.zero_grad()

    @precondition(lambda self: self.ended or self.run.guard.steps > 10)
    @rule()
    def killed_and_started_again(self) -> None:
        good = self.run.guard.counts["good"]
        self.begin()
        assert self.run.last == self.run.guard.steps
        assert self.run.guard.counts["good"] <= good

    @invariant()
    def weights_are_finite(self) -> None:
        if hasattr(self, "run") and not self.spoilt:
            assert all(bool(t.isfinite().all()) for t in self.run.tensors())

    @invariant()
    def counts_add_up(self) -> None:
        if hasattr(self, "run"):
            counts = self.run.guard.counts
            assert counts["steps"] == counts["good"] + counts["skipped"] + counts["overflowed"]
            assert counts["accepted"] <= counts["good"]
            assert counts["steps"] >= self.before["steps"]

    def teardown(self) -> None:
        try:
            if hasattr(self, "run"):
                self.ends()
        finally:
            logging.getLogger("gradreach").setLevel(logging.NOTSET)
            self.folder.cleanup()

    def ends(self) -> None:
        """However it got here, an endless fault ends it, in a known number of steps."""
        for _ in range(2 * PATIENCE + (ATTEMPTS + 1) * LIMIT + 10):  # 10: the loss scale's falls
            if not self.ended:
                self.step(lambda: self.run.loss(nan))
        assert self.ended
        assert all(bool(t.isfinite().all()) for t in self.run.tensors())


GuardMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestGuardMachine = GuardMachine.TestCase

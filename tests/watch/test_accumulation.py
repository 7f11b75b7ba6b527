"""Which backward passes make one step: each shape of loop beside what the loop itself counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.schema import Record
from tests.watch.conftest import Watched

UPDATES = 12
LIMIT = 0.3


@dataclass
class Loop:
    """A regression, and what its loop sees at each update: the norm of the gradient before clipping, and the loss."""

    net: nn.Module = field(default_factory=lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)))
    norms: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    summed: float = 0.0

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.05)

    def loss(self) -> Tensor:
        x = torch.randn(8, 4)
        return (self.net(x) - x.sum(1, keepdim=True)).square().mean()

    def backward(self, loss: Tensor, *, retain_graph: bool = False) -> None:
        self.summed += loss.item()
        loss.backward(retain_graph=retain_graph)

    def seen(self, norm: float | None = None) -> None:
        grads = [p.grad.norm() for p in self.net.parameters() if p.grad is not None]
        self.norms.append(float(torch.stack(grads).norm()) if norm is None else norm)
        self.losses.append(self.summed)
        self.summed = 0.0


def summed(loop: Loop) -> None:
    for _ in range(4):
        loop.backward(loop.loss())
    loop.seen()
    loop.optimizer.step()
    loop.optimizer.zero_grad()


def averaged(loop: Loop) -> None:
    for _ in range(4):
        loop.backward(loop.loss() / 4)
    loop.seen()
    loop.optimizer.step()
    loop.optimizer.zero_grad(set_to_none=False)


def clipped(loop: Loop) -> None:
    for _ in range(4):
        loop.backward(loop.loss() / 4)
    loop.seen()
    nn.utils.clip_grad_norm_(loop.net.parameters(), LIMIT)
    loop.optimizer.step()
    loop.optimizer.zero_grad()


def clipped_at_each_pass(loop: Loop) -> None:
    norm = 0.0
    for _ in range(4):
        loop.backward(loop.loss() / 4)
        norm = float(nn.utils.clip_grad_norm_(loop.net.parameters(), LIMIT))
    loop.seen(norm)
    loop.optimizer.step()
    loop.optimizer.zero_grad()


def of_two_lines(loop: Loop) -> None:
    loop.backward(loop.loss())
    (penalty := 0.1 * loop.loss()).backward()
    loop.summed += penalty.item()
    loop.seen()
    loop.optimizer.step()
    loop.optimizer.zero_grad()


def twice_over_one_graph(loop: Loop) -> None:
    loss = loop.loss()
    for _ in range(2):
        loop.backward(loss, retain_graph=True)
    loop.seen()
    loop.optimizer.step()
    loop.optimizer.zero_grad()


def by_hand(loop: Loop) -> None:
    """Torch counts nothing of what is done here."""
    for _ in range(3):
        loop.backward(loop.loss() / 3)
    loop.seen()
    for p in loop.net.parameters():
        if p.grad is not None:
            p.data.add_(p.grad.data, alpha=-0.05)
            p.grad.data.zero_()


def never_cleared(loop: Loop) -> None:
    loop.backward(loop.loss())
    loop.seen()
    loop.optimizer.step()


def seldom_cleared(loop: Loop) -> None:
    never_cleared(loop)
    if len(loop.norms) % 3 == 0:
        loop.optimizer.zero_grad()


def one_by_one(loop: Loop) -> None:
    loop.optimizer.zero_grad()
    never_cleared(loop)


SHAPES = {
    summed: 4,
    averaged: 4,
    clipped: 4,
    clipped_at_each_pass: 4,
    of_two_lines: 2,
    twice_over_one_graph: 2,
    by_hand: 3,
    never_cleared: 1,
    seldom_cleared: 1,
    one_by_one: 1,
}


@pytest.fixture(params=[1, None], ids=["each pass looked at", "as the budget allows"])
def every(request: pytest.FixtureRequest) -> int | None:
    torch.manual_seed(0)
    return request.param


@pytest.mark.parametrize("update", SHAPES, ids=lambda update: update.__name__)
def test_a_step_is_an_update(update: Callable[[Loop], None], every: int | None, watched: Watched) -> None:
    loop = Loop()
    _, record = watched(lambda: [update(loop) for _ in range(UPDATES)], every=every)
    assert [step.step for step in record.steps] == list(range(UPDATES))
    assert {step.passes for step in record.steps} == {SHAPES[update]}
    assert (record.length, record.passes) == (UPDATES, UPDATES * SHAPES[update])
    assert [step.loss for step in record.steps] == pytest.approx(loop.losses, rel=1e-5)
    told = [step.pre_clip if update is clipped_at_each_pass else step.norm for step in record.steps]
    assert told == pytest.approx(loop.norms, rel=1e-5)
    limit = LIMIT if update in (clipped, clipped_at_each_pass) else None
    assert {step.threshold for step in record.steps} == {limit}
    assert all(look.at_pass <= SHAPES[update] for look in record.looks)


def adversaries(watched: Watched, turn: Callable[[nn.Module, nn.Module, Callable[..., None]], None]) -> Record:
    torch.manual_seed(0)
    maker, critic = nn.Linear(3, 2), nn.Linear(2, 1)
    steps = {model: torch.optim.SGD(model.parameters(), 0.01) for model in (maker, critic)}

    def update(*models: nn.Module) -> None:
        for model in models:
            steps[model].step()
        for model in models:
            steps[model].zero_grad()

    return watched(lambda: [turn(maker, critic, update) for _ in range(UPDATES)], every=None)[1]


def test_a_critic_of_two_losses_and_its_maker_are_two_steps(watched: Watched) -> None:
    def turn(maker: nn.Module, critic: nn.Module, update: Callable[..., None]) -> None:
        made = maker(torch.randn(8, 3))
        critic.zero_grad()
        critic(torch.randn(8, 2)).mean().backward()
        (-critic(made.detach()).mean()).backward()
        update(critic)
        critic(made).mean().backward()
        update(maker)

    record = adversaries(watched, turn)
    assert [step.passes for step in record.steps] == [2, 1] * UPDATES
    assert record.joined == {1: 0}


def test_models_that_share_nothing_are_steps_of_their_own(watched: Watched) -> None:
    def turn(maker: nn.Module, critic: nn.Module, update: Callable[..., None]) -> None:
        critic(torch.randn(8, 2)).mean().backward()
        maker(torch.randn(8, 3)).square().mean().backward()
        update(critic, maker)

    assert [step.passes for step in adversaries(watched, turn).steps] == [1] * 2 * UPDATES


def test_each_evaluation_of_a_closure_is_a_step(watched: Watched) -> None:
    torch.manual_seed(0)
    loop = Loop()
    optimizer = torch.optim.LBFGS(loop.net.parameters(), 0.1, max_iter=4)

    def closure() -> float:
        optimizer.zero_grad()
        loss = loop.loss()
        loop.backward(loss)
        loop.seen()
        return loss.item()

    _, record = watched(lambda: [optimizer.step(closure) for _ in range(3)], every=None)
    assert [step.norm for step in record.steps] == pytest.approx(loop.norms, rel=1e-5)


def test_a_part_that_no_optimizer_holds_hides_no_update(watched: Watched) -> None:
    torch.manual_seed(0)
    body, head = nn.Linear(4, 6), nn.Linear(6, 1)
    optimizer = torch.optim.SGD(head.parameters(), 0.01)

    def train() -> None:
        for _ in range(UPDATES):
            for _ in range(2):
                head(body(torch.randn(8, 4))).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()

    assert [step.passes for step in watched(train, every=None)[1].steps] == [2] * UPDATES


def test_where_no_update_is_ever_made_each_pass_is_a_step(watched: Watched) -> None:
    loop = Loop()
    _, record = watched(lambda: [loop.backward(loop.loss()) for _ in range(UPDATES)], every=None)
    assert [(step.step, step.passes) for step in record.steps] == [(i, 1) for i in range(UPDATES)]


def test_a_scaler_that_skips_ends_its_step(watched: Watched) -> None:
    torch.manual_seed(0)
    loop, scaler = Loop(), torch.amp.GradScaler("cpu", init_scale=2.0**8)

    def train() -> None:
        for _ in range(UPDATES):
            for _ in range(3):
                loss = loop.loss() / 3
                loop.summed += loss.item()
                scaler.scale(loss).backward()
            scaler.unscale_(loop.optimizer)
            loop.seen()
            scaler.step(loop.optimizer)
            scaler.update()
            loop.optimizer.zero_grad()

    _, record = watched(train, every=None)
    assert [step.norm for step in record.steps] == pytest.approx(loop.norms, rel=1e-5)
    assert [step.loss for step in record.steps] == pytest.approx(loop.losses, rel=1e-5)


@pytest.mark.parametrize("every", [1, 2, 3, 4])
def test_the_last_look_of_an_update_sees_it_whichever_pass_it_was_taken_at(every: int, watched: Watched) -> None:
    torch.manual_seed(0)
    loop = Loop()
    moved: list[float] = []

    def train() -> None:
        for _ in range(UPDATES):
            before = [p.detach().clone() for p in loop.net.parameters()]
            summed(loop)
            both = zip(loop.net.parameters(), before, strict=True)
            moved.append(float(torch.stack([(p.detach() - b).norm() for p, b in both]).norm()))

    _, record = watched(train, every)
    later = [look for look in record.looks if look.step >= 2]
    last = {look.step: look for look in later}
    assert len(last) > UPDATES / 2
    for step, look in last.items():
        assert look.update == pytest.approx(moved[step], rel=1e-4)
        assert look.stepped is not None
        assert look.stepped.optimizers == ("SGD",)
    assert all(look.update is None for look in later if look is not last[look.step])

"""What a look and the passes after it show of the training loop: whether gradients are cleared, and where it clips."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.schema import Record
from tests.watch.conftest import Watched


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))


def names(record: Record) -> tuple[set[str], set[str]]:
    """All that was cleared, and all that was not."""
    cleared = {name for look in record.looks for name in look.cleared}
    return cleared, {name for look in record.looks for name in look.uncleared}


EVERY = {f"model.{i}.{name}" for i in (0, 2) for name in ("weight", "bias")}


@pytest.mark.parametrize("clear", ["none", "zeros", "part", "never"])
def test_who_clears_and_how(clear: str, watched: Watched) -> None:
    model = net()

    def train() -> None:
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(8):
            if clear in ("none", "zeros"):
                optimizer.zero_grad(set_to_none=clear == "none")
            if clear == "part":
                model[2].zero_grad()
            model(torch.randn(6, 4)).square().mean().backward()
            optimizer.step()

    cleared, kept = names(watched(train)[1])
    part = {name for name in EVERY if name.startswith("model.0")}
    assert kept == {"never": EVERY, "part": part}.get(clear, set())
    assert cleared == EVERY - kept


@pytest.mark.parametrize("cleared_after", [True, False])
@pytest.mark.parametrize("every", [1, 3])
def test_micro_batches_add_up_before_an_update_and_not_over_it(
    cleared_after: bool, every: int, watched: Watched
) -> None:
    model = net()

    def train() -> None:
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        for i in range(24):
            model(torch.randn(6, 4)).square().mean().backward()
            if i % 4 == 3:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                if cleared_after:
                    optimizer.zero_grad()

    assert names(watched(train, every=every)[1]) == ((EVERY, set()) if cleared_after else (set(), EVERY))


def test_adversaries_in_one_function_clear_each_other_in_turn(watched: Watched) -> None:
    model, critic = net(), nn.Linear(1, 1)

    def step(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def train() -> None:
        one, other = torch.optim.SGD(model.parameters(), 0.1), torch.optim.SGD(critic.parameters(), 0.1)
        for _ in range(8):
            fake = model(torch.randn(6, 4))
            step((critic(fake.detach()) - 1).square().mean(), other)
            step(critic(fake).square().mean(), one)

    cleared, kept = names(watched(train)[1])
    assert kept == set()
    assert cleared == EVERY | {"critic.weight", "critic.bias"}


def test_a_closure_that_clears_is_healthy(watched: Watched) -> None:
    model, x = net(), torch.randn(8, 4)

    def train() -> None:
        optimizer = torch.optim.LBFGS(model.parameters(), 0.1, max_iter=4)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)

    assert names(watched(train)[1])[1] == set()


def test_what_is_scaled_down_from_step_to_step_is_kept_on_purpose(watched: Watched) -> None:
    model = net()

    @torch.no_grad()
    def step() -> None:
        for p in model.parameters():
            assert p.grad is not None
            p.sub_(p.grad, alpha=0.1)
            p.grad.mul_(0.9)

    def train() -> None:
        for _ in range(8):
            model(torch.randn(6, 4)).square().mean().backward()
            step()

    assert names(watched(train)[1])[1] == set()


def test_a_table_that_renews_its_rows_moves_without_an_update(watched: Watched) -> None:
    torch.manual_seed(0)
    table, head = nn.Embedding(9, 4, max_norm=0.1), nn.Linear(4, 1)

    def train() -> None:
        for _ in range(12):
            with torch.no_grad():
                table.weight.mul_(2)
            head(table(torch.randint(0, 9, (6,)))).square().mean().backward()

    assert "table.weight" not in names(watched(train)[1])[1]


def loop(order: str, optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.SGD) -> Callable[[], None]:
    """Steps made of z(ero_grad), b(ackward), c(lip) and s(tep) in that order."""
    model = net()

    def train() -> None:
        made = optimizer(model.parameters(), 0.1)
        for _ in range(12):
            loss = model(torch.randn(6, 4)).square().mean()
            for act in order:
                if act == "c":
                    nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
                else:
                    {"z": made.zero_grad, "b": loss.backward, "s": made.step}[act]()

    return train


@pytest.mark.parametrize(
    ("order", "late"), [("zbcs", False), ("zcbs", True), ("czbs", True), ("zbsc", True), ("bcsz", False)]
)
def test_a_call_after_the_update_is_late(order: str, late: bool, watched: Watched) -> None:
    steps = watched(loop(order))[1].steps
    calls = [step.late for step in steps[1:-1] if step.clip]
    assert len(calls) >= 9
    assert set(calls) == {late}


def test_weights_that_are_moved_again_after_the_call_leave_it_in_its_place(watched: Watched) -> None:
    model = net()

    def noise(sign: float) -> None:
        torch.manual_seed(3)
        with torch.no_grad():
            for p in model.parameters():
                p.add_(torch.randn_like(p), alpha=0.01 * sign)

    def train() -> None:
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(8):
            noise(1.0)
            optimizer.zero_grad()
            model(torch.randn(6, 4)).square().mean().backward()
            noise(-1.0)
            nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            optimizer.step()

    assert not any(step.late for step in watched(train)[1].steps)


def test_a_generator_of_parameters_is_clipped_as_ever(watched: Watched) -> None:
    model = net()

    def train() -> Tensor:
        model(torch.ones(6, 4)).square().mean().backward()
        with pytest.warns(UserWarning, match="empty generator"):
            nn.utils.clip_grad_norm_((p for p in ()), 1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            nn.utils.clip_grad_norm_([], 1.0)
            nn.utils.clip_grad_value_(parameters=iter(model.parameters()), clip_value=1e-4)
            return nn.utils.clip_grad_norm_(model[0].weight, 1e-5)

    first, _ = watched(train)
    model.zero_grad()
    assert torch.equal(first, train())
    assert float(model[2].weight.grad.abs().max()) <= 1e-4  # type: ignore[union-attr]


@pytest.mark.parametrize("fault", ["none", "cleared", "not stepped", "others", "rate", "closure"])
def test_what_optimizers_do_after_a_look(fault: str, watched: Watched) -> None:
    model = net()

    def train() -> None:
        given = model[2].parameters() if fault == "others" else model.parameters()
        optimizer = torch.optim.SGD(given, 0.0 if fault == "rate" else 0.1)

        def passed() -> Tensor:
            if fault != "cleared":
                optimizer.zero_grad()
            loss = model(torch.randn(6, 4)).square().mean()
            loss.backward()
            return loss

        for _ in range(8):
            if fault == "closure":
                optimizer.step(passed)  # type: ignore[arg-type]
                continue
            passed()
            if fault == "cleared":
                optimizer.zero_grad()
            if fault != "not stepped":
                optimizer.step()

    looks = watched(train)[1].looks
    told = [look.stepped for look in looks if look.stepped is not None]
    assert len(told) == len(looks) == 8
    ordinary = told[1:-1] if fault == "closure" else told
    assert {each.steps for each in ordinary} == {0 if fault == "not stepped" else 1}
    held = {"not stepped": set(), "others": {"model.2.weight", "model.2.bias"}}.get(fault, EVERY)
    assert all(set(each.held) == held for each in ordinary)
    assert all(set(each.empty) == (EVERY if fault == "cleared" else set()) for each in told)
    assert {each.rate for each in ordinary} == {0.0 if fault in ("rate", "not stepped") else 0.1}


@pytest.mark.parametrize("clears", [True, False])
def test_what_a_pass_leaves_in_a_model_that_it_does_not_train(clears: bool, watched: Watched) -> None:
    made, judged = nn.Linear(3, 4), net()

    def train() -> None:
        of_made = torch.optim.SGD(made.parameters(), 0.1)
        of_judged = torch.optim.SGD(judged.parameters(), 0.1)
        for _ in range(4):
            judged(made(torch.randn(6, 3))).mean().backward()
            of_made.step()
            of_made.zero_grad()
            if clears:
                of_judged.zero_grad()
            judged(made(torch.randn(6, 3)).detach()).square().mean().backward()
            of_judged.step()
            of_judged.zero_grad()

    told = [look.stepped for look in watched(train)[1].looks if look.stepped is not None]
    left = {f"judged.{i}.{name}" for i in (0, 2) for name in ("weight", "bias")}
    assert [set(each.left) for each in told[:2]] == [set() if clears else left, set()]
    assert [len(each.held) for each in told[:2]] == [2, 4]

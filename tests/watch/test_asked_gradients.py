"""Training by `torch.autograd.grad`: seen as backward is where its gradients move the parameters, and nowhere else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from gradreach.record.schema import Record
from tests.watch.conftest import Watched

UPDATES = 8


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def _loss(net: Callable[[Tensor], Tensor], number: int) -> Tensor:
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(number))
    return (net(x) - x.sum(1, keepdim=True)).square().mean()


def _assigned(p: Iterable[Tensor], gradients: Iterable[Tensor]) -> None:
    for each, gradient in zip(p, gradients, strict=True):
        each.grad = gradient


def _by_hand(p: list[Tensor], gradients: tuple[Tensor, ...]) -> None:
    with torch.no_grad():
        for each, gradient in zip(p, gradients, strict=True):
            each -= 0.05 * gradient


def _at_once(p: list[Tensor], gradients: tuple[Tensor, ...]) -> None:
    with torch.no_grad():
        torch._foreach_add_(p, gradients, alpha=-0.05)


def _by_data(p: list[Tensor], gradients: tuple[Tensor, ...]) -> None:
    for each, gradient in zip(p, gradients, strict=True):
        each.data = each.data - 0.05 * gradient


def _stepped(p: list[Tensor], gradients: tuple[Tensor, ...]) -> None:
    _assigned(p, gradients)
    torch.optim.SGD(p, 0.05).step()


def _copied(p: list[Tensor], gradients: tuple[Tensor, ...]) -> None:
    for each, gradient in zip(p, gradients, strict=True):
        each.grad = torch.zeros_like(each) if each.grad is None else each.grad
        each.grad.copy_(gradient)
    torch.optim.SGD(p, 0.05).step()


def _train(update: Callable[[list[Tensor], tuple[Tensor, ...]], None]) -> Tensor:
    net = _net()
    parameters: list[Tensor] = list(net.parameters())
    for number in range(UPDATES):
        update(parameters, torch.autograd.grad(_loss(net, number), parameters))
    return torch.cat([p.detach().reshape(-1) for p in parameters])


def _by_backward() -> Tensor:
    net = _net()
    optimizer = torch.optim.SGD(net.parameters(), 0.05)
    for number in range(UPDATES):
        optimizer.zero_grad()
        _loss(net, number).backward()
        optimizer.step()
    return torch.cat([p.detach().reshape(-1) for p in net.parameters()])


@pytest.mark.parametrize("update", [_by_hand, _at_once, _by_data, _stepped, _copied])
def test_a_training_by_gradients_asked_for_is_seen_as_one_by_backward(
    update: Callable[[list[Tensor], tuple[Tensor, ...]], None], watched: Watched
) -> None:
    plain = _train(update)
    seen, record = watched(lambda: _train(update))
    _, usual = watched(_by_backward)
    assert torch.equal(seen, plain)
    assert not record.notes
    assert [step.loss for step in record.steps] == pytest.approx([step.loss for step in usual.steps])
    assert [step.norm for step in record.steps] == pytest.approx([step.norm for step in usual.steps])
    assert [step.passes for step in record.steps] == [1] * UPDATES
    for look in record.looks:
        same = next(each for each in usual.looks if each.step == look.step)
        assert [(d.module, d.weight_grad_norm) for d in look.depth] == [
            (d.module, pytest.approx(d.weight_grad_norm)) for d in same.depth
        ]
        assert look.update == pytest.approx(same.update)
        assert not look.uncleared
    assert len(record.looks) >= UPDATES - 3


def test_a_closure_of_lbfgs_may_ask_for_its_gradients(watched: Watched) -> None:
    def train() -> None:
        net = _net()
        parameters = list(net.parameters())
        optimizer = torch.optim.LBFGS(parameters, max_iter=4)

        def closure() -> Tensor:
            loss = _loss(net, 1)
            _assigned(parameters, torch.autograd.grad(loss, parameters))
            return loss

        for _ in range(3):
            optimizer.step(closure)  # type: ignore[arg-type]

    _, record = watched(train)
    assert len(record.steps) >= 8
    assert record.steps[-1].loss is not None
    assert record.steps[0].loss is not None
    assert record.steps[-1].loss < record.steps[0].loss


def test_what_the_script_keeps_as_gradients_stays_there(watched: Watched) -> None:
    def train() -> bool:
        net = _net()
        parameters = list(net.parameters())
        kept = [torch.full_like(p, 7.0) for p in parameters]
        _assigned(parameters, kept)
        for number in range(UPDATES):
            _by_hand(parameters, torch.autograd.grad(_loss(net, number), net.parameters()))
        return all(p.grad is each and bool((each == 7.0).all()) for p, each in zip(parameters, kept, strict=True))

    is_kept, record = watched(train)
    assert is_kept
    assert len(record.steps) == UPDATES
    assert all(step.norm is not None and step.norm < 7.0 for step in record.steps)


def test_gradients_of_several_tasks_make_one_step(watched: Watched) -> None:
    def train() -> None:
        net = _net()
        parameters = list(net.parameters())
        optimizer = torch.optim.SGD(parameters, 0.05)
        for number in range(UPDATES):
            each = [torch.autograd.grad(_loss(net, number + task), parameters) for task in range(3)]
            _assigned(parameters, [sum(parts[1:], parts[0]) for parts in zip(*each, strict=True)])
            optimizer.step()

    _, record = watched(train)
    assert [step.passes for step in record.steps] == [3] * UPDATES
    assert all(step.norm is None for step in record.steps[1:])


def test_one_of_two_models_may_be_trained_by_hand(watched: Watched) -> None:
    def train() -> None:
        net, other = _net(), _net()
        optimizer = torch.optim.SGD(other.parameters(), 0.05)
        for number in range(UPDATES):
            _by_hand(list(net.parameters()), torch.autograd.grad(_loss(net, number), list(net.parameters())))
            optimizer.zero_grad()
            _loss(other, number).backward()
            optimizer.step()

    _, record = watched(train)
    assert len(record.steps) == 2 * UPDATES
    assert [step.site for step in record.steps] == [0, 1] + [1, 0] * (UPDATES - 1)


def test_a_guard_stands_before_the_steps_of_such_a_training(watched: Watched) -> None:
    _, record = watched(lambda: _train(_kept_optimizer()), guard=True)
    assert record.guarded is not None
    assert (record.guarded.optimizers, record.guarded.updates) == (1, UPDATES - 1)


def _kept_optimizer() -> Callable[[list[Tensor], tuple[Tensor, ...]], None]:
    optimizers: list[torch.optim.Optimizer] = []

    def update(p: list[Tensor], gradients: tuple[Tensor, ...]) -> None:
        if not optimizers:
            optimizers.append(torch.optim.SGD(p, 0.05))
        _assigned(p, gradients)
        optimizers[0].step()

    return update


def test_the_loss_of_each_step_is_told_without_its_scale(watched: Watched) -> None:
    def train() -> None:
        net = _net()
        parameters, scaler = list(net.parameters()), torch.amp.GradScaler("cpu", init_scale=64.0)
        for number in range(UPDATES):
            asked = torch.autograd.grad(scaler.scale(_loss(net, number)), parameters)
            _by_hand(parameters, tuple(gradient / 64.0 for gradient in asked))

    _, record = watched(train)
    _, usual = watched(_by_backward)
    assert [step.loss for step in record.steps] == pytest.approx([step.loss for step in usual.steps])
    assert [step.norm for step in record.steps] == pytest.approx([step.norm for step in usual.steps])


def test_one_helper_may_train_two_models_in_turn(watched: Watched) -> None:
    def train() -> None:
        maker, critic = nn.Linear(2, 4), _net()
        optimizers = [torch.optim.SGD(model.parameters(), 0.01) for model in (critic, maker)]

        def step(loss: Tensor, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
            parameters = list(model.parameters())
            _assigned(parameters, torch.autograd.grad(loss, parameters))
            optimizer.step()

        for _ in range(UPDATES):
            made = maker(torch.randn(8, 2))
            step((critic(made.detach()) - 1).square().mean(), critic, optimizers[0])
            step(critic(made).square().mean(), maker, optimizers[1])

    _, record = watched(train)
    assert [step.passes for step in record.steps] == [1] * (2 * UPDATES)


def test_outer_steps_of_meta_learning_count_and_inner_ones_do_not(watched: Watched) -> None:
    def train() -> None:
        net = _net()
        parameters = list(net.parameters())
        optimizer = torch.optim.SGD(parameters, 0.05)
        for number in range(UPDATES):
            tasks = [
                torch.autograd.grad(_inner_steps(net, number + 3 * task, create_graph=True), parameters)
                for task in range(2)
            ]
            _assigned(parameters, [one + other for one, other in zip(*tasks, strict=True)])
            optimizer.step()

    _, record = watched(train)
    assert len(record.sites) == 1
    assert [step.passes for step in record.steps] == [2] * UPDATES
    assert not any(look.zero_gradient for look in record.looks)


def test_a_leaf_that_was_not_asked_for_is_none_of_the_training(watched: Watched) -> None:
    def train() -> None:
        body, head = nn.Linear(4, 6), nn.Linear(6, 1)
        for number in range(UPDATES):
            loss = _loss(lambda x: head(body(x).tanh()), number)
            _by_hand(list(head.parameters()), torch.autograd.grad(loss, list(head.parameters())))

    _, record = watched(train)
    assert len(record.steps) == UPDATES
    assert not any(look.without_gradient for look in record.looks)


def _penalty(net: nn.Module, number: int) -> Tensor:
    x = torch.randn(8, 4, requires_grad=True)
    (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    return _loss(net, number) + slope.square().mean()


def _second_order(net: nn.Module, number: int) -> Tensor:
    loss = _loss(net, number)
    return loss + sum(
        (g.square().sum() for g in torch.autograd.grad(loss, list(net.parameters()), create_graph=True)), loss * 0
    )


def _inner_steps(net: nn.Module, number: int, *, create_graph: bool) -> Tensor:
    fast: dict[str, Tensor] = dict(net.named_parameters())
    for _ in range(2):
        loss = _loss(lambda x: functional_call(net, fast, (x,)), number)  # noqa: B023
        asked = torch.autograd.grad(loss, list(fast.values()), create_graph=create_graph)
        fast = {name: p - 0.1 * g for (name, p), g in zip(fast.items(), asked, strict=True)}
    return _loss(lambda x: functional_call(net, fast, (x,)), number + 1)


def _norm_first(net: nn.Module, number: int) -> Tensor:
    loss = _loss(net, number)
    torch.autograd.grad(loss, list(net.parameters()), retain_graph=True)
    return loss


def _adversary(net: nn.Module, number: int) -> Tensor:
    x = torch.randn(8, 4)
    shift = torch.zeros_like(x, requires_grad=True)
    for _ in range(3):
        (slope,) = torch.autograd.grad(net(x + shift).square().mean(), shift)
        with torch.no_grad():
            shift -= 0.1 * slope
    return _loss(net, number) + net(x + shift.detach()).square().mean()


@pytest.mark.parametrize(
    "loss_of",
    [
        _penalty,
        _second_order,
        lambda net, number: _inner_steps(net, number, create_graph=True),
        lambda net, number: _inner_steps(net, number, create_graph=False),
        _norm_first,
        _adversary,
    ],
)
def test_other_uses_beside_backward_are_no_steps(loss_of: Callable[[nn.Module, int], Tensor], watched: Watched) -> None:
    def train() -> None:
        net = _net()
        optimizer = torch.optim.SGD(net.parameters(), 0.02)
        for number in range(UPDATES):
            optimizer.zero_grad()
            loss_of(net, number).backward()
            optimizer.step()

    _, record = watched(train)
    assert len(record.sites) == 1
    assert len(record.steps) == UPDATES
    assert len(record.looks) == UPDATES
    assert not record.notes


def _curvature() -> None:
    net = _net()
    parameters = list(net.parameters())
    optimizer = torch.optim.SGD(parameters, 0.02)
    for number in range(UPDATES):
        optimizer.zero_grad()
        _loss(net, number).backward(create_graph=True)
        signs = [torch.ones_like(p) for p in parameters]
        curved = torch.autograd.grad([p.grad for p in parameters if p.grad is not None], parameters, signs)
        _assigned(parameters, [g / (1 + c.abs()) for g, c in zip([p.grad for p in parameters], curved, strict=True)])  # type: ignore[operator]
        for p in parameters:
            assert p.grad is not None
            p.grad = p.grad.detach()
        optimizer.step()


def _norm_after() -> None:
    net = _net()
    optimizer = torch.optim.SGD(net.parameters(), 0.02)
    for number in range(UPDATES):
        optimizer.zero_grad()
        _loss(net, number).backward()
        torch.autograd.grad(_loss(net, number), list(net.parameters()))
        optimizer.step()


def _average_of_weights() -> None:
    net = _net()
    kept = copy.deepcopy(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.02)
    for number in range(UPDATES):
        torch.autograd.grad(_loss(kept, number), list(kept.parameters()))
        optimizer.zero_grad()
        _loss(net, number).backward()
        optimizer.step()
        with torch.no_grad():
            for mean, p in zip(kept.parameters(), net.parameters(), strict=True):
                mean.lerp_(p, 0.1)


@pytest.mark.filterwarnings("ignore:Using backward")
@pytest.mark.parametrize("train", [_curvature, _norm_after, _average_of_weights])
def test_gradients_asked_for_beside_a_training_are_no_steps(train: Callable[[], None], watched: Watched) -> None:
    _, record = watched(train)
    assert len(record.sites) == 1
    assert len(record.steps) == UPDATES


def _sizes() -> None:
    net = _net()
    for number in range(UPDATES):
        torch.autograd.grad(_loss(net, number), list(net.parameters()))


def _example() -> None:
    net = _net().requires_grad_(False)
    x = torch.randn(8, 4, requires_grad=True)
    for _ in range(UPDATES):
        (slope,) = torch.autograd.grad(net(x).square().mean(), x)
        with torch.no_grad():
            x -= slope


def _functions() -> None:
    net = _net()
    parameters = {name: p.detach() for name, p in net.named_parameters()}
    for number in range(UPDATES):
        asked = torch.func.grad(lambda p: _loss(lambda x: functional_call(net, p, (x,)), number))(parameters)  # noqa: B023
        parameters = {name: p - 0.05 * asked[name] for name, p in parameters.items()}


@pytest.mark.parametrize(
    ("train", "says"),
    [
        (
            _sizes,
            f"asked torch.autograd.grad for the gradients of parameters ({UPDATES} calls, the first from test_asked",
        ),
        (_example, f"for the gradients of tensors that are no parameters ({UPDATES} calls, the first from test_asked"),
        (_functions, f"torch.func gave the script gradients ({UPDATES} calls, the first from test_asked_gradients.py:"),
    ],
)
def test_where_nothing_was_trained_the_record_says_why(train: Callable[[], None], says: str, watched: Watched) -> None:
    _, record = watched(train)
    assert not record.steps
    (note,) = record.notes
    assert says in note


def _record_of_deep(watched: Watched, *, asks: bool) -> Record:
    def train() -> None:
        torch.manual_seed(0)
        rnn, head = nn.RNN(3, 6), nn.Linear(6, 1)
        parameters = [*rnn.parameters(), *head.parameters()]
        optimizer = torch.optim.SGD(parameters, 0.05)
        for number in range(4):
            x = torch.randn(12, 5, 3, generator=torch.Generator().manual_seed(number))
            loss = (head(rnn(x)[0][-1]) - x[0, :, :1]).square().mean()
            if asks:
                _assigned(parameters, torch.autograd.grad(loss, parameters))
            else:
                optimizer.zero_grad()
                loss.backward()
            optimizer.step()

    return watched(train)[1]  # type: ignore[no-any-return]


def test_the_reach_through_time_is_the_same(watched: Watched) -> None:
    asked, usual = (_record_of_deep(watched, asks=asks) for asks in (True, False))
    times = {look.step: look.time for look in usual.looks}
    assert len(asked.looks) == 3
    for look in asked.looks:
        (mine,), (theirs,) = look.time, times[look.step]
        assert mine.reach == pytest.approx(theirs.reach, rel=1e-4)
        assert mine.exact == theirs.exact

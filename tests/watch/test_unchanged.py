"""Watching changes nothing: weights, gradients and generators are bit for bit those of a run without it."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.watch import loops
from tests.watch.conftest import Watched


def _end_state(train: Callable[[], list[nn.Module]]) -> tuple[list[torch.Tensor], torch.Tensor]:
    torch.manual_seed(3)
    models = train()
    tensors = [t for m in models for t in (*m.parameters(), *m.buffers())]
    gradients = [p.grad for m in models for p in m.parameters() if p.grad is not None]
    return [*tensors, *gradients], torch.get_rng_state()


@pytest.mark.parametrize("every", [1, 4, None])
@pytest.mark.parametrize("train", loops.ALL, ids=lambda f: f.__name__)
def test_training_is_bit_identical(train: Callable[[], list[nn.Module]], every: int | None, watched: Watched) -> None:
    plain, plain_generator = _end_state(train)
    (seen, generator), record = watched(lambda: _end_state(train), every)
    assert record.steps
    assert record.looks
    assert record.notes == ()
    assert len(seen) == len(plain)
    assert all(torch.equal(a, b) for a, b in zip(seen, plain, strict=True))
    assert torch.equal(generator, plain_generator)


def test_losses_of_unusual_kinds_raise_nothing_into_the_script(watched: Watched) -> None:
    """Complex values, several losses, a loss that is no scalar: on measured steps and on those between."""

    def train() -> int:
        net, complex_weight = nn.Linear(3, 2), nn.Parameter(torch.ones(3, dtype=torch.complex64))
        for step in range(120):
            y = net(torch.ones(2, 3))
            if step % 3 == 0:
                (complex_weight * 2).sum().backward(gradient=torch.ones((), dtype=torch.complex64))
            elif step % 3 == 1:
                torch.autograd.backward([y.sum(), y.square().sum()])
            else:
                y.backward(torch.ones_like(y))
        return step

    for every in (1, None):
        assert watched(train, every)[0] == 119


def test_everything_is_put_back(watched: Watched) -> None:
    before = (torch.autograd.backward, nn.utils.clip_grad_norm_, torch.amp.GradScaler.scale, nn.Linear.__call__)
    watched(loops.gan)
    assert (torch.autograd.backward, nn.utils.clip_grad_norm_, torch.amp.GradScaler.scale, nn.Linear.__call__) == before
    assert "__call__" not in vars(nn.Sequential)
    assert not nn.modules.module._global_forward_hooks
    assert not nn.modules.module._global_forward_pre_hooks
    assert not nn.modules.module._has_any_global_hook()


def test_a_model_pickled_while_watched_knows_nothing_of_it(watched: Watched) -> None:
    def train() -> bytes:
        (model,) = loops.by_hand()
        return pickle.dumps(model)

    pickled, _ = watched(train)
    assert b"gradreach" not in pickled


def test_a_forward_pass_without_backward_keeps_no_graph_alive(watched: Watched) -> None:
    """Validation with gradients on must not pile up graphs while the first step is awaited."""
    import weakref

    def train() -> list[bool]:
        model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
        alive = []
        for _ in range(3):
            x = torch.randn(2, 4, requires_grad=True) * 1.0
            alive.append(weakref.ref(x))
            model(x)
            del x
        return [ref() is not None for ref in alive]

    kept, _ = watched(train)
    assert kept == [False, False, False]


@pytest.mark.parametrize("by_method", [False, True])
def test_compiled_code_is_compiled_as_often_and_warns_of_nothing(by_method: bool, watched: Watched) -> None:
    """Global hooks or changed classes would make torch warn, or compile anew at every look."""
    import torch._dynamo.testing

    def train() -> tuple[int, list[torch.Tensor]]:
        torch.manual_seed(0)
        torch._dynamo.reset()
        counter = torch._dynamo.testing.CompileCounter()
        model = nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.Tanh(), nn.Linear(8, 1)))
        if by_method:
            model.compile(backend=counter)
        compiled = model if by_method else torch.compile(model, backend=counter)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(loops.STEPS):
            optimizer.zero_grad()
            compiled(torch.randn(6, 4)).square().mean().backward()
            optimizer.step()
        return counter.frame_count, [p.detach().clone() for p in model.parameters()]

    plain = train()
    for every in (1, 3):
        seen, record = watched(train, every)
        assert seen[0] == plain[0]
        assert all(torch.equal(a, b) for a, b in zip(seen[1], plain[1], strict=True))
        assert record.notes == ()
        assert {look.module for look in record.looks[-1].depth} == {"model.0", "model.1.0", "model.1.1"}
        assert all(look.update_ratio for look in record.looks[0].depth if look.parameters)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")  # said by torch itself
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
@pytest.mark.parametrize("every", [1, None])
def test_sparse_arguments_raise_nothing_into_the_script(
    layout: torch.layout, every: int | None, watched: Watched
) -> None:
    """A sparse matrix has no `nbytes`; models on graphs are handed one, and large inputs beside it."""

    class Convolution(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, neighbours: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            return self.linear(neighbours @ x)

    def train() -> int:
        model, neighbours = Convolution(), torch.eye(5).to_sparse(layout=layout)
        steps = 0
        while steps < 6:
            sum(model(neighbours, torch.ones(5, 4)).square().sum() for _ in range(3)).backward()
            steps += 1
        return steps

    assert watched(train, every)[0] == 6


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's jvp uses it
@pytest.mark.parametrize("every", [1, None])
def test_transforms_of_functions_raise_nothing_into_the_script(every: int | None, watched: Watched) -> None:
    """Under vmap and grad a tensor has no address, and some operations have no rule."""
    from torch.func import functional_call, grad, jacrev, jvp, vmap

    def train() -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        seen = []
        for _ in range(6):
            weights = {name: p.detach() for name, p in model.named_parameters()}

            def loss(weights: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
                return functional_call(model, weights, (x,)).square().mean()

            x = torch.randn(6, 4)
            seen += [*vmap(grad(loss), (None, 0))(weights, x).values(), jacrev(model)(x[0]), jvp(model, (x,), (x,))[1]]
            model.zero_grad()
            (model(x).square().mean() + vmap(model)(x).mean()).backward()
            seen += [p.grad.clone() for p in model.parameters()]
        return seen

    plain, (seen, record) = train(), watched(train, every)
    assert all(torch.equal(a, b) for a, b in zip(seen, plain, strict=True))
    assert record.steps
    assert record.notes == ()

"""The layers that lead to a loss by penalties alone: which graphs have such, and all those that have none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

import gradreach as gr
from gradreach.record.seen.loss import PenaltyAlone

ROWS = 16


class Parts(nn.Module):
    """Layers by name, for losses of all kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        self.head = nn.Linear(8, 8)
        self.mu, self.logvar, self.stats = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 16)
        self.side = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.judge = nn.Linear(8, 1)
        self.images = nn.Conv2d(1, 4, 3)


def seen(loss: Callable[[Parts, Tensor, Tensor], Tensor]) -> PenaltyAlone | None:
    torch.manual_seed(0)
    parts, x, y = Parts(), torch.randn(ROWS, 6), torch.randn(ROWS, 8)
    with gr.observe(parts, every=1) as watch:
        loss(parts, x, y).backward()  # type: ignore[no-untyped-call]
    record = watch.report().record
    assert not record.notes
    return record.looks[-1].penalty_alone


def told(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    """What is held against targets."""
    return F.mse_loss(p.head(p.trunk(x).tanh()), y)


def hidden(p: Parts, x: Tensor) -> Tensor:
    out: Tensor = p.trunk(x).tanh()
    return out


def divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    return -0.5 * torch.mean(torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1))


def both(p: Parts, x: Tensor) -> tuple[Tensor, Tensor]:
    return p.mu(hidden(p, x)), p.logvar(hidden(p, x))


def normal(p: Parts, x: Tensor, scale: Callable[[Tensor], Tensor]) -> Normal:
    mu, logvar = both(p, x)
    return Normal(mu, scale(logvar))


def sampled(mu: Tensor, logvar: Tensor) -> Tensor:
    return mu + torch.randn_like(mu) * (logvar / 2).exp()


def standard() -> Normal:
    return Normal(torch.zeros(ROWS, 8), torch.ones(ROWS, 8))


def chunked(p: Parts, x: Tensor) -> tuple[Tensor, Tensor]:
    mu, logvar = p.stats(hidden(p, x)).chunk(2, -1)
    return mu, logvar


def of_mean(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    mu, logvar = both(p, x)
    return F.mse_loss(p.head(mu), y) + divergence(mu, logvar)


def summed_rows(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    mu, logvar = both(p, x)
    rows = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1)
    return (F.mse_loss(p.head(hidden(p, x)), y, reduction="none").sum(1) + 0.1 * rows).mean()


def softplus_scale(logvar: Tensor) -> Tensor:
    return F.softplus(logvar) + 1e-4


def by_deviation(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    mu, scale = p.mu(hidden(p, x)), F.softplus(p.logvar(hidden(p, x)))
    rows = 1 + torch.log(scale.pow(2) + 1e-8) - mu.pow(2) - scale.pow(2)
    return told(p, x, y) - 0.5 * rows.mean()


def detached(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    mu, logvar = both(p, x)
    return F.mse_loss(p.head(sampled(mu, logvar).detach()), y) + divergence(mu, logvar)


ALONE: dict[str, tuple[Callable[[Parts, Tensor, Tensor], Tensor], tuple[str, ...], bool]] = {
    "divergence": (lambda p, x, y: told(p, x, y) + divergence(*both(p, x)), ("mu", "logvar"), True),
    "weighed": (lambda p, x, y: 2 * (told(p, x, y) + 0.1 * divergence(*both(p, x)) / 3), ("mu", "logvar"), True),
    "rows": (summed_rows, ("mu", "logvar"), True),
    "variance alone": (of_mean, ("logvar",), True),
    "of one layer": (lambda p, x, y: told(p, x, y) + divergence(*chunked(p, x)), ("stats",), True),
    "of torch": (
        lambda p, x, y: told(p, x, y) + kl_divergence(normal(p, x, lambda v: (v / 2).exp()), Normal(0, 1)).mean(),
        ("mu", "logvar"),
        False,
    ),
    "of torch, tensors": (
        lambda p, x, y: told(p, x, y) + kl_divergence(normal(p, x, softplus_scale), standard()).sum(1).mean(),
        ("mu", "logvar"),
        False,
    ),
    "deviation": (by_deviation, ("mu", "logvar"), False),
    "kept in bounds": (
        lambda p, x, y: told(p, x, y) + divergence(p.mu(hidden(p, x)), p.logvar(hidden(p, x)).clamp(-8, 8)),
        ("mu", "logvar"),
        True,
    ),
    "cut off": (detached, ("mu", "logvar"), True),
    "absolute": (lambda p, x, y: told(p, x, y) + 0.1 * p.side(x).abs().mean(), ("side.2",), False),
    "squares": (lambda p, x, y: told(p, x, y) + p.side(x).relu().pow(2).sum(), ("side.2",), False),
    "norm": (lambda p, x, y: told(p, x, y) + p.side(x).norm(dim=1).mean(), ("side.2",), False),
    "images": (lambda p, x, y: told(p, x, y) + p.images(x.view(ROWS, 1, 3, 2).repeat(1, 1, 2, 2)).square().mean(),
               ("images",), False),
    "both heads": (
        lambda p, x, y: told(p, x, y) + divergence(*both(p, x)) + p.side(x).abs().mean(),
        ("mu", "logvar", "side.2"),
        True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
def test_what_only_a_penalty_reaches_is_named(name: str) -> None:
    loss, modules, is_gaussian = ALONE[name]
    found = seen(loss)
    assert found is not None
    assert tuple(each.partition(".")[2] for each in found.modules) == modules
    assert bool(found.log_variance) is is_gaussian


def test_the_layers_before_it_that_go_nowhere_else_are_of_it() -> None:
    found = seen(lambda p, x, y: told(p, x, y) + p.side(x).abs().mean())
    assert found is not None
    assert [name.partition(".")[2] for name in found.parameters] == [
        *("side.0.weight", "side.0.bias", "side.2.weight", "side.2.bias")
    ]


def used(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    mu, logvar = both(p, x)
    return F.mse_loss(p.head(sampled(mu, logvar)), y) + divergence(mu, logvar)


def learned_prior(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    """The prior is made from the data by a network of its own, and reached by the divergence alone."""
    mu, logvar = both(p, x)
    prior_mu, prior_logvar = chunked(p, x)
    prior = Normal(prior_mu, (prior_logvar / 2).exp())
    divergence = kl_divergence(Normal(mu, (logvar / 2).exp()), prior).mean()
    return F.mse_loss(p.head(sampled(mu, logvar)), y) + divergence


def flow_prior(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    """A flow that only the likelihood of the code trains."""
    z = p.mu(hidden(p, x))
    shift, log_scale = p.stats(z[:, :8]).chunk(2, -1)
    base = (z - shift) * (-log_scale).exp()
    return F.mse_loss(p.head(z), y) + (0.5 * base.pow(2) + log_scale).sum(1).mean()


def linear_flow_prior(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    z = p.mu(hidden(p, x))
    log_volume = torch.linalg.slogdet(p.logvar.weight)[1]
    return F.mse_loss(p.head(z), y) + 0.5 * p.logvar(z).pow(2).sum(1).mean() - log_volume


def policy(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    """An actor and a critic: the advantages and the actions are data."""
    scores = F.log_softmax(p.stats(hidden(p, x)), -1)
    action, advantage = torch.randint(0, 16, (ROWS, 1)), torch.randn(ROWS)
    entropy = -(scores.exp() * scores).sum(1).mean()
    return told(p, x, y) - (scores.gather(1, action)[:, 0] * advantage).mean() - 0.01 * entropy


def gaussian_policy(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    mu, logvar = both(p, x)
    rows = (y - mu).pow(2) * (-logvar).exp() + logvar
    return told(p, x, y) + rows.mean()


def contrast(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    """A judge of real pairs and of false ones, as of mutual information."""
    h = hidden(p, x)
    return told(p, x, y) + F.softplus(-p.judge(h)).pow(2).mean() + F.softplus(p.judge(h.roll(1, 0))).pow(2).mean()


def contrast_at_once(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    scores = p.judge(torch.cat([hidden(p, x), hidden(p, x.roll(1, 0))]))[:, 0]
    return told(p, x, y) + scores[:ROWS].pow(2).mean() - scores[ROWS:].pow(2).mean()


def signs(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    sign = torch.ones(ROWS, 1)
    sign[::2] = -1
    return told(p, x, y) + (p.judge(hidden(p, x)).pow(2) * sign).mean()


def diverse(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    """Clusters: each row of one, all of them used alike."""
    shares = p.stats(hidden(p, x)).softmax(-1)
    even = shares.mean(0)
    return told(p, x, y) - (shares * shares.log()).sum(1).mean() + even.pow(2).sum() - shares.pow(2).sum()


def physics(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    """A field of its own that is bound to the other one by an equation alone."""
    return told(p, x, y) + (p.mu(hidden(p, x)) - p.head(hidden(p, x)).square()).pow(2).mean()


def twins(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    one, other = p.side(x), p.side(x + 0.1 * torch.randn_like(x))
    return told(p, x, y) + (one.t() @ other / ROWS - torch.eye(4)).pow(2).sum()


def variance_held(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    out = p.side(x)
    return told(p, x, y) + F.relu(1 - out.std(0)).mean() + out.abs().mean()


def routed(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    """Experts whose router is held even, and weighs what they put out."""
    gates = p.side(x).softmax(-1)
    experts = torch.stack([p.head(hidden(p, x)), p.mu(hidden(p, x)), *both(p, x)], -1)
    mixed = (experts * gates.unsqueeze(1)).sum(-1)
    return F.mse_loss(mixed, y) + gates.mean(0).pow(2).sum() + 1e-3 * torch.logsumexp(p.side(x), -1).pow(2).mean()


def reached_centre(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    centre = torch.randn(ROWS, 4)
    return told(p, x, y) + (p.side(x) - centre).norm(dim=1).mean()


def masked(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    return told(p, x, y) + (p.side(x).abs() * (torch.rand(ROWS, 1) > 0.5)).mean()


def actor_by_critic(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    """The actor, `mu`, learns through a critic that the same loss trains."""
    q = p.judge(hidden(p, x).detach())
    action = p.mu(hidden(p, x).detach())
    return F.mse_loss(q, y[:, :1]) + told(p, x, y) + (1 - p.judge(action)).pow(2).mean()


def preferred(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    """Of each pair the first is to be rated higher, which is all that tells the two apart."""
    rated = p.judge(hidden(p, x).view(8, 2, 8)).squeeze(-1)
    return told(p, x, y) - F.logsigmoid(rated[:, 0] - rated[:, 1]).mean() + 1e-3 * rated.pow(2).mean()


def real_and_false_by_time(p: Parts, x: Tensor, y: Tensor) -> Tensor:
    real, false = p.judge(hidden(p, x.view(2, 8, 6))).squeeze(-1).chunk(2, 1)
    return told(p, x, y) + (1 - real).pow(2).mean() + false.pow(2).mean()


NOTHING: dict[str, Callable[[Parts, Tensor, Tensor], Tensor]] = {
    "comparison alone": told,
    "no comparison": lambda p, x, _: p.side(x).abs().mean(),
    "used code": used,
    "used activations": lambda p, x, y: told(p, x, y) + hidden(p, x).abs().mean(),
    "weights": lambda p, x, y: told(p, x, y) + 0.1 * p.side[2].weight.pow(2).sum(),
    "activations of used weights": lambda p, x, y: told(p, x, y) + p.head(x.repeat(1, 2)[:, :8]).abs().mean(),
    "a target of its own": lambda p, x, y: told(p, x, y) + F.mse_loss(p.side(x), y[:, :4]),
    "made ever larger": lambda p, x, y: told(p, x, y) - 1e-3 * p.side(x).abs().mean(),
    "a score": lambda p, x, y: told(p, x, y) - p.judge(p.head(hidden(p, x))).mean(),
    "the judge of a generator": lambda p, x, y: told(p, x, y) + F.softplus(-p.judge(p.head(hidden(p, x)))).mean(),
    "learned weights of terms": lambda p, x, y: told(p, x, y) * (-p.judge.bias[0]).exp() + p.judge.bias[0],
    "smoothness of the output": lambda p, x, y: told(p, x, y) + p.head(hidden(p, x)).diff(dim=1).abs().mean(),
    **{
        each.__name__: each
        for each in (
            *(learned_prior, flow_prior, linear_flow_prior, policy, gaussian_policy, contrast, contrast_at_once),
            *(signs, diverse, physics, twins, variance_held, routed, reached_centre, masked, actor_by_critic),
            *(preferred, real_and_false_by_time),
        )
    },
}


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_is_named_where_data_enter_or_anything_else_depends_on_it(name: str) -> None:
    assert seen(NOTHING[name]) is None


def test_what_a_script_puts_in_a_function_of_its_own_says_nothing() -> None:
    class Passes(torch.autograd.Function):
        @staticmethod
        def forward(_: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(_: object, grad: Tensor) -> Tensor:
            return grad

    assert seen(lambda p, x, y: told(p, x, y) + Passes.apply(p.side(x)).abs().mean()) is None  # type: ignore[no-untyped-call]

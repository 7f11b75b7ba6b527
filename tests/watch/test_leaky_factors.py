"""Outputs that are held against targets and that stand, not detached, in a factor of log-probabilities too."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, Independent, Normal
from torch.nn import functional as F

import gradreach as gr
from gradreach.record.seen.loss import LeakyFactor
from gradreach.watch.leaky_factors import leak_of

torch.manual_seed(0)
N, T = 12, 5
STATE, NEXT = torch.randn(N, 4), torch.randn(N, 4)
RETURNS, SHARES = 3 * torch.randn(N), torch.rand(N)
ACTIONS, COIN, PLACE = torch.randint(0, 3, (N,)), (torch.rand(N) > 0.5).float(), torch.randn(N, 3)
ROWS = torch.arange(N)


class Both(nn.Module):
    """A policy and a critic on one trunk."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.choose, self.worth = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 1)
        self.other, self.level = nn.Linear(8, 1), nn.Parameter(torch.zeros(1))

    def forward(self, state: Tensor = STATE) -> tuple[Tensor, Tensor]:
        hidden = self.trunk(state).tanh()
        return self.choose(hidden), self.worth(hidden).squeeze(-1)

    def second(self) -> Tensor:
        return self.other(self.trunk(STATE).tanh()).squeeze(-1)


Loss = Callable[[Both], Tensor]


def itself(node: object) -> object:
    return node


def of_logits(model: Both) -> Tensor:
    logits, value = model()
    return -(Categorical(logits=logits).log_prob(ACTIONS) * (RETURNS - value)).mean() + F.mse_loss(value, RETURNS)


def of_costs(model: Both) -> Tensor:
    logits, value = model()
    advantage = RETURNS - value
    return (advantage * Categorical(probs=logits.softmax(-1)).log_prob(ACTIONS)).mean() + advantage.pow(2).mean()


def of_gaussian(model: Both) -> Tensor:
    mean, value = model()
    log_prob = Independent(Normal(mean, 0.5), 1).log_prob(PLACE)
    return -(log_prob * (RETURNS - value)).mean() + 0.5 * F.smooth_l1_loss(value, RETURNS)


def of_a_spread_that_is_learned(model: Both) -> Tensor:
    mean, value = model()
    log_prob = Normal(mean, model.level.exp()).log_prob(PLACE).sum(-1)
    return -(log_prob * (RETURNS - value)).sum() + F.huber_loss(value, RETURNS)


def of_a_coin(model: Both) -> Tensor:
    logits, value = model()
    log_prob = Bernoulli(logits=logits[:, 0]).log_prob(COIN)
    return -(log_prob * (RETURNS - value).clamp(-5, 5)).mean() + (value - RETURNS).square().mean()


def of_cross_entropies(model: Both) -> Tensor:
    logits, value = model()
    return (F.cross_entropy(logits, ACTIONS, reduction="none") * (RETURNS - value)).mean() + F.mse_loss(value, RETURNS)


def of_normalised_advantages(model: Both) -> Tensor:
    logits, value = model()
    advantage = RETURNS - value
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    return -(logits.log_softmax(-1)[ROWS, ACTIONS] * advantage).mean() + F.mse_loss(value, RETURNS)


def of_ratios(model: Both) -> Tensor:
    logits, value = model()
    now = Categorical(logits=logits)
    ratio, advantage = (now.log_prob(ACTIONS) - now.log_prob(ACTIONS).detach()).exp(), RETURNS - value
    gain = torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
    return -gain.mean() + F.mse_loss(value, RETURNS) - 0.01 * now.entropy().mean()


def of_exponential_weights(model: Both) -> Tensor:
    logits, value = model()
    weights = ((RETURNS - value) / 2).exp().clamp(max=20)
    return -(Categorical(logits=logits).log_prob(ACTIONS) * weights).mean() + F.mse_loss(value, RETURNS)


def of_temporal_differences(model: Both) -> Tensor:
    logits, value = model()
    error = RETURNS + 0.9 * model(NEXT)[1] - value
    return -(Categorical(logits=logits).log_prob(ACTIONS) * error).mean() + error.pow(2).mean()


def of_an_episode(model: Both) -> Tensor:
    policy, errors = [], []
    for step in range(T):
        logits, value = model(STATE[step : step + 1])
        policy.append(-Categorical(logits=logits).log_prob(ACTIONS[step]) * (float(RETURNS[step]) - value))
        errors.append(F.smooth_l1_loss(value, RETURNS[step : step + 1]))
    return torch.stack(policy).sum() + torch.stack(errors).sum()


def of_sums_over_steps(model: Both) -> Tensor:
    pairs = [model(STATE + step) for step in range(T)]
    log_prob = torch.stack([Categorical(logits=logits).log_prob(ACTIONS) for logits, _ in pairs]).sum(0)
    value = torch.stack([value for _, value in pairs])
    return -(log_prob * (RETURNS - value[0])).mean() + (value - RETURNS).pow(2).mean()


def of_a_dot_product(model: Both) -> Tensor:
    logits, value = model()
    return -(Categorical(logits=logits).log_prob(ACTIONS) @ (RETURNS - value)) / N + F.mse_loss(value, RETURNS)


def of_one_level(model: Both) -> Tensor:
    advantage = RETURNS - model.level
    return -(Categorical(logits=model()[0]).log_prob(ACTIONS) * advantage).mean() + advantage.pow(2).mean()


LEAKS: list[Loss] = [
    *(of_logits, of_costs, of_gaussian, of_a_spread_that_is_learned, of_a_coin, of_cross_entropies),
    *(of_normalised_advantages, of_ratios, of_exponential_weights, of_temporal_differences, of_an_episode),
    *(of_sums_over_steps, of_a_dot_product, of_one_level),
]


@pytest.mark.parametrize("loss", LEAKS)
def test_advantages_that_are_not_detached(loss: Loss) -> None:
    assert leak_of([loss(Both())], itself) is not None


def detached(model: Both) -> Tensor:
    logits, value = model()
    advantage = (RETURNS - value).detach()
    return -(Categorical(logits=logits).log_prob(ACTIONS) * advantage).mean() + F.mse_loss(value, RETURNS)


def without_an_error(model: Both) -> Tensor:
    logits, value = model()
    return -(Categorical(logits=logits).log_prob(ACTIONS) * (RETURNS - value)).mean()


def soft_actor(model: Both) -> Tensor:
    logits, value = model()
    alpha = model.level.exp()
    return (alpha * Categorical(logits=logits).log_prob(ACTIONS) - value).mean() + F.mse_loss(value, RETURNS)


def temperature(model: Both) -> Tensor:
    logits, value = model()
    alpha, log_prob = model.level, Categorical(logits=logits).log_prob(ACTIONS)
    return -(alpha * (log_prob + 3.0)).mean() + (alpha - 1).pow(2).mean() + F.mse_loss(value, RETURNS)


def entropy(model: Both) -> Tensor:
    logits, value = model()
    return (logits.softmax(-1) * logits.log_softmax(-1)).sum(-1).mean() + F.mse_loss(value, RETURNS)


def importance_weights(model: Both) -> Tensor:
    logits, value = model()
    log_prob = Categorical(logits=logits).log_prob(ACTIONS)
    ratio = (log_prob - log_prob.detach()).exp()
    return -(ratio * log_prob * (RETURNS - value.detach())).mean() + F.mse_loss(value, RETURNS)


def focal(model: Both) -> Tensor:
    logits, _ = model()
    right = logits.softmax(-1)[ROWS, ACTIONS]
    return -((1 - right) ** 2 * right.log()).mean() + F.mse_loss(logits.softmax(-1), F.one_hot(ACTIONS, 3).float())


def uncertainty(model: Both) -> Tensor:
    logits, value = model()
    spread = model.second()
    errors = F.cross_entropy(logits, ACTIONS, reduction="none")
    return (errors * (-spread).exp() + spread).mean() + F.mse_loss(value, RETURNS) + spread.pow(2).mean()


def learned_teacher(model: Both) -> Tensor:
    logits, value = model()
    teacher = model.choose(model.trunk(NEXT).tanh()).softmax(-1)
    error = F.mse_loss(teacher, F.one_hot(ACTIONS, 3).float())
    return -(teacher * logits.log_softmax(-1)).sum(-1).mean() + error + F.mse_loss(value, RETURNS)


def gated_mixture(model: Both) -> Tensor:
    logits, _ = model()
    gate = model.second().sigmoid()
    likelihood = F.cross_entropy(logits, ACTIONS, reduction="none")
    return (gate * likelihood).mean() + F.mse_loss(gate, SHARES)


def confidence(model: Both) -> Tensor:
    logits, _ = model()
    sure = model.second().sigmoid()
    return ((1 - sure) * F.cross_entropy(logits, ACTIONS, reduction="none")).mean() + F.mse_loss(sure, SHARES)


def masked_errors(model: Both) -> Tensor:
    place, _ = model()
    mask = model.second()
    return ((SHARES - mask)[:, None] * (place - PLACE).pow(2)).mean() + F.mse_loss(mask, SHARES)


def mixture_likelihood(model: Both) -> Tensor:
    logits, value = model()
    each = Normal(logits, 0.3).log_prob(RETURNS[:, None])
    return -(logits.log_softmax(-1) + each).logsumexp(-1).mean() + F.mse_loss(value, RETURNS)


def preferences(model: Both) -> Tensor:
    log_prob = model()[0].log_softmax(-1)
    margin = log_prob[ROWS, ACTIONS] - log_prob[ROWS, (ACTIONS + 1) % 3]
    return -F.logsigmoid(0.1 * (margin - RETURNS)).mean() + F.mse_loss(model()[1], RETURNS)


def sharing_the_weights_of_the_policy(model: Both) -> Tensor:
    logits, _ = model()
    return -(logits.log_softmax(-1)[:, 0] * (RETURNS - logits[:, 1])).mean() + F.mse_loss(logits[:, 1], RETURNS)


def another_head(model: Both) -> Tensor:
    logits, value = model()
    log_prob = Categorical(logits=logits).log_prob(ACTIONS)
    return -(log_prob * (RETURNS - model.second().detach())).mean() + F.mse_loss(value, RETURNS)


HEALTHY: list[Loss] = [
    *(detached, without_an_error, soft_actor, temperature, entropy, importance_weights, focal, uncertainty),
    *(learned_teacher, gated_mixture, confidence, masked_errors, mixture_likelihood, preferences),
    *(sharing_the_weights_of_the_policy, another_head),
]


@pytest.mark.parametrize("loss", HEALTHY)
def test_other_products(loss: Loss) -> None:
    assert leak_of([loss(Both())], itself) is None


def looked(*losses: Loss) -> list[LeakyFactor | None]:
    """What a look tells of each of these losses."""
    torch.manual_seed(0)
    model = Both()
    with warnings.catch_warnings(), gr.observe(model, every=1) as watch:
        warnings.simplefilter("ignore")
        for loss in losses:
            model.zero_grad()
            loss(model).backward()
    record = watch.report().record
    assert not [note for note in record.notes if "failed" in note]
    assert len(record.looks) == len(losses)
    return [look.leaky_factor for look in record.looks]


def predicted_twice(model: Both) -> Tensor:
    logits, value = model()
    error = F.mse_loss(model()[1], RETURNS)
    return -(Categorical(logits=logits).log_prob(ACTIONS) * (RETURNS - value)).mean() + error


def test_a_look_tells_how_hard_each_pulls() -> None:
    losses = [*LEAKS, predicted_twice]
    for loss, found in zip(losses, looked(*losses), strict=True):
        assert found is not None, loss
        assert found.module == ("" if loss is of_one_level else "model.worth")
        assert found.policy == "model.choose"
        assert min(found.pull, found.own) > 0
        assert found.low < found.high


def test_a_look_tells_of_no_other_product() -> None:
    assert looked(*HEALTHY) == [None] * len(HEALTHY)


def test_the_pulls_are_the_gradients_of_both_terms() -> None:
    (found,) = looked(of_logits)
    torch.manual_seed(0)
    model = Both()
    logits, value = model()
    log_prob, advantage = Categorical(logits=logits).log_prob(ACTIONS), RETURNS - value
    assert found is not None
    assert found.pull == pytest.approx((log_prob / N).norm().item(), rel=1e-5)
    assert found.own == pytest.approx((2 * advantage / N).norm().item(), rel=1e-5)
    assert (found.low, found.high) == pytest.approx((advantage.min().item(), advantage.max().item()))


def test_the_script_gets_its_own_gradients() -> None:
    plain, watched = (Both() for _ in range(2))
    watched.load_state_dict(plain.state_dict())
    of_ratios(plain).backward()
    with warnings.catch_warnings(), gr.observe(watched, every=1):
        warnings.simplefilter("ignore")
        of_ratios(watched).backward()
    for one, other in zip(plain.parameters(), watched.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None)
        assert one.grad is None or torch.equal(one.grad, other.grad)

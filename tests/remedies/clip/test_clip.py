import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gradreach.remedies.clip import Adaptive, Auto, Clip, Norm, Percentile, PerLayer, Value, ZScore
from gradreach.remedies.clip.clip import rule_of

RULES = [Norm(0.5), Value(0.01), PerLayer(0.1), Adaptive(0.01), Percentile(10), ZScore(warmup=2), Auto()]
name_of = lambda rule: type(rule).__name__  # noqa: E731


def model_with_gradients(scale: float = 1.0, dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)
    (scale * model(torch.randn(3, 4, dtype=dtype)).square().sum()).backward()
    return model


def gradients(model: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


def refill(model: nn.Module, norm: float) -> None:
    """Give all parameters gradients of this global norm."""
    count = sum(p.numel() for p in model.parameters())
    for p in model.parameters():
        p.grad = torch.full_like(p, norm / math.sqrt(count))


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_the_norm_is_cut_to_the_threshold_and_the_direction_kept(scale: float, threshold: float) -> None:
    model = model_with_gradients(scale)
    before = torch.cat([g.flatten() for g in gradients(model)])
    norm = Clip(model, threshold)()
    after = torch.cat([g.flatten() for g in gradients(model)])
    assert torch.allclose(norm, before.norm(), rtol=1e-12)
    assert torch.allclose(after, before * min(1.0, threshold / float(norm)), rtol=1e-12)


def test_what_is_under_the_threshold_stays_bit_for_bit() -> None:
    model = model_with_gradients()
    before = gradients(model)
    Clip(model, 1e6)()
    assert all(torch.equal(a, b) for a, b in zip(before, gradients(model), strict=True))


@pytest.mark.parametrize("rule", RULES, ids=name_of)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_norm_that_is_not_finite_clips_nothing_and_is_forgotten(rule: object, bad: float) -> None:
    model = model_with_gradients()
    clip = Clip(model, rule)
    for _ in range(3):
        clip()
    remembered, seen = clip.state_dict()["state"], len(clip.curve.norm)
    next(model.parameters()).grad[0, 0] = bad
    before = gradients(model)
    assert not math.isfinite(float(clip()))
    assert all(torch.equal(a, b, ) or torch.allclose(a, b, rtol=0, atol=0, equal_nan=True)
               for a, b in zip(before, gradients(model), strict=True))  # fmt: skip
    now = clip.state_dict()["state"]
    assert str(now) == str(remembered)
    assert len(clip.curve.norm) == seen


def test_gradients_whose_squares_overflow_float32_are_clipped() -> None:
    model = nn.Linear(2, 1, bias=False)
    model.weight.grad = torch.tensor([[3e25, 4e25]])
    assert float(Clip(model, 1.0)()) == pytest.approx(5e25)
    assert torch.allclose(model.weight.grad, torch.tensor([[0.6, 0.8]]))


def test_no_gradient_frozen_then_unfrozen_and_shared_parameters() -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    clip = Clip(model, 1.0)
    assert float(clip()) == 0.0
    assert clip.curve.norm == ()
    first.bias.requires_grad_(False)
    model(torch.ones(1, 3)).sum().backward()
    assert float(clip.measure()) == pytest.approx(
        float(torch.stack([p.grad.norm() for p in (first.weight, second.bias)]).norm())
    )
    first.bias.requires_grad_(True)
    model.zero_grad()
    model(torch.ones(1, 3)).sum().backward()
    expected = torch.stack([p.grad.norm() for p in (first.weight, first.bias, second.bias)]).norm()
    assert float(Clip([*first.parameters(), *second.parameters()], 1.0).measure()) == pytest.approx(float(expected))
    assert float(clip.measure()) == pytest.approx(float(expected))


def test_parameters_added_to_an_optimizer_later_are_seen() -> None:
    a, b = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([a], 0.1)
    clip = Clip(optimizer, 1.0)
    optimizer.add_param_group({"params": [b]})
    a.grad, b.grad = torch.tensor([3.0]), torch.tensor([4.0])
    assert float(clip()) == 5.0
    assert float(b.grad) == pytest.approx(0.8)


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_sparse_gradients_sum_repeated_rows(rule: object) -> None:
    def filled(sparse: bool) -> nn.Embedding:
        torch.manual_seed(1)
        layer = nn.Embedding(6, 3, sparse=sparse)
        layer(torch.tensor([1, 4, 1, 1])).square().sum().backward()
        return layer

    sparse, dense = filled(True), filled(False)
    ours, theirs = Clip(sparse, rule), Clip(dense, rule)
    for _ in range(4):
        assert float(ours()) == pytest.approx(float(theirs()))
        assert torch.allclose(sparse.weight.grad.to_dense(), dense.weight.grad, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_half_precision_is_measured_in_float32(rule: object, dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    half = nn.Parameter(torch.randn(40, 30).to(dtype))
    half.grad = (300 * torch.randn(40, 30)).to(dtype)  # its squares overflow float16
    whole = nn.Parameter(half.detach().float())
    whole.grad = half.grad.float()
    norm = Clip([half], rule)()
    assert norm.dtype == torch.float32
    assert float(norm) == pytest.approx(float(Clip([whole], rule)()), rel=1e-5)
    assert half.grad.dtype == dtype
    assert torch.allclose(half.grad.float(), whole.grad, rtol=1e-2)


def test_mixed_precisions_and_complex_numbers_share_one_norm() -> None:
    parameters = [nn.Parameter(torch.zeros(2, dtype=d)) for d in (torch.float32, torch.bfloat16, torch.complex64)]
    for p, value in zip(parameters, (1.0, 2.0, 2j), strict=True):
        p.grad = torch.tensor([value, 0], dtype=p.dtype)
    assert float(Clip(parameters, 1.0)()) == pytest.approx(3.0)
    assert torch.allclose(parameters[2].grad, torch.tensor([2j / 3, 0]))
    with pytest.raises(TypeError, match="Value cannot bound a complex gradient"):
        Clip(parameters, Value(0.1))()


def test_value() -> None:
    model = model_with_gradients()
    before = gradients(model)
    limit = float(before[0].abs().max()) / 2
    clip = Clip(model, Value(limit))
    clip()
    assert all(torch.equal(g.clamp(-limit, limit), a) for g, a in zip(before, gradients(model), strict=True))
    clip()
    assert clip.curve.clipped == (True, False)


def test_per_layer() -> None:
    model = model_with_gradients()
    before = gradients(model)
    limit = float(before[0].norm())
    Clip(model, PerLayer(limit))()
    for g, a in zip(before, gradients(model), strict=True):
        assert torch.allclose(a, g * min(1.0, limit / float(g.norm())))


def test_adaptive_bounds_each_unit_by_its_weights() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 2)).double()
    with torch.no_grad():
        model[0].weight[0] = 0.0  # the floor eps holds
    model(torch.randn(4, 2, 4, 4).double()).square().sum().backward()
    before = gradients(model)
    Clip(model, Adaptive(0.02, eps=1e-3))()
    for p, g in zip(model.parameters(), before, strict=True):
        for w, unit, now in zip(p.detach(), g, p.grad, strict=True) if p.dim() > 1 else [(p.detach(), g, p.grad)]:
            allowed = 0.02 * max(float(w.norm()), 1e-3)
            assert torch.allclose(now, unit * min(1.0, allowed / float(unit.norm())))


def test_measure_changes_and_remembers_nothing() -> None:
    model = model_with_gradients()
    clip = Clip(model, 0.1)
    before = gradients(model)
    norm = clip.measure()
    assert all(torch.equal(a, b) for a, b in zip(before, gradients(model), strict=True))
    assert clip.curve.norm == ()
    clip.apply()
    assert clip.curve.norm == (pytest.approx(float(norm)),)
    assert float(clip.measure()) == pytest.approx(0.1)


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_lower_multiplies_the_threshold(rule: object) -> None:
    plain, lowered = model_with_gradients(), model_with_gradients()
    first, second = Clip(plain, rule), Clip(lowered, rule)
    second.lower(0.5)
    second.lower(0.5)
    first(), second()
    if math.isfinite(float(first.threshold)):
        assert float(second.threshold) == pytest.approx(float(first.threshold) / 4)
    with pytest.raises(ValueError, match="factor: expected a finite number above 0, got 0"):
        second.lower(0)


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_a_run_goes_on_from_its_state(rule: object, tmp_path: object) -> None:
    norms = [1.0, 3.0, 0.5, 80.0, 2.0, 900.0, 1.5, 4.0] * 5

    def course(model: nn.Module, clip: Clip, part: list[float]) -> list[Tensor]:
        seen = []
        for norm in part:
            refill(model, norm)
            clip()
            seen += gradients(model)
        return seen

    model = nn.Linear(3, 2)
    source: Callable[[], torch.optim.Optimizer] = lambda: torch.optim.SGD(model.parameters(), 0.01)  # noqa: E731
    whole = course(model, Clip(source(), rule), norms)
    clip = Clip(source(), rule)
    course(model, clip, norms[:13])
    torch.save(clip.state_dict(), f"{tmp_path}/clip.pt")
    after = Clip(source(), rule)
    after.load_state_dict(torch.load(f"{tmp_path}/clip.pt", weights_only=True))
    rest = course(model, after, norms[13:])
    assert all(torch.equal(a, b) for a, b in zip(whole[-len(rest) :], rest, strict=True))


def test_a_state_of_another_rule_is_refused() -> None:
    model = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="state: expected one of Auto, got Norm"):
        Clip(model).load_state_dict(Clip(model, 1.0).state_dict())


class NothingIsRead(TorchDispatchMode):
    """Refuses what would make the host wait for a GPU: reading a number, or a shape that depends on numbers."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func.overloadpacket not in (torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero), func
        return func(*args, **(kwargs or {}))


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("clip", "part_rules"):
        monkeypatch.setattr(f"gradreach.remedies.clip.{module}.on_host", lambda _: False)


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_nothing_is_read_from_a_gpu(rule: object) -> None:
    model = model_with_gradients()
    clip = Clip(torch.optim.SGD(model.parameters(), 0.1, momentum=0.9), rule)
    with NothingIsRead():
        for _ in range(25):
            norm = clip()
    assert norm.shape == ()
    with pytest.raises(AssertionError, match="_local_scalar_dense"), NothingIsRead():
        float(norm)


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_the_gpu_form_of_a_rule_computes_what_the_host_form_does(rule: object, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(4)
    norms = (torch.randn(90).exp() * 3).tolist()
    norms[40], norms[60], norms[61] = 5e4, 3e3, math.nan
    host, device = nn.Linear(3, 2).double(), nn.Linear(3, 2).double()
    device.load_state_dict(host.state_dict())
    ours = Clip(torch.optim.SGD(host.parameters(), 0.05), rule)
    theirs = Clip(torch.optim.SGD(device.parameters(), 0.05), rule)
    for norm in norms:
        refill(host, norm)
        refill(device, norm)
        ours()
        with monkeypatch.context() as patch:
            patch.setattr("gradreach.remedies.clip.clip.on_host", lambda _: False)
            patch.setattr("gradreach.remedies.clip.part_rules.on_host", lambda _: False)
            theirs()
        for mine, other in zip(host.parameters(), device.parameters(), strict=True):
            assert torch.allclose(mine.grad, other.grad, rtol=1e-5, equal_nan=True)
    assert ours.curve.clipped == theirs.curve.clipped
    assert ours.curve.reasons == theirs.curve.reasons


def test_a_scaler_unscales_once_and_keeps_its_overflow_step() -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    clip = Clip(optimizer, 1.0, scaler)
    scaler.scale(model(torch.ones(2, 3)).sum()).backward()
    expected = float(torch.cat([p.grad.flatten() for p in model.parameters()]).norm()) / 1024
    assert float(clip.measure()) == pytest.approx(expected)
    assert float(clip()) == pytest.approx(expected)  # not divided a second time
    scaler.step(optimizer)
    scaler.update()

    optimizer.zero_grad()
    scaler.scale(model(torch.ones(2, 3)).sum()).backward()
    scaler.unscale_(optimizer)  # by the script itself
    assert float(clip()) == pytest.approx(expected)
    scaler.step(optimizer)
    scaler.update()

    before = model.weight.detach().clone()
    optimizer.zero_grad()
    scaler.scale(model(torch.full((2, 3), 1e38)).sum()).backward()
    assert not math.isfinite(float(clip()))
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(model.weight, before)
    assert scaler.get_scale() == 512.0
    with pytest.raises(TypeError, match="source: expected the optimizer, got Linear"):
        Clip(model, 1.0, scaler)


def test_errors_say_what_to_do() -> None:
    model = nn.Linear(2, 2)
    with pytest.raises(TypeError, match=r"rule: expected a threshold, \"auto\" or a rule as gr.clip.Percentile\(10\)"):
        Clip(model, "automatic")
    with pytest.raises(TypeError, match="rule: expected a threshold"):
        rule_of(Percentile)
    with pytest.raises(TypeError, match=r"source: expected a module, an optimizer or parameters, got generator of str"):
        Clip((name for name in ["weight"]), 1.0)
    with pytest.raises(TypeError, match="got list of nothing"):
        Clip([], 1.0)
    with pytest.raises(ValueError, match="threshold: expected a finite number above 0, got -1"):
        Clip(model, -1.0)
    with pytest.raises(ValueError, match="percent: expected 0 to 100, got 120"):
        Percentile(120)


def test_a_state_that_is_none_of_a_clips() -> None:
    with pytest.raises(ValueError, match="state: expected one of Auto, got none of a Clip"):
        Clip(nn.Linear(2, 1)).load_state_dict({})

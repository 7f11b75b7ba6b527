import copy
import io
import pickle
import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import keystr, tree_flatten_with_path, tree_map

from gradreach.remedies.layers.joint_state import JointState


def made() -> tuple[Tensor, Tensor, JointState]:
    torch.manual_seed(0)
    h, c = torch.randn(2, 3, 4, requires_grad=True), torch.randn(2, 3, 4, requires_grad=True)
    return h, c, JointState.of(h, c)


def test_is_h_to_all_the_world() -> None:
    h, _, state = made()
    assert isinstance(state, Tensor)
    assert state.shape == (2, 3, 4)
    assert torch.equal(state, h)
    assert torch.equal(state.h, h)
    for result in (
        state + 1.0,
        state.sum(),
        torch.tanh(state),
        torch.stack([state, h]),
        1.0 / state,
        state @ torch.ones(4, 2),
    ):
        assert type(result) is Tensor
    assert torch.equal(torch.nn.functional.linear(state[-1], torch.ones(5, 4)), h[-1] @ torch.ones(4, 5))
    assert torch.equal(torch.cat((state[-2], state[-1]), 1), torch.cat((h[-2], h[-1]), 1))
    assert state.tolist() == h.tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.detach(),
        lambda s: s.clone(),
        lambda s: s.double(),
        lambda s: s.to(torch.float64),
        lambda s: s[-1],
        lambda s: s[:, [2, 0]],
        lambda s: s.index_select(1, torch.tensor([1, 1])),
        lambda s: s.unsqueeze(0).squeeze(0).transpose(0, 1).contiguous(),
        lambda s: s.repeat_interleave(2, dim=1),
        lambda s: s * torch.tensor([1.0, 0.0, 1.0])[:, None],
        lambda s: torch.tensor([1.0, 0.0, 1.0])[:, None] * s,
        lambda s: s.masked_fill(torch.tensor([True, False, True])[:, None], 0.0),
        lambda s: torch.where(torch.tensor([True, False, True])[:, None], s, 0.0),
        lambda s: torch.where(torch.tensor([True, False, True])[:, None], torch.zeros_like(s), s),
        lambda s: 0.3 * s + 0.7 * s.flip(1) if not isinstance(s, JointState) else 0.3 * s + 0.7 * s[:, [2, 1, 0]],
        lambda s: s.detach().clone().mul_(2.0),
        lambda s: s.chunk(2)[1],
        lambda s: s.split(2, 1)[1],
        lambda s: s.data,
        lambda s: s / 2.0,
        lambda s: torch.true_divide(s, torch.tensor([1.0, 2.0, 4.0])[:, None]),
        lambda s: s.detach().clone().div_(2.0),
        lambda s: s.detach().clone().fill_(0.0),
        lambda s: s.flip(1),
        lambda s: s.mT,
        lambda s: s.swapaxes(0, 1).swapdims(1, 2),
        lambda s: s.flatten().view_as(s).reshape_as(s).type_as(s).type(torch.float64),
        lambda s: torch.cat([s[:, 2:], s[:, :2]], 1),
        lambda s: torch.stack([s[1], s[0]]),
    ],
)
def test_what_is_done_to_h_is_done_to_c(change) -> None:  # type: ignore[no-untyped-def]
    h, c, state = made()
    changed = change(state)
    assert isinstance(changed, JointState)
    assert torch.equal(changed.h, change(h))
    assert torch.equal(changed.c, change(c))
    assert changed.requires_grad == changed.c.requires_grad == change(h).requires_grad


def test_what_is_put_into_the_state_has_no_c() -> None:
    h, c, state = made()
    fresh, rows = torch.randn(2, 3, 4), torch.tensor([True, False, True])[:, None]
    changed = torch.where(rows, fresh, state)
    assert torch.equal(changed.h, torch.where(rows, fresh, h))
    assert torch.equal(changed.c, torch.where(rows, 0.0, c))
    state = state.detach().clone()
    state[:, 0] = fresh[:, 0]
    state[:, 1] = 1.0
    assert torch.equal(state.h[:, 0], fresh[:, 0])
    assert (state.h[:, 1] == 1.0).all()
    assert not state.c[:, :2].any()
    assert torch.equal(state.c[:, 2], c[:, 2])


def test_writing_a_state_elsewhere_writes_h() -> None:
    h, _, state = made()
    buffer = torch.zeros(5, 2, 3, 4)
    buffer[1] = state.detach()
    buffer[2].copy_(state.detach())
    assert torch.equal(buffer[1], h)
    assert torch.equal(buffer[2], h)
    assert not buffer[3:].any()
    assert type(buffer) is Tensor


def test_data_is_the_same_memory_and_no_graph_watches_it() -> None:
    h, c, state = made()
    loss = (state * state.h).sum()
    state.data[:, 0] = 0.0
    state.data.mul_(2.0)
    assert not h[:, 0].any()
    assert not c[:, 0].any()
    assert not state.data.requires_grad
    loss.backward()  # as of a tensor: h * h keeps h, and data's version is its own
    assert torch.equal(h.grad, 2 * h)


COMPILED = """
import torch
from gradreach.remedies.layers.joint_state import JointState

state = JointState.of(torch.randn(2, 3, 4), torch.randn(2, 3, 4))
for change in (lambda s: s.data, lambda s: s.mT, lambda s: torch.cat([s, s], 1), lambda s: s / 2.0):
    changed = torch.compile(change, backend="eager", fullgraph=True)(state)
    assert torch.equal(changed.h, change(state.h))
    assert torch.equal(changed.c, change(state.c))
"""


@pytest.mark.slow(3, "compiles in a process of its own")
def test_compiles_as_one_graph() -> None:
    subprocess.run([sys.executable, "-c", COMPILED], check=True)  # without this suite's checks of annotations


def test_into_a_buffer() -> None:
    h, _, state = made()
    out = torch.empty(2, 3, 4)
    torch.mul(state.detach(), 2.0, out=out)
    assert torch.equal(out, 2 * h)
    assert type(out) is Tensor


def test_gradients_reach_both() -> None:
    h, c, state = made()
    ((state[-1] ** 2).sum() + 3 * state.c.sum()).backward()
    assert torch.equal(h.grad[-1], 2 * h[-1])
    assert torch.equal(c.grad, torch.full_like(c, 3.0))
    assert state.detach().requires_grad_().c.requires_grad


def test_copies_and_pytrees() -> None:
    _, c, state = made()
    state = state.detach()
    saved = io.BytesIO()
    torch.save(state, saved)
    saved.seek(0)
    for each in (copy.deepcopy(state), pickle.loads(pickle.dumps(state)), torch.load(saved, weights_only=True)):
        assert isinstance(each, JointState)
        assert torch.equal(each.h, state.h)
        assert torch.equal(each.c, c)
    doubled = tree_map(lambda t: 2 * t, {"state": state})["state"]
    assert torch.equal(doubled.c, 2 * c)
    assert tree_map(lambda t: t.dim(), state) == (3, 3)
    assert [keystr(path) for path, _ in tree_flatten_with_path([state])[0]] == ["[0].h", "[0].c"]

"""Whether the targets are what the model is just given, at places that see nothing behind them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.loss import CopiedTargets
from gradreach.watch.lenses import copied_targets
from tests.watch.conftest import Watched

BATCH, T, SYMBOLS = 4, 6, 7


class Net(nn.Module):
    def __init__(self, mix: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.symbols, self.head, self.mix = nn.Embedding(SYMBOLS, 5), nn.Linear(5, SYMBOLS), mix

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.head(self.mix(self.symbols(ids)))
        return logits


def copied(
    watched: Watched, mix: Callable[[Tensor], Tensor], shift: int = 0, *, flat: bool = True
) -> CopiedTargets | None:
    torch.manual_seed(0)
    net, ids = Net(mix), torch.randint(0, SYMBOLS, (BATCH, T))
    targets = ids.roll(-shift, 1)

    def step() -> None:
        logits = net(ids)
        if flat:
            nn.functional.cross_entropy(logits.reshape(-1, SYMBOLS), targets.reshape(-1)).backward()
        else:
            nn.functional.cross_entropy(logits.transpose(1, 2), targets).backward()

    _, record = watched(step)
    assert not record.notes
    return record.looks[0].copied_targets


def causal(h: Tensor) -> Tensor:
    return h.cumsum(1)


def test_a_causal_model_that_is_asked_for_what_it_is_given(watched: Watched) -> None:
    found = copied(watched, causal)
    assert found is not None
    assert (found.steps, found.places) == (T, BATCH * T)
    assert found.module.endswith("symbols")


def test_targets_two_places_on_are_told_where_nothing_asks_for_the_next(watched: Watched) -> None:
    found = copied(watched, causal, shift=2)
    assert found is not None
    assert found.ahead == 2


def test_places_that_the_loss_ignores_need_not_agree(watched: Watched) -> None:
    torch.manual_seed(0)
    net, ids = Net(causal), torch.randint(0, SYMBOLS, (BATCH, T))
    targets = ids.roll(-2, 1)
    targets[0, 3:] = -100

    def step() -> None:
        nn.functional.cross_entropy(net(ids).reshape(-1, SYMBOLS), targets.reshape(-1)).backward()

    seen = watched(step)[1].looks[0].copied_targets
    assert seen is not None
    assert seen.ahead == 2


def test_a_head_for_the_symbol_after_the_next_beside_one_for_the_next_is_in_order(watched: Watched) -> None:
    torch.manual_seed(0)
    net, ids = Net(causal), torch.randint(0, SYMBOLS, (BATCH, T))

    def step() -> None:
        logits = net(ids).reshape(-1, SYMBOLS)
        one, two = (nn.functional.cross_entropy(logits, ids.roll(-by, 1).reshape(-1)) for by in (1, 2))
        (one + two).backward()

    assert watched(step)[1].looks[0].copied_targets is None


def test_classes_may_be_the_second_axis(watched: Watched) -> None:
    assert copied(watched, lambda h: h, flat=False) is not None


def test_shifted_targets_are_healthy(watched: Watched) -> None:
    assert copied(watched, causal, shift=1) is None


def test_a_model_that_sees_all_may_give_it_back(watched: Watched) -> None:
    assert copied(watched, lambda h: h + h.mean(1, keepdim=True)) is None


def ahead(h: Tensor) -> Tensor:
    """Each place reads the next one as well, as under a layer of two directions."""
    return h + 0.7 * h.roll(-1, 1)


def test_shifted_targets_that_a_place_sees(watched: Watched) -> None:
    for flat in (True, False):
        found = copied(watched, ahead, shift=1, flat=flat)
        assert found is not None
        assert (found.steps, found.places, found.ahead) == (T, BATCH * T, 1)


@pytest.mark.parametrize("left_out", [0, 1])
def test_time_may_come_first(watched: Watched, left_out: int) -> None:
    def seen(mix: Callable[[Tensor], Tensor], shift: int) -> CopiedTargets | None:
        torch.manual_seed(0)
        net, ids = Net(mix), torch.randint(0, SYMBOLS, (T, BATCH))
        end = T - left_out * shift

        def step() -> None:
            targets = ids.roll(-shift, 0)[:end]
            nn.functional.cross_entropy(net(ids)[:end].reshape(-1, SYMBOLS), targets.reshape(-1)).backward()

        return watched(step)[1].looks[0].copied_targets

    def causal(h: Tensor) -> Tensor:
        return h.cumsum(0)

    def ahead(h: Tensor) -> Tensor:
        return h + 0.7 * h.roll(-1, 0)

    given, sees = seen(causal, 0), seen(ahead, 1)
    assert given is not None
    assert (given.steps, given.ahead) == (T, 0)
    assert sees is not None
    assert (sees.steps, sees.ahead) == (T, 1)
    assert seen(causal, 1) is None


def test_shifted_targets_behind_a_code_for_the_whole_sequence(watched: Watched) -> None:
    assert copied(watched, lambda h: h.mean(1, keepdim=True).expand(-1, T, -1), shift=1) is None
    assert copied(watched, lambda h: h + h.mean(1, keepdim=True), shift=1) is None


def test_the_last_place_may_be_left_out_of_the_loss(watched: Watched) -> None:
    def seen(mix: Callable[[Tensor], Tensor]) -> CopiedTargets | None:
        torch.manual_seed(0)
        net, ids = Net(mix), torch.randint(0, SYMBOLS, (BATCH, T))

        def step() -> None:
            logits = net(ids)[:, :-1]
            nn.functional.cross_entropy(logits.reshape(-1, SYMBOLS), ids[:, 1:].reshape(-1)).backward()

        _, record = watched(step)
        return record.looks[0].copied_targets

    found = seen(ahead)
    assert found is not None
    assert found.ahead == 1
    assert seen(causal) is None


def test_a_causal_decoder_beside_an_encoder_is_healthy(watched: Watched) -> None:
    torch.manual_seed(0)
    encoder, decoder, ids = Net(ahead), Net(causal), torch.randint(0, SYMBOLS, (BATCH, T))
    net = nn.ModuleList([encoder, decoder])

    def step() -> None:
        logits = net[0](ids) + net[1](ids)
        nn.functional.cross_entropy(logits.reshape(-1, SYMBOLS), ids.roll(-1, 1).reshape(-1)).backward()

    _, record = watched(step)
    assert record.looks[0].copied_targets is None


@pytest.mark.parametrize(("mix", "passes"), [(causal, 4), (ahead, 12 * 3)])
def test_a_causal_model_is_asked_less_than_one_that_sees_ahead(
    mix: Callable[[Tensor], Tensor], passes: int, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, reads = [], copied_targets._Asked.reads

    def counted(self: copied_targets._Asked, place: int) -> Tensor | None:
        asked.append(place)
        return reads(self, place)

    monkeypatch.setattr(copied_targets._Asked, "reads", counted)
    torch.manual_seed(0)
    net = Net(mix)

    def train() -> None:
        for _ in range(16):
            ids = torch.randint(0, SYMBOLS, (BATCH, T))
            nn.functional.cross_entropy(net(ids).reshape(-1, SYMBOLS), ids.roll(-1, 1).reshape(-1)).backward()

    watched(train)
    assert len(asked) == passes


def test_a_model_of_two_directions_may_give_it_back_with_time_first(watched: Watched) -> None:
    torch.manual_seed(0)
    net, ids = Net(lambda h: h + h.mean(0, keepdim=True)), torch.randint(0, SYMBOLS, (T, BATCH))

    def step() -> None:
        nn.functional.cross_entropy(net(ids).reshape(-1, SYMBOLS), ids.reshape(-1)).backward()

    assert watched(step)[1].looks[0].copied_targets is None

"""Lenses are found in their folder, driven in order, and one that fails takes nothing from the others or the script."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.watch.lens import BackwardPass, ModuleCall, all_lenses
from gradreach.watch.lenses.added_masks import AddedMasks
from gradreach.watch.lenses.alignments import Alignments
from gradreach.watch.lenses.alike_rows import AlikeRows
from gradreach.watch.lenses.carried_graph import CarriedGraph
from gradreach.watch.lenses.chunk_seams import ChunkSeams
from gradreach.watch.lenses.copied_targets import CopiedTargetsOfLoss
from gradreach.watch.lenses.copied_units import Copies
from gradreach.watch.lenses.cut_outputs import CutOutputs
from gradreach.watch.lenses.depth import Depth
from gradreach.watch.lenses.detached_states import DetachedStates
from gradreach.watch.lenses.discarded_operations import DiscardedOperations
from gradreach.watch.lenses.discarded_results import DiscardedResults
from gradreach.watch.lenses.dropouts import Dropouts
from gradreach.watch.lenses.feedforward import Feedforward
from gradreach.watch.lenses.fleeting_parts import FleetingParts
from gradreach.watch.lenses.given_data import GivenDataSizes
from gradreach.watch.lenses.half_gradients import HalfGradients
from gradreach.watch.lenses.hidden_parts import HiddenParts
from gradreach.watch.lenses.idle_masks import IdleMasks
from gradreach.watch.lenses.inverted_masks import InvertedMasks
from gradreach.watch.lenses.leaky_factors import LeakyFactors
from gradreach.watch.lenses.linear_maps import MapsInARow
from gradreach.watch.lenses.loops import Loops
from gradreach.watch.lenses.loss_terms import LossTerms
from gradreach.watch.lenses.losses import Losses
from gradreach.watch.lenses.mixed_rows import MixedRowsOfBatch
from gradreach.watch.lenses.modes import Modes
from gradreach.watch.lenses.outputs import Outputs
from gradreach.watch.lenses.padding import PaddedData
from gradreach.watch.lenses.penalties import Penalties
from gradreach.watch.lenses.place_codes import PlaceCodes
from gradreach.watch.lenses.read_rows import ReadRows
from gradreach.watch.lenses.recurrent_layers import RecurrentLayers
from gradreach.watch.lenses.single_values import SingleValueNorms
from gradreach.watch.lenses.skip_connections import SkipConnections
from gradreach.watch.lenses.stepped_states import SteppedStates
from gradreach.watch.lenses.subnormals import Subnormals
from gradreach.watch.lenses.target_order import TargetOrderOfLoss
from gradreach.watch.lenses.unheard_backwards import UnheardBackwards
from gradreach.watch.lenses.unmoved import Unmoved
from gradreach.watch.lenses.unrolled_loops import UnrolledLoops
from gradreach.watch.lenses.without_gradient import WithoutGradient
from gradreach.watch.lenses.zero_gradients import ZeroGradients
from tests.watch.conftest import Watched


def test_every_lens_is_found_after_those_that_it_names() -> None:
    lenses = all_lenses()
    assert set(lenses) == {
        *(
            CarriedGraph,
            ChunkSeams,
            CopiedTargetsOfLoss,
            DiscardedOperations,
            DiscardedResults,
            FleetingParts,
            HiddenParts,
        ),
        *(
            AddedMasks,
            AlikeRows,
            Alignments,
            GivenDataSizes,
            HalfGradients,
            IdleMasks,
            InvertedMasks,
            LeakyFactors,
            Losses,
            LossTerms,
            MixedRowsOfBatch,
            Modes,
            Outputs,
            Penalties,
            CutOutputs,
            PlaceCodes,
            TargetOrderOfLoss,
        ),
        *(Copies, Dropouts, MapsInARow, PaddedData, ReadRows),
        *(Depth, DetachedStates, Feedforward, Loops, RecurrentLayers),
        *(
            SingleValueNorms,
            SkipConnections,
            SteppedStates,
            Subnormals,
            UnheardBackwards,
            Unmoved,
            UnrolledLoops,
            WithoutGradient,
            ZeroGradients,
        ),
    }
    assert all(lenses.index(earlier) < lenses.index(lens) for lens in lenses for earlier in lens.after)


def _fails(*_: object) -> Look:
    raise ZeroDivisionError("of its own")


@pytest.mark.parametrize("method", ["entering", "called", "before_backward", "look"])
def test_a_lens_that_fails_is_left_out_and_noted(
    method: str, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Depth, method, _fails)

    def train() -> Tensor:
        torch.manual_seed(0)
        model = nn.RNN(3, 4)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(6, 2, 3))[0].sum().backward()
            optimizer.step()
        return model.weight_hh_l0.detach().clone()

    weight, record = watched(train)
    assert torch.equal(weight, train())
    (note,) = record.notes
    assert note.startswith("The lens Depth failed and was left out: ZeroDivisionError: of its own")
    assert [(look.depth, len(look.time)) for look in record.looks] == [((), 1)] * 3


def test_a_lens_is_told_of_calls_and_of_the_pass_before_it_begins(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def called(_: Depth, call: ModuleCall) -> None:
        seen.append((type(call.module).__name__, call.of_model, call.is_fed))

    def before_backward(_: Depth, backward: BackwardPass) -> None:
        seen.append((len(backward.losses), len(backward.graph.leaves)))

    monkeypatch.setattr(Depth, "called", called)
    monkeypatch.setattr(Depth, "before_backward", before_backward)
    model, loss = nn.Sequential(nn.Linear(3, 1), nn.Tanh()), nn.MSELoss()
    watched(lambda: loss(model(torch.ones(2, 3)), torch.ones(2, 1)).backward())
    assert seen == [
        ("Linear", True, True),
        ("Tanh", True, False),
        ("Sequential", True, True),
        ("MSELoss", False, False),
        (1, 2),
    ]

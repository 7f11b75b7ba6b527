"""GR509: a checkpoint of which nothing was loaded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.schema import Record
from gradreach.record.seen.loop import MissedLoad, Mode
from tests.records.parts import at, flat, record, steps
from tests.rules.judging import codes, findings, the

MISSED = MissedLoad("net", "train.py:8", 0, 62, 0, prefix="module.", fits=60, example="module.a.weight", own="a.weight")


def trained(*missed: MissedLoad) -> Record:
    return record(steps(), missed_loads=missed, models={"net": "Net"})


def test_the_prefix_is_named_and_taken_away() -> None:
    found = the(trained(MISSED), "GR509")
    assert (found.severity, found.where) == ("warning", {"module": "net", "site": "train.py:8"})
    assert found.because == (
        "`load_state_dict(…, strict=False)` at train.py:8 put none of 62 tensors into `net`, and said nothing: their "
        "names begin with `module.`, and those of `net` do not. `net` kept the weights that it had, and what is "
        "trained from step 0 on does not start from that checkpoint. With the names changed, 60 tensors would fit in "
        "name and shape."
    )
    assert found.remedies[0].do == (
        "state = {name.removeprefix('module.'): tensor for name, tensor in state.items()}\n"
        "print(net.load_state_dict(state, strict=False))  # says what is still left out"
    )


@pytest.mark.parametrize(
    ("change", "why", "do"),
    [
        (
            {"prefix": "", "wanted": "backbone."},
            "their names lack the `backbone.` with which those of `net` begin.",
            "state = {'backbone.' + name: tensor for name, tensor in state.items()}",
        ),
        (
            {"prefix": "encoder_q.", "wanted": "backbone."},
            "their names begin with `encoder_q.` where those of `net` begin with `backbone.`.",
            "state = {'backbone.' + name.removeprefix('encoder_q.'): tensor for name, tensor in state.items()}",
        ),
        (
            {"prefix": "", "under": "model", "given": 3},
            "put none of 3 entries into `net`, and said nothing: the tensors stand one level down, under `model`.",
            "state = state['model']",
        ),
        (
            {"under": "model", "given": 3},
            "under `model`, and their names begin with `module.`, and those of `net` do not.",
            "state = state['model']\nstate = {name.removeprefix('module.'): tensor for name, tensor in state.items()}",
        ),
    ],
)
def test_each_change_of_names_has_its_words_and_its_line(change: dict[str, object], why: str, do: str) -> None:
    found = the(trained(replace(MISSED, **change)), "GR509")  # type: ignore[arg-type]
    assert why in found.because
    assert found.remedies[0].do.startswith(f"{do}\n")


def test_names_of_which_nothing_is_known_are_shown_beside_the_modules_own() -> None:
    found = the(trained(replace(MISSED, prefix="", fits=0, example="stem.kernel", taken=1)), "GR509")
    assert "put 1 of 62 tensors into `net`" in found.because
    assert "their names are others, as `stem.kernel` where `net` has `a.weight`." in found.because
    assert [remedy.id for remedy in found.remedies] == ["strict-load"]


def test_it_is_an_error_where_the_loss_does_not_fall() -> None:
    assert the(record(steps(loss=flat), missed_loads=(MISSED,)), "GR509").severity == "error"


def test_it_leads_before_batch_norms_whose_statistics_were_in_the_checkpoint() -> None:
    blank = Mode("net", norms=True, training=False, evaluates=True, blank=True)
    made = replace(trained(MISSED), looks=at(modes=(blank,)))
    assert codes(made) == ["GR509", "GR311"]


def test_a_line_tells_of_a_module_once() -> None:
    assert len(findings(trained(MISSED, replace(MISSED, step=40)))) == 1
    assert len(findings(trained(MISSED, replace(MISSED, line="train.py:9")))) == 2
    assert codes(trained()) == []

"""What `gradreach run --flush-subnormals` says of it."""

from __future__ import annotations

import pytest

from gradreach.watch.launch.options import told_of_flushing


def test_a_machine_that_cannot_flush_is_told_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert told_of_flushing(works=True).startswith("Subnormal numbers counted as 0 in this run (--flush-subnormals)")
    assert not capsys.readouterr().err
    refused = told_of_flushing(works=False)
    assert refused == ("This machine has no mode in which subnormal numbers are 0: --flush-subnormals changed nothing.")
    assert capsys.readouterr().err == f"gradreach: {refused}\n"

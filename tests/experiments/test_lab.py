"""The same numbers, whatever the number of processes; something to see, whatever the terminal."""

import pytest
import torch

from gradreach.experiments.lab import Lab


def drawn(seed: int) -> float:
    """One number from a seed, and from the number of threads."""
    return float(torch.randn(1000, generator=torch.Generator().manual_seed(seed)).sum()) + torch.get_num_threads()


@pytest.mark.slow(3, "starts processes")
def test_processes_do_not_change_the_numbers() -> None:
    seeds = list(range(5))
    assert Lab(2, quiet=True).spread(drawn, seeds, "numbers") == Lab(quiet=True).spread(drawn, seeds, "numbers")


def test_threads_are_put_back() -> None:
    torch.set_num_threads(2)
    try:
        Lab(quiet=True).spread(drawn, [1], "numbers")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_a_line_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Lab().spread(abs, [-1, 2, -3], "numbers")
    assert capsys.readouterr().err == "gradreach: numbers: 3 of 3\n"


def test_an_error_in_a_job_is_the_error() -> None:
    with pytest.raises(ZeroDivisionError):
        Lab(quiet=True).spread(lambda x: 1 / x, [0], "numbers")

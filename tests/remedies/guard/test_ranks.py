"""Two processes with gloo: a fault on one rank alone, and both do the same about it."""

from concurrent.futures import ThreadPoolExecutor
from math import isfinite
from pathlib import Path

import pytest

from tests import forked

SCRIPT = Path(__file__).with_name("ranked.py")
FAULTS = {"loss": (4, 1), "local": (4, 1), "spike": (1, 0), "weight": (3, 1), "endless": (9, 1)}
"""Steps skipped, and rollbacks."""


def both(meeting: Path, folder: Path, *faults: str) -> list[list[list[str]]]:
    """The words that either rank printed, a line a fault."""

    def one(rank: int) -> list[list[str]]:
        done = forked.run(SCRIPT, str(rank), meeting, folder, *faults)
        assert done.returncode == 0, done.stderr
        return [line.split() for line in done.stdout.splitlines()]

    with ThreadPoolExecutor(2) as ranks:
        return list(ranks.map(one, range(2)))


@pytest.mark.slow(3, "starts two processes that meet")
def test_both_ranks_do_the_same(tmp_path: Path) -> None:
    one, other = both(tmp_path / "meeting", tmp_path, *FAULTS)
    assert one == other
    for (fault, (skipped, rolled_back)), told in zip(FAULTS.items(), one, strict=True):
        counts = dict(count.split("=") for count in told[4].split(","))
        assert told[0] == fault
        assert isfinite(float(told[2]))
        assert (counts["skipped"], counts["rolled_back"]) == (str(skipped), str(rolled_back)), fault
        assert told[5] == counts["steps"]  # one all-reduce a step, whatever happens
        assert told[6] == ("gave-up" if fault == "endless" else "to-the-end")


@pytest.mark.slow(5, "starts two processes that meet, twice")
def test_both_ranks_go_on_from_the_newest_snapshot_that_both_have(tmp_path: Path) -> None:
    both(tmp_path / "meeting", tmp_path, "none")
    steps = sorted(int(entry.name[4:14]) for entry in (tmp_path / "none").glob("*-rank0of2-*"))
    assert len(steps) == 2
    (newest,) = (tmp_path / "none").glob(f"step{steps[1]:010d}-rank1of2-*")
    newest.unlink()
    one, other = both(tmp_path / "meeting again", tmp_path, "none")
    assert one == other
    assert one[0][1] == str(steps[0])

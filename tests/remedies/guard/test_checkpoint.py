from pathlib import Path

import pytest
import torch

from gradreach.remedies.guard.checkpoint import Checkpoints


def files(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_the_last_two_are_kept_and_load_with_weights_only(tmp_path: Path) -> None:
    disk = Checkpoints(tmp_path / "new" / "folder", 0, 1)
    assert disk.whole() == []
    assert disk.newest() is None
    for step in (10, 20, 30):
        path = disk.write(step, {"w": torch.full((3,), float(step)), "step": step})
    assert disk.whole() == [20, 30]
    assert disk.newest() == path
    assert len(files(disk.folder)) == 2
    assert torch.equal(torch.load(path, weights_only=True)["w"], torch.full((3,), 30.0))
    assert disk.read(20)["step"] == 20


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty"])
def test_a_torn_file_is_recognised(tmp_path: Path, harm: str) -> None:
    disk = Checkpoints(tmp_path, 0, 1)
    disk.write(10, {"w": torch.randn(1000)})
    path = disk.write(20, {"w": torch.randn(1000)})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"cut": content[: len(content) // 2], "flipped": content, "empty": b""}[harm])
    assert disk.whole() == [10]
    assert disk.torn() == [path]


def test_a_failed_write_leaves_the_previous_one_and_no_litter(tmp_path: Path) -> None:
    disk = Checkpoints(tmp_path, 0, 1)
    disk.write(10, {"w": torch.zeros(3)})
    with pytest.raises(Exception, match=r"Unsupported|weights_only|pickle"):
        disk.write(20, {"w": Path("a type of one's own")})
    assert disk.whole() == [10]
    disk.write(30, {"w": torch.zeros(3)})
    assert [name.split("-")[0] for name in files(tmp_path)] == ["step0000000010", "step0000000030"]


def test_ranks_have_files_of_their_own(tmp_path: Path) -> None:
    one, other = Checkpoints(tmp_path, 0, 2), Checkpoints(tmp_path, 1, 2)
    one.write(10, {"rank": 0})
    other.write(10, {"rank": 1})
    one.write(20, {"rank": 0})
    assert (one.whole(), other.whole()) == ([10, 20], [10])
    assert other.read(10) == {"rank": 1}
    with pytest.raises(ValueError, match="holds snapshots of 2 ranks, this run has 1; start as many ranks again"):
        Checkpoints(tmp_path, 0, 1).whole()


@pytest.mark.parametrize("content", [b"", b"\xff" * 5000])
def test_a_torn_file_takes_no_place_and_gives_way_to_the_whole_one_of_its_step(tmp_path: Path, content: bytes) -> None:
    for name in ("11111111", "ffffffff"):
        (tmp_path / f"step0000000020-rank0of1-{name}.pt").write_bytes(content)
    Checkpoints(tmp_path, 0, 1).write(10, {"w": 10})
    disk = Checkpoints(tmp_path, 0, 1)
    assert disk.newest() == disk.folder / files(tmp_path)[0]
    path = disk.write(20, {"w": 20})
    assert disk.whole() == [10, 20]
    assert disk.read(20)["w"] == 20
    assert files(tmp_path)[1:] == [path.name]


def test_a_failed_write_leaves_no_draft(tmp_path: Path) -> None:
    disk = Checkpoints(tmp_path, 0, 1)
    with pytest.raises(Exception, match=r"Unsupported|weights_only|pickle"):
        disk.write(20, {"w": Path("a type of one's own")})
    assert files(tmp_path) == []

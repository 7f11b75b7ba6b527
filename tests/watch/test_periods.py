from __future__ import annotations

import pytest

from gradreach.watch.periods import Repeat, repeats


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ("xyabcabcabcabcabz", [Repeat(2, 3, 14)]),
        ("aaaaaaaa", [Repeat(0, 1, 8)]),
        ("ababababcc", [Repeat(0, 2, 8)]),
        ("abcdefgh", []),
        ("abab", []),
        ("aabaabaabaab", [Repeat(0, 3, 12)]),
    ],
)
def test_what_comes_again_is_found_once_at_its_shortest_period(labels: str, found: list[Repeat]) -> None:
    assert repeats([ord(label) for label in labels], fewest=4, longest=4) == found


def test_the_longest_stretch_comes_first_and_tells_its_places() -> None:
    first, second = repeats([0, 0, 0, 0, *[1, 2, 3] * 5, 1], fewest=4, longest=8)
    assert (first, second) == (Repeat(4, 3, 16), Repeat(0, 1, 4))
    assert first.times == 5
    assert list(first.places(0)) == [4, 7, 10, 13, 16, 19]
    assert list(first.places(2)) == [6, 9, 12, 15, 18]

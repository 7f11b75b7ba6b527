"""The ladder covers every lag once; the cells of a band cover it once, beside the whole."""

from hypothesis import given
from hypothesis import strategies as st

from gradreach.score.ladder import MOST_PARTS, Band, ladder


@given(st.integers(0, 3000))
def test_a_ladder_covers_every_lag_once(longest: int) -> None:
    lags = [lag for band in ladder(longest) for lag in range(band.lag, band.until + 1)]
    assert lags == list(range(1, longest + 1))


@given(st.integers(1, 500), st.integers(0, 400))
def test_the_parts_of_a_band_cover_it_once(lag: int, more: int) -> None:
    band = Band(lag, lag + more)
    whole, *parts = band.cells()
    assert whole == band
    if more:
        assert [ell for part in parts for ell in range(part.lag, part.until + 1)] == list(range(lag, lag + more + 1))
        assert len(parts) == min(more + 1, MOST_PARTS)


def test_bands_grow_by_half() -> None:
    assert [(band.lag, band.until) for band in ladder(30)] == [
        (1, 1),
        (2, 3),
        (4, 6),
        (7, 10),
        (11, 16),
        (17, 25),
        (26, 30),
    ]

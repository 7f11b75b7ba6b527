"""Shapes in signatures are checked while the tests run; no test depends on the clock; the slowest begin first."""

import hypothesis
import jaxtyping
import pytest

from tests import forked
from tests.browser import browser
from tests.zoo.summary import pytest_terminal_summary

__all__ = ["browser", "pytest_terminal_summary"]


def seconds(item: pytest.Item) -> float:
    """What a test that is marked slow takes, and 0 for the others. Raises UsageError where no reason is given."""
    mark = item.get_closest_marker("slow")
    if mark is None:
        return 0.0
    match mark.args:
        case [int() | float() as taken, str() as reason] if reason:
            return taken
    raise pytest.UsageError(f"{item.nodeid}: expected slow(SECONDS, 'REASON'), got slow{mark.args}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=seconds, reverse=True)


def pytest_sessionfinish() -> None:
    forked.stop()


jaxtyping.install_import_hook("gradreach", "beartype.beartype")
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

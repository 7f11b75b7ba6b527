"""Shapes in signatures are checked while the tests run; no test depends on the clock."""

import hypothesis
import jaxtyping
import pytest

from tests import forked
from tests.browser import browser
from tests.zoo.summary import pytest_terminal_summary

__all__ = ["browser", "pytest_terminal_summary"]


def pytest_sessionfinish(session: pytest.Session) -> None:
    forked.stop()


jaxtyping.install_import_hook("gradreach", "beartype.beartype")
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

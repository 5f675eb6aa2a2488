"""Compiled before the first example, whose time would otherwise be that of the compiler."""

from __future__ import annotations

import pytest

from tests import warm


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """The explorer and the simulator."""
    warm.search()
    warm.simulation()

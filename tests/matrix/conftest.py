"""What tests of kept results have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spfvar.store.database import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store, with which nothing goes wrong."""
    made = Store(tmp_path / "results.sqlite")
    yield made
    assert made.trouble == ""
    made.close()

"""spfvar's conformance kit: documented, well formed, balanced on every path, safe in every race, runs."""

from __future__ import annotations

from collections.abc import Callable

pytest_plugins = ["spfvar.testing"]
SPFVAR_PLUGIN = "table_seq"


def test_conforms(conformance_check: Callable[[], None]) -> None:
    """Each check of the kit; a failed one says what to do."""
    conformance_check()

"""Races for the tests of the schedulers."""

from __future__ import annotations

from typing import Any


def race_text(faults: int = 1, access: str = "load", writer: str = "munmap") -> dict[str, Any]:
    """So many faults on one page of a file, against one system call."""
    return {
        "kind": "race",
        "title": "a fault against a writer",
        "properties": ["P1"],
        "file": [{"name": "data"}],
        "vma": [{"name": "map", "start": 0, "file": "data"}],
        "actor": [
            {"name": "fault", "count": faults, "program": [{access: "map"}]},
            {"name": "writer", "program": [{writer: "map"}]},
        ],
    }

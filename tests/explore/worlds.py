"""Races for the tests of the schedulers."""

from __future__ import annotations

from typing import Any

import numpy as np

from spfvar.explore.explore import Exploration


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


def stored(found: Exploration, state: int) -> Any:
    """The words of a stored state: memory's part and each thread's, one behind the other."""
    space, fields = found.search.space, found.search.rules.fields.tolist()
    key = space.keys.rows[state]
    *threads, memory = [int(key[word]) >> bit & mask for word, bit, mask in fields]
    lanes = [space.memories.rows[memory - 1]]
    if space.histories is not None:
        *strong, histories = lanes[0].tolist()
        lanes = [np.array(strong, dtype=np.int64), space.histories.rows[histories]]
    lanes += [space.threads.rows[thread] for thread in threads]
    return np.concatenate(lanes).view(np.int16)

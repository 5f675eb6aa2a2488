"""What a progress line says: what is done, or that the first run has to compile it before."""

from __future__ import annotations

import os
from pathlib import Path


def doing(what: str, part: str) -> str:
    """``what``, or that ``part`` of the model has to be compiled first, which takes up to a minute."""
    from spfvar.transition.jit import cache_directory

    cache = Path(os.environ.get("NUMBA_CACHE_DIR") or cache_directory())
    compiled = any(cache.glob(f"{part}_*/*.nbi"))  # numba has a directory for each of ours, with an index
    return what if compiled else f"compiling (once), {what}"

"""Functions that are inlined into compiled ones, to be called from a test."""

from __future__ import annotations

from typing import Any

from spfvar.transition.jit import compiled


def kernel(function: Any) -> Any:
    """A compiled function of its own that does what an inlined one does; uncompiled, that one."""
    return compiled(function.py_func) if hasattr(function, "py_func") else function

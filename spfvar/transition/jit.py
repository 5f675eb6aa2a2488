"""Compilation: numba, with a cache that no edit of ours can make stale.

numba invalidates a cached function when its own file changes, but not when a file that it calls
into changes; so the cache directory carries a digest of every compiled module.
``NUMBA_DISABLE_JIT=1`` runs the same functions uncompiled.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

#: Packages whose modules are compiled, and so enter the digest.
COMPILED = ("spfvar.transition", "spfvar.ops", "spfvar.simulate", "spfvar.explore")
#: Of these, only the modules that import from here.
PARTLY = "spfvar.explore"


def _digest() -> str:
    digest = hashlib.sha256()
    for package in COMPILED:
        for entry in sorted(resources.files(package).iterdir(), key=lambda e: e.name):
            if entry.name.endswith(".py"):
                source = entry.read_bytes()
                if package != PARTLY or b"spfvar.transition.jit" in source:
                    digest.update(source)
    return digest.hexdigest()[:16]


def cache_directory() -> Path:
    """Where compiled code is kept: ``$NUMBA_CACHE_DIR``, or below ``$XDG_CACHE_HOME``."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(root) / "spfvar" / _digest()


os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_directory()))

import numba  # noqa: E402  (the cache directory must be set before)

#: No function of ours allocates, so none needs numba's reference counts (which cost more than the work).
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}


def compiled(function: F) -> F:
    """Compile a plain function of integers and arrays, to be called from Python; runs without the GIL."""
    return cast(F, numba.njit(**_OPTIONS)(function))


def inlined(function: F) -> F:
    """Compile a part of a compiled function; inlined, for an array argument is seven words."""
    return cast(F, numba.njit(forceinline=True, **_OPTIONS)(function))

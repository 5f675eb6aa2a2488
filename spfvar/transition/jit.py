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

from spfvar.caches import cache_root

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
    return cache_root() / _digest()


os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_directory()))
# The least common processor: no fused multiply-add, so that every machine computes the same bytes; and scalar
# code with a few hoisted AVX-512 registers took, by the luck of its addresses, up to 40 % longer.
os.environ.setdefault("NUMBA_CPU_NAME", "generic")
os.environ.setdefault("NUMBA_CPU_FEATURES", "")
os.environ.setdefault("NUMBA_LOOP_VECTORIZE", "0")

import numba  # noqa: E402  (the cache directory must be set before)
from numba.core import compiler, compiler_machinery, ir, typed_passes, types  # noqa: E402


@compiler_machinery.register_pass(mutates_CFG=False, analysis_only=False)
class _UnsignedIndices(compiler_machinery.FunctionPass):
    """Index arrays by unsigned numbers: a signed one is tested at every access, for it may be negative."""

    _name = "spfvar_unsigned_indices"

    def __init__(self) -> None:
        compiler_machinery.FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.calltypes = {
            node: _unsigned(signature) if _is_access(node) else signature
            for node, signature in state.calltypes.items()
        }
        return True


def _is_access(node: Any) -> bool:
    stores = isinstance(node, (ir.SetItem, ir.StaticSetItem))
    return stores or (isinstance(node, ir.Expr) and node.op in ("getitem", "static_getitem"))


def _unsigned(access: Any) -> Any:
    """The signature of an access with its index, or every part of it, unsigned if it is an array's."""
    if access is None or not isinstance(access.args[0], types.Array):
        return access
    target, index, *value = access.args
    if isinstance(index, types.Integer):
        index = types.uintp
    elif isinstance(index, (types.UniTuple, types.Tuple)):
        parts = (types.uintp if isinstance(part, types.Integer) else part for part in index.types)
        index = types.Tuple(list(parts))
    return access.replace(args=(target, index, *value))


class _Compiler(compiler.CompilerBase):
    """numba's pipeline, for functions whose indices are never negative."""

    def define_pipelines(self) -> list[Any]:
        pipeline = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.add_pass_after(_UnsignedIndices, typed_passes.NopythonRewrites)
        pipeline.finalize()
        return [pipeline]


#: No function of ours allocates, so none needs numba's reference counts (which cost more than the work).
_OPTIONS: dict[str, Any] = {
    "cache": True, "nogil": True, "error_model": "numpy", "_nrt": False, "pipeline_class": _Compiler,
}  # fmt: skip


def compiled(function: F) -> F:
    """Compile a plain function of integers and arrays, to be called from Python; runs without the GIL."""
    return cast(F, numba.njit(**_OPTIONS)(function))


def inlined(function: F) -> F:
    """Compile a part of a compiled function; inlined, for an array argument is seven words."""
    return cast(F, numba.njit(forceinline=True, **_OPTIONS)(function))

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
from numba.core import codegen, compiler, compiler_machinery, config, ir, registry, typed_passes, types  # noqa: E402


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


class _Part(codegen.CPUCodeLibrary):
    """Code that only ever runs inlined into other code: it is linked and optimised there.

    numba links a function with all that it calls, optimises it and makes machine code of it; where functions
    are inlined into others that are inlined, that would be done again at every level.
    """

    def finalize(self) -> None:
        self._finalized = True

    @property
    def called(self) -> list[Any]:
        """Libraries of what this calls."""
        return list(self._linking_libraries)


class _Whole(codegen.JITCodeLibrary):
    """Code that runs, with every `_Part` of it."""

    def finalize(self) -> None:
        self._linking_libraries = _callers_first(self._linking_libraries)
        super().finalize()


def _callers_first(roots: list[Any]) -> list[Any]:
    """These and what they call, at any depth, each after all who call it.

    LLVM's linker leaves a function out that nobody has named yet.
    """
    order: dict[Any, None] = {}

    def visit(library: Any) -> None:
        if library not in order:
            for called in library.called if isinstance(library, _Part) else ():
                visit(called)
            order[library] = None

    for root in roots:
        visit(root)
    return list(reversed(order))


@compiler_machinery.register_pass(mutates_CFG=True, analysis_only=False)
class _WholeLowering(typed_passes.NativeLowering):
    """Lower into a `_Whole`."""

    _name = "spfvar_whole_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = _Whole(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        super().run_pass(state)
        return True


@compiler_machinery.register_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(typed_passes.NativeLowering):
    """Lower into a `_Part`."""

    _name = "spfvar_part_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]._replace(cfunc=state.func_id.func)
        state.targetctx.insert_user_function(lowered.cfunc, lowered.fndesc, [state.library])
        state["cr"] = lowered
        return True


class _Compiler(compiler.CompilerBase):
    """numba's pipeline, for functions whose indices are never negative."""

    lowering: type[typed_passes.NativeLowering] = _WholeLowering

    def define_pipelines(self) -> list[Any]:
        pipeline = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.add_pass_after(_UnsignedIndices, typed_passes.NopythonRewrites)
        pipeline.passes = [
            (self.lowering if each is typed_passes.NativeLowering else each, why)
            for each, why in pipeline.passes
        ]
        pipeline.finalize()
        return [pipeline]


class _PartCompiler(_Compiler):
    """The same, for functions that are inlined."""

    lowering = _PartLowering


class _Inlined(registry.CPUDispatcher):
    """A function that is compiled wherever compiled code calls it; Python gets it as it is written."""

    def add_overload(self, cres: Any) -> None:
        self.overloads[tuple(cres.signature.args)] = cres

    def __call__(self, *arguments: Any) -> Any:
        return self.py_func(*arguments)


#: No function of ours allocates, so none needs numba's reference counts (which cost more than the work).
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def compiled(function: F) -> F:
    """Compile a plain function of integers and arrays, to be called from Python; runs without the GIL."""
    return cast(F, numba.njit(cache=True, pipeline_class=_Compiler, **_OPTIONS)(function))


def inlined(function: F) -> F:
    """Compile a part of a compiled function; inlined, for an array argument is seven words."""
    if cast(Any, config).DISABLE_JIT:
        return function
    options = {"nopython": True, "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast(F, _Inlined(function, targetoptions=options | _OPTIONS, pipeline_class=_PartCompiler))

"""Where variants and series come from: the built-ins, entry points, files and modules named by the user.

A plugin that does not load, or whose variants are no variants, becomes a `Problem`; the others work.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from spfvar.automata.extract import StrategyError
from spfvar.errors import InputError, nearest, unknown
from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops.op import Steps
from spfvar.plugins.files import MAX_FILE_BYTES, module_from
from spfvar.plugins.series import Series, posted_name, repaired_name, split_name
from spfvar.plugins.variant import Stack, Twin, Variant

BUILT_IN = "spfvar.variants"
TWINS = "spfvar.twins"
ENTRY_POINTS = "spfvar.variants"
LOAD_SECONDS = 60.0
CHECK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin, or one of its variants, that cannot be used: where it came from, and why."""

    origin: str
    message: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plugin that the user named: its variants and twins, and whose place those took that were there.

    ``replaced`` has (name, origin); ``again``: it was named before, and is loaded once.
    """

    origin: str
    variants: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()
    again: bool = False

    def __str__(self) -> str:
        if self.again:
            return f"plugin {self.origin}: named twice, loaded once"
        kinds = [("variant", self.variants), ("twin", self.twins)]
        parts = [f"{kind}{'s' * (len(names) > 1)} {', '.join(names)}" for kind, names in kinds if names]
        replaces = ", ".join(f"{name} from {origin}" for name, origin in self.replaced)
        told = f" (replaces {replaces})" if replaces else ""
        return f"plugin {self.origin}: {'; '.join(parts) or 'nothing that can be used'}{told}"


class Registry:
    """Every variant, twin and series by name, in order of discovery, and what went wrong on the way.

    ``modules``: the plugin modules that could be loaded, by origin.
    """

    def __init__(self) -> None:
        self.modules: dict[str, ModuleType] = {}
        self.variants: dict[str, Variant] = {}
        self.twins: dict[str, Twin] = {}
        self.series: dict[str, Series] = {}
        self.problems: list[Problem] = []
        #: What the user's plugins brought, in the order in which they were named.
        self.named: list[Loaded] = []
        self._keys: set[str] = set()
        self._users: set[str] = set()  # the origins of the user's plugins
        self._adding = False  # one of them is being loaded

    def __getitem__(self, name: str) -> Variant:
        """A variant, or a stack of a series' patches, by name.  Raises InputError."""
        if name in self.variants:
            return self.variants[name]
        head, rest = split_name(name)
        if head in self.series:
            return self.series[head].variant(name)
        repaired = repaired_name(name)
        if repaired is not None and self.has_variant(repaired):
            return self.as_posted(self[repaired])
        if head in self.variants and rest:
            raise InputError(f"{name!r}: {head} is no series", expected=", ".join(self.series) or "none")
        raise self._unknown(name)

    def _unknown(self, name: str) -> InputError:
        head, rest = split_name(name)
        error = unknown("variant", name, [*self.variants, *self.series])
        close = nearest(head, self.series) if rest else None
        if close is not None:
            error.suggestion = close + rest
        # A plugin that did not load, or that was not named, may be the one that has it.
        error.message += "".join(f"; not loaded: {p.origin}: {p.message}" for p in self.problems)
        if error.suggestion is None and not self.problems:
            error.message += "; one of your own needs --plugin FILE"
        return error

    def as_posted(self, variant: Variant) -> Variant:
        """A variant without its repairs, by the name that stands for it; a plugin may have declared that one.

        Raises InputError if there are no repairs.
        """
        if not variant.repairs:
            raise InputError(f"{variant.name} has no repairs: it is as it was posted", expected=variant.name)
        name = posted_name(variant.name)
        if name in self.variants or split_name(name)[0] in self.series:
            return self[name]
        return variant.as_posted(name)

    def posted_patches(self) -> dict[str, tuple[type, ...]]:
        """Of each variant with repairs the classes that only its posted form has, by that one's name."""
        return {
            posted_name(variant.name): tuple(one for repair in variant.repairs for one in repair.posted)
            for variant in self.variants.values()
            if variant.repairs
        }

    def has_variant(self, name: str) -> bool:
        """Is it the name of a variant or of a series' stack (which may still be an impossible one)?

        With "-posted" it may be the name of one that has repairs.
        """
        if name in self.variants or split_name(name)[0] in self.series:
            return True
        repaired = repaired_name(name)
        return repaired is not None and self.has_variant(repaired)

    def add_module(self, module: ModuleType, origin: str) -> None:
        """Take a plugin module's ``VARIANTS``, ``SERIES`` and ``TWINS``."""
        self.modules[origin] = module
        twins, series = getattr(module, "TWINS", None), getattr(module, "SERIES", None)
        for twin in [] if twins is None else self._listed(twins, "TWINS", "Twin", origin):
            self._add_twin(twin, origin)
        for one in [] if series is None else self._listed(series, "SERIES", "Series", origin):
            self._add_series(one, origin)
        variants = getattr(module, "VARIANTS", None)
        if variants is None:
            if twins is not None or series is not None or origin.startswith((BUILT_IN, TWINS)):
                return  # a module that only holds patches
            self.problems.append(Problem(origin, "defines no VARIANTS list"))
            return
        listed = self._listed(variants, "VARIANTS", "Variant", origin)
        if variants == [] and not twins:
            self.problems.append(Problem(origin, "its list VARIANTS is empty"))
        for variant in listed:
            self._add(variant, origin)

    def _listed(self, values: Any, name: str, kind: str, origin: str) -> list[object]:
        if isinstance(values, Iterable) and not isinstance(values, str):
            return list(values)
        self.problems.append(Problem(origin, f"{name} is {values!r}, expected a list of {kind}"))
        return []

    def _add_twin(self, twin: object, origin: str) -> None:
        if not isinstance(twin, Twin):
            self.problems.append(Problem(origin, f"TWINS holds {twin!r}, which is no Twin"))
        elif twin.name in self.twins and not self._may_replace(self.twins[twin.name].origin):
            other = self.twins[twin.name].origin
            self.problems.append(Problem(origin, f"twin {twin.name!r} is already defined by {other}"))
        else:
            self.twins[twin.name] = replace(twin, origin=origin)

    def _add_series(self, series: object, origin: str) -> None:
        if not isinstance(series, Series):
            self.problems.append(Problem(origin, f"SERIES holds {series!r}, which is no Series"))
        elif series.name in self.series or series.name in self.variants:
            taken = self.series.get(series.name) or self.variants[series.name]
            self.problems.append(Problem(origin, f"{series.name!r} is already defined by {taken.origin}"))
        else:
            self.series[series.name] = replace(series, origin=origin)

    def _may_replace(self, origin: str) -> bool:
        """A plugin that the user named stands in for what was there without being asked for."""
        return self._adding and origin not in self._users

    def any_variant(self, name: str) -> Variant:
        """A variant, or a twin as a variant, by name."""
        if name not in self.twins:
            return self[name]
        twin = self.twins[name]
        return replace(twin.variant(self[twin.fixed]), origin=twin.origin)

    def _add(self, variant: object, origin: str) -> None:
        if not isinstance(variant, Variant):
            self.problems.append(Problem(origin, f"VARIANTS holds {variant!r}, which is no Variant"))
            return
        there = self.variants.get(variant.name)
        taken = self.series.get(variant.name) or there
        if taken is not None and (taken is not there or not self._may_replace(taken.origin)):
            message = f"variant {variant.name!r} is already defined by {taken.origin}"
            self.problems.append(Problem(origin, message))
        else:
            self.variants[variant.name] = replace(
                variant, origin=origin, replaces=there.origin if there is not None else ""
            )

    def add_named(self, file_or_module: str) -> None:
        """Load a plugin that the user named; a missing one is an InputError, a broken one a Problem.

        Its variants and twins take the place of shipped and installed ones of their names.
        """
        origin, key, load = _named(file_or_module)
        if key in self._keys:
            self.named.append(Loaded(origin, again=True))
            return
        self._keys.add(key)
        self._users.add(origin)
        variants, twins = dict(self.variants), dict(self.twins)
        self._adding = True
        try:
            self._load(origin, load)
        finally:
            self._adding = False
        new = [name for name, one in self.variants.items() if one is not variants.get(name)]
        new_twins = [name for name, one in self.twins.items() if one is not twins.get(name)]
        replaced = [(name, variants[name].origin) for name in new if name in variants]
        replaced += [(name, twins[name].origin) for name in new_twins if name in twins]
        self.named.append(Loaded(origin, tuple(new), tuple(new_twins), tuple(replaced)))

    def _load(self, origin: str, load: Callable[[], ModuleType]) -> None:
        declared = dict(hooks.HOOKS)
        try:
            with time_limit(LOAD_SECONDS):
                module = load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            hooks.HOOKS.clear()
            hooks.HOOKS.update(declared)
            self.problems.append(Problem(origin, _one_line(error)))
            return
        self.add_module(module, origin)

    def check(self, variant: Variant) -> bool:
        """Can the variant's automata be extracted?  If not, it is recorded as a problem."""
        try:
            with time_limit(CHECK_SECONDS):
                stack = Stack(variant)
                for name, text in sample_texts():
                    stack.automaton(name, text)
        except StrategyError as error:
            self.problems.append(Problem(variant.origin, str(error)))
            return False
        except Exception as error:
            self.problems.append(Problem(variant.origin, f"variant {variant.name}: {_one_line(error)}"))
            return False
        return True


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise StrategyError, naming the line, in plugin code that runs longer (main thread only)."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(_signal: int, frame: FrameType | None) -> None:
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}: " if frame is not None else ""
        raise StrategyError(f"{where}never ends: stopped after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def load_registry(named: Iterable[str] = (), installed: bool = True) -> Registry:
    """Built-ins, entry points of ``installed`` packages, then what the user names (files or modules)."""
    registry = Registry()
    for shipped in (BUILT_IN, TWINS):
        package = importlib.import_module(shipped)
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
            name = f"{shipped}.{module.name}"
            registry._load(name, partial(importlib.import_module, name))
    for entry in sorted(entry_points(group=ENTRY_POINTS) if installed else (), key=lambda e: e.name):
        registry._load(f"{entry.name} ({entry.value})", entry.load)
    for plugin in named:
        registry.add_named(plugin)
    return registry


def sample_texts() -> Iterator[tuple[str, Callable[[], Steps]]]:
    """Every kind of fault and every writer: what a variant must have an automaton for."""
    mappings = {
        "anonymous": Mapping(),
        "private file": Mapping(anonymous=False),
        "private file, no fault-around": Mapping(anonymous=False, fault_around=1),
        "shared file": Mapping(anonymous=False, shared=True),
    }
    for name, mapping in mappings.items():
        for write in (False, True):
            vmf = VmFault(write, mapping)
            access = "write" if write else "read"
            yield f"{access} fault, {name}", partial(hooks.do_user_addr_fault, vmf)
        yield f"writers, {name}", partial(_writers, mapping)


def _writers(mapping: Mapping) -> Steps:
    yield from hooks.mmap(mapping)
    yield from hooks.mprotect(mapping, False)
    yield from hooks.madvise_dontneed(mapping)
    yield from hooks.munmap(mapping)
    if mapping.anonymous:
        yield from hooks.brk(mapping, True)
        yield from hooks.brk(mapping, False)


def _named(file_or_module: str) -> tuple[str, str, Callable[[], ModuleType]]:
    """A plugin's origin, what it is the same by however it is spelt, and how to load it."""
    path = Path(file_or_module)
    if path.suffix == ".py" or os.path.exists(path) or "/" in file_or_module:
        if os.path.isdir(path):
            raise InputError(f"{file_or_module!r} is a directory", key="--plugin", expected="a .py file")
        if not os.path.isfile(path):
            close = nearest(path.name, [other.name for other in path.parent.glob("*.py")])
            raise InputError(
                f"there is no plugin file {file_or_module!r}", key="--plugin",
                suggestion=close and str(path.with_name(close)),
            )  # fmt: skip
        if os.path.getsize(path) > MAX_FILE_BYTES:
            limit = f"at most {MAX_FILE_BYTES >> 20}MiB"
            raise InputError(f"{file_or_module!r} is too large", key="--plugin", expected=limit)
        return str(path), str(path.resolve()), lambda: module_from(path)
    try:
        found = importlib.util.find_spec(file_or_module)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise InputError(
            f"there is no plugin module {file_or_module!r}", key="--plugin",
            expected="a .py file or an importable module",
        )  # fmt: skip
    return file_or_module, file_or_module, lambda: importlib.import_module(file_or_module)


def _one_line(error: BaseException) -> str:
    """What failed and in which line of which file."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    return f"{where}{type(error).__name__}: {' '.join(str(error).split())}"

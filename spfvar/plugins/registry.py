"""Where variants and series come from: the built-ins, entry points, files and modules named by the user.

A plugin that does not load, or whose variants are no variants, becomes a `Problem`; the others work.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Literal

from spfvar.automata.blame import blamed
from spfvar.errors import InputError, SpfvarError, nearest, quote, unknown
from spfvar.mm import hooking
from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops import properties
from spfvar.ops.op import Steps
from spfvar.ops.properties import PROPERTIES
from spfvar.plugins import bounds
from spfvar.plugins.bounds import bounded
from spfvar.plugins.declared import declared_by
from spfvar.plugins.files import MAX_FILE_BYTES, module_from
from spfvar.plugins.series import Series, posted_name, repaired_name, split_bug, split_name
from spfvar.plugins.trial import try_out
from spfvar.plugins.variant import Stack, Twin, Variant

BUILT_IN = "spfvar.variants"
TWINS = "spfvar.twins"
ENTRY_POINTS = "spfvar.variants"
#: The origin of variants that no plugin announced, but who calls from Python.
GIVEN = "Python"


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin, or one of its variants, that cannot be used: where it came from, and why.

    ``fatal``: nothing of the plugin was loaded; ``cut``: it had to be stopped.  ``variant``: the one that its
    texts were of, if it is about that.
    """

    origin: str
    message: str
    fatal: bool = False
    cut: bool = False
    variant: str = ""

    def __str__(self) -> str:
        return f"plugin {self.origin}: {self.message}" if self.origin else self.message


@dataclass(frozen=True, slots=True)
class Source:
    """Where a plugin comes from: a file or module that the user named, or an entry point ("NAME=VALUE")."""

    kind: Literal["named", "installed"]
    text: str

    @property
    def origin(self) -> str:
        """What it is called in messages."""
        if self.kind == "named":
            return _named(self.text)[0]
        name, _, value = self.text.partition("=")
        return f"{name} ({value})"


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
        #: Is this the process of a trial, where plugins have stdout as it is?
        self.on_trial = False
        self._sources: dict[str, Source] = {}  # of plugins, by origin
        self._good: set[str] = set()  # variants that came through a trial
        self._keys: set[str] = set()
        self._users: set[str] = set()  # the origins of the user's plugins
        self._adding = False  # one of them is being loaded

    def __getitem__(self, name: str) -> Variant:
        """A variant, or a stack of a series' patches, which a bug may be put into, by name.

        Raises InputError.
        """
        if name in self.variants:
            return self.variants[name]
        head, rest = split_name(name)
        if head in self.series:
            stack, bug = split_bug(name)
            found = self.series[head].variant(stack)
            return self._bug_of(self.series[head], bug).put_into(found, name) if bug else found
        repaired = repaired_name(name)
        if repaired is not None and self.has_variant(repaired):
            return self.as_posted(self[repaired])
        if head in self.variants and rest:
            raise InputError(f"{name!r}: {head} is no series", expected=", ".join(self.series) or "none")
        raise self._unknown(name)

    def _bug_of(self, series: Series, name: str) -> Twin:
        """A twin whose design has patches of a series, or none at all, as the kernel that it is based on."""
        if name not in self.twins:
            raise unknown("twin", name, self.twins)
        twin = self.twins[name]
        patches = self[twin.fixed].patches
        if patches and not set(patches) & set(series.stack(range(1, len(series.patches) + 1))):
            raise InputError(
                f"{name} is a bug of {twin.fixed}, which has no patch of {series.name}",
                expected="a bug of the series' own designs, or of the kernel without it",
            )
        return twin

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

    def nothing_left(self) -> InputError:
        """The error for a run of which every variant became a problem."""
        reasons = "; ".join(map(str, self.problems))
        return InputError(f"none of the variants asked for can be used: {reasons}")

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
        found = declared_by(module)
        self.problems += [Problem(origin, wrong) for wrong in found.wrong]
        for twin in found.twins:
            self._add_twin(twin, origin)
        for one in found.series:
            self._add_series(one, origin)
        for variant in found.variants:
            self._add(variant, origin)
        if not found.has and not origin.startswith(
            (BUILT_IN, TWINS)
        ):  # shipped modules may hold patches only
            self.problems.append(Problem(origin, "defines no VARIANTS list"))
        elif "VARIANTS" in found.has and not (found.variants or found.twins or found.series or found.wrong):
            self.problems.append(Problem(origin, "its list VARIANTS is empty"))

    def _add_twin(self, twin: Twin, origin: str) -> None:
        if twin.name in self.twins and not self._may_replace(self.twins[twin.name].origin):
            other = self.twins[twin.name].origin
            self.problems.append(Problem(origin, f"twin {twin.name!r} is already defined by {other}"))
        else:
            race = self._beside(origin, twin.race) if twin.race.endswith(".toml") else twin.race
            self.twins[twin.name] = replace(twin, race=race, origin=origin)

    def _beside(self, origin: str, file: str) -> str:
        """The path of a file that a plugin names from its own folder."""
        return str(Path(getattr(self.modules[origin], "__file__", None) or ".").parent / file)

    def _add_series(self, series: Series, origin: str) -> None:
        if series.name in self.series or series.name in self.variants:
            taken = self.series.get(series.name) or self.variants[series.name]
            self.problems.append(Problem(origin, f"{series.name!r} is already defined by {taken.origin}"))
        else:
            self.series[series.name] = replace(series, origin=origin)

    def _may_replace(self, origin: str) -> bool:
        """A plugin that the user named stands in for what was there without being asked for."""
        return self._adding and origin not in self._users

    def is_named(self, origin: str) -> bool:
        """Did the user name the plugin?"""
        return origin in self._users

    def any_variant(self, name: str) -> Variant:
        """A variant, or a twin as a variant, by name."""
        if name not in self.twins:
            return self[name]
        twin = self.twins[name]
        return twin.variant(self[twin.fixed])

    def _add(self, variant: Variant, origin: str) -> None:
        there = self.variants.get(variant.name)
        taken = self.series.get(variant.name) or there
        if taken is not None and (taken is not there or not self._may_replace(taken.origin)):
            message = f"variant {variant.name!r} is already defined by {taken.origin}"
            self.problems.append(Problem(origin, message))
        else:
            self.variants[variant.name] = replace(
                variant, origin=origin, replaces=there.origin if there is not None else ""
            )

    def give(self, variant: Variant) -> str:
        """Take a variant as an object; returns its name.

        Raises InputError if another one is called so: names are how results tell variants apart.
        """
        name = variant.name
        if name in self.twins or self.has_variant(name):
            there = self.any_variant(name)
            if there != variant:
                raise InputError(
                    f"another variant is called {quote(name)}: that of {there.origin}",
                    expected="an object with a name of its own",
                )
        else:
            self.variants[name] = replace(variant, origin=GIVEN, replaces="")
        return name

    def add_shipped(self) -> None:
        """Load what came with spfvar."""
        for shipped in (BUILT_IN, TWINS):
            package = importlib.import_module(shipped)
            for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
                name = f"{shipped}.{module.name}"
                self._load(name, partial(importlib.import_module, name))

    def add_tried(self, sources: Iterable[Source]) -> None:
        """Load plugins that come through a trial; what is wrong with the others becomes a problem."""
        wanted = list(sources)
        refused = try_out([(one.origin, one.kind, one.text) for one in wanted]).plugins if wanted else {}
        for source in wanted:
            if source.origin in refused:
                self.problems.append(Problem(source.origin, refused[source.origin], fatal=True))
                if source.kind == "named":
                    self._users.add(source.origin)
                    self.named.append(Loaded(source.origin))
            else:
                self.add(source)

    def add(self, source: Source) -> None:
        """Load a plugin here and now; a missing one is an InputError, a broken one a Problem.

        A named one's variants and twins take the place of shipped and installed ones of their names.
        """
        self._good.clear()  # a name may stand for another variant now
        if source.kind == "installed":
            self._sources[source.origin] = source
            name, _, value = source.text.partition("=")
            self._load(source.origin, EntryPoint(name, value, ENTRY_POINTS).load)
            return
        origin, key, load = _named(source.text)
        if key in self._keys:
            self.named.append(Loaded(origin, again=True))
            return
        self._sources[origin] = source
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
        declared, known = dict(hooks.HOOKS), dict(PROPERTIES)
        shipped = origin.startswith((BUILT_IN, TWINS))
        try:
            # What a plugin prints is no result.
            prints = sys.stdout if shipped or self.on_trial else sys.stderr
            with bounded(bounds.LOAD_SECONDS), contextlib.redirect_stdout(prints):
                module = load()
                properties.credit(origin)
                self.add_module(module, origin)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            hooks.HOOKS.clear()
            hooks.HOOKS.update(declared)
            PROPERTIES.clear()
            PROPERTIES.update(known)
            self.problems.append(Problem(origin, told(error), fatal=True))

    def check(self, *names: str) -> list[str]:
        """Those variants (twins too) whose texts can be extracted; the others become problems.

        Shipped ones are taken as they are: the project's own tests look at them.
        """
        origins = {name: self._origin(name) for name in names}
        new = {name: origin for name, origin in origins.items() if name not in self._good}
        tried = {name: origin for name, origin in new.items() if origin in self._sources}
        sources = [(one.origin, one.kind, one.text) for one in self._sources.values()]
        found = try_out(sources, tried)
        good = []
        for name, origin in origins.items():
            why = found.variants.get(name) or found.plugins.get(origin)
            if why is None and name in new and name not in tried and not origin.startswith((BUILT_IN, TWINS)):
                why = self._extracted(name)
            if why is None:
                good.append(name)
                self._good.add(name)
            else:
                cut = name in found.cut or origin in found.plugins
                self.problems.append(Problem(origin, why, cut=cut, variant=name))
        return good

    def tried(self, name: str) -> Variant:
        """A variant or twin by name whose texts can be extracted.  Raises InputError."""
        variant = self.any_variant(name)
        if not self.check(name):
            raise InputError(str(self.problems.pop()))
        return variant

    def _origin(self, name: str) -> str:
        """Where a variant, a stack of a series or a twin comes from."""
        return (self.twins.get(name) or self[name]).origin

    def _extracted(self, name: str) -> str | None:
        try:
            self.extract(name)
        except SpfvarError as error:
            return str(error)
        return None

    def extract(self, name: str) -> None:
        """Extract every kind of fault and writer under a variant or twin, here.  Raises StrategyError."""
        with bounded(bounds.CHECK_SECONDS):
            stack = Stack(self.any_variant(name))
            for text_name, text in sample_texts():
                stack.automaton(text_name, text)


def load_registry(named: Iterable[str] = (), installed: bool = True) -> Registry:
    """Built-ins, entry points of ``installed`` packages, then what the user names (files or modules)."""
    registry = Registry()
    registry.add_shipped()
    entries = sorted(entry_points(group=ENTRY_POINTS) if installed else (), key=lambda e: e.name)
    sources = [Source("installed", f"{entry.name}={entry.value}") for entry in entries]
    registry.add_tried([*sources, *(Source("named", plugin) for plugin in named)])
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
        return str(path), str(path.resolve()), lambda: _afresh(path)
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


def _afresh(path: Path) -> ModuleType:
    """Execute a plugin's file, which this process may have executed before."""
    for file in {str(path), str(path.absolute()), str(path.resolve())}:
        hooking.forget(file)
        properties.forget(file)
    return module_from(path)


def told(error: BaseException) -> str:
    """What failed and in which line of which file."""
    where = blamed(error)
    place = f"{where}: " if where else ""
    if isinstance(error, bounds.CutOffError):
        return str(error)
    if isinstance(error, InputError):
        return f"{place}{error}"
    if isinstance(error, MemoryError):
        return f"{place}takes more than {bounds.MEMORY >> 20} MiB of memory"
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{place}{type(error).__name__}: {' '.join(message.split())}"

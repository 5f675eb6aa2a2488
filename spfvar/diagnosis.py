"""What an installation is made of, and what of it is broken: the findings that `spfvar doctor` shows.

Packages may be what is broken, so each part imports what it needs by itself.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import spfvar
from spfvar import cpus
from spfvar.errors import InputError, SpfvarError, reason

if TYPE_CHECKING:
    from spfvar.plugins.registry import Registry

Status = Literal["ok", "note", "broken"]
#: Compiled functions that a command cannot do without: module, name.
ENTRIES = {"compare": ("spfvar.simulate.engine", "run"), "check": ("spfvar.explore.search", "search")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.  ``advice``: what to do about it; a broken one always has some."""

    section: str
    name: str
    status: Status
    text: str
    advice: str = ""

    def as_dict(self) -> dict[str, Any]:
        """One entry of the JSON list."""
        return asdict(self)


def diagnose(plugins: Sequence[str] = ()) -> list[Finding]:
    """Look at everything; never raises, for a part that cannot be looked at is a finding itself."""
    parts: dict[str, Callable[[], Iterable[Finding]]] = {
        "spfvar": versions,
        "packages": packages,
        "compiled code": compiled,
        "machine": machine,
        "plugins": lambda: plugin_findings(plugins),
        "files": files,
    }
    found: list[Finding] = []
    for section, look in parts.items():
        try:
            found += look()
        except Exception as error:  # whatever it is, the other parts are worth a look
            text = f"cannot be looked at: {type(error).__name__}: {error}"
            found.append(Finding(section, section, "broken", text, "reinstall spfvar, or report this"))
    return found


def versions() -> Iterator[Finding]:
    """Python and spfvar itself."""
    needed = metadata.metadata("spfvar")["Requires-Python"]
    running = ".".join(map(str, sys.version_info[:3]))
    yield Finding("spfvar", "python", "ok", f"{running} (needs {needed}), {sys.executable}")
    where = Path(spfvar.__file__).parent
    yield Finding("spfvar", "spfvar", "ok", f"{spfvar.__version__}, model {spfvar.MODEL_VERSION}, {where}")


def packages() -> Iterator[Finding]:
    """Every package that spfvar needs: is it there, of a version to use, and of the one it is tested with?"""
    from packaging.requirements import Requirement

    tested = _lock()
    for text in metadata.requires("spfvar") or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name, advice = requirement.name, f"pip install '{requirement.name}{requirement.specifier}'"
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding("packages", name, "broken", "is not installed", advice)
            continue
        needs = f"{version} (needs {requirement.specifier})"
        if not requirement.specifier.contains(version, prereleases=True):
            yield Finding("packages", name, "broken", needs, advice)
        elif tested.get(name, version) != version:
            text = f"{needs}; spfvar is tested with {tested[name]}"
            yield Finding(
                "packages", name, "note", text, f"if it misbehaves: pip install {name}=={tested[name]}"
            )
        else:
            yield Finding("packages", name, "ok", needs)


def _lock() -> dict[str, str]:
    """The versions that spfvar is tested with, which an installed package does not know."""
    file = Path(spfvar.__file__).parents[1] / "requirements.lock"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return dict(line.strip().split("==", 1) for line in lines if "==" in line)


def compiled() -> Iterator[Finding]:
    """Where compiled code is kept, and whether the commands find theirs there."""
    from spfvar.transition.jit import cache_directory  # imports numba

    section = "compiled code"
    if os.environ.get("NUMBA_DISABLE_JIT") not in (None, "", "0"):
        text = "NUMBA_DISABLE_JIT is set: nothing is compiled, and everything takes a hundred times as long"
        yield Finding(section, "compiler", "note", text, "unset NUMBA_DISABLE_JIT")
        return
    place = Path(os.environ.get("NUMBA_CACHE_DIR") or cache_directory())
    yield _writable(section, place)
    for command, (module, name) in ENTRIES.items():
        yield _warm(section, command, module, name)
    own = place == cache_directory()
    others = [other for other in place.parent.glob("*") if other != place and other.is_dir()] if own else []
    yield Finding(section, "size", "ok", f"{_megabytes([place])} MB")
    if others:
        text = f"{len(others)} of other versions, {_megabytes(others)} MB"
        advice = f"what is not used any more may go from {place.parent}"
        yield Finding(section, "others", "note", text, advice)


def _writable(section: str, place: Path) -> Finding:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        advice = "make it writable, or set NUMBA_CACHE_DIR to a directory that is"
        return Finding(section, "cache", "broken", f"{place}: cannot be written: {reason(error)}", advice)
    return Finding(section, "cache", "ok", str(place))


def _warm(section: str, command: str, module: str, name: str) -> Finding:
    """Does a command find its compiled code?  numba keeps an index per function."""
    function = getattr(__import__(module, fromlist=[name]), name)
    folder = Path(function.stats.cache_path)
    if any(folder.glob(f"{module.rpartition('.')[2]}.{name}-*.nbi")):
        return Finding(section, command, "ok", "warm: compiled code is there")
    return Finding(section, command, "note", "cold: the first run compiles, which takes up to a minute")


def _megabytes(places: Iterable[Path]) -> str:
    size = sum(file.stat().st_size for place in places for file in place.rglob("*") if file.is_file())
    return f"{size / 1e6:.0f}"


def machine() -> Iterator[Finding]:
    """Cores, and the programs that the referee needs."""
    usable, limit = cpus.available_cpus(), cpus.quota()
    text = f"{usable} usable of {os.cpu_count()}"
    if limit is not None and limit < usable:
        text += f"; a quota leaves the time of {limit:g}"
        yield Finding("machine", "cores", "note", text, f"--jobs {max(1, round(limit))} wastes less")
    else:
        yield Finding("machine", "cores", "ok", text)
    for program in ("spin", "gcc"):
        path = shutil.which(program)
        if path:
            yield Finding("machine", program, "ok", path)
        else:
            text = "not there; only to run what spfvar export writes"
            yield Finding("machine", program, "note", text, f"install {program} to have a second opinion")


def plugin_findings(plugins: Sequence[str] = ()) -> Iterator[Finding]:
    """Which plugins loaded, whether their variants can be extracted, and why not."""
    from spfvar.plugins.registry import BUILT_IN, TWINS, load_registry

    registry = _registry(plugins)
    if isinstance(registry, Finding):
        yield registry
        registry = load_registry()
    shipped = [v for v in registry.variants.values() if v.origin.startswith(BUILT_IN)]
    twins = [t for t in registry.twins.values() if t.origin.startswith(TWINS)]
    yield Finding("plugins", "shipped", "ok", f"{len(shipped)} variants, {len(twins)} twins")
    others: dict[str, list[str]] = {}
    foreign = [variant.name for variant in registry.variants.values() if variant not in shipped]
    for name in registry.check(*foreign):
        variant = registry[name]
        instead = f" (instead of the one from {variant.replaces})" if variant.replaces else ""
        others.setdefault(variant.origin, []).append(f"{variant.name}{instead}")
    for origin, names in others.items():
        yield Finding("plugins", origin, "ok", f"variants {', '.join(names)}")
    for problem in registry.problems:
        own = problem.origin.startswith((BUILT_IN, TWINS))
        advice = "reinstall spfvar" if own else "correct it, or take it away; the other plugins work"
        yield Finding("plugins", problem.origin, "broken", problem.message, advice)


def _registry(plugins: Sequence[str]) -> Registry | Finding:
    from spfvar.plugins.registry import load_registry

    try:
        return load_registry(plugins)
    except InputError as error:
        return Finding("plugins", "--plugin", "broken", error.message, "name a .py file or a module")


def files() -> Iterator[Finding]:
    """The user's own scenarios, races and machines: is each of them valid?"""
    from spfvar.matrix import catalogue

    for kind in (catalogue.scenarios(), catalogue.races(), catalogue.hardware()):
        own = [name for name in kind.names() if not kind.is_shipped(name)]
        yield Finding(
            "files", f"{kind.kind}s", "ok", f"{len(kind.names()) - len(own)} shipped, {len(own)} own"
        )
        for name, path in kind.hidden.items():
            text = f"is not used: {name} is a {kind.kind} of spfvar's"
            yield Finding("files", str(path), "note", text, "name it by its path, or rename it")
        for name in own:
            try:
                kind[name]
            except SpfvarError as error:
                yield Finding("files", name, "broken", str(error), "correct the file, or take it away")

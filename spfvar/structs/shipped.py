"""The layouts that come with spfvar, by name and by what a variant says of its kernel."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from spfvar.errors import unknown
from spfvar.structs.model import StructLayout
from spfvar.toml_input import load_toml

#: Of the core's own paths.  Older kernels, which no layout is for, take it too: they run over these paths.
CORE = "v5.12"

_VERSION = re.compile(r"v(\d+)\.(\d+)(?:\.(\d+))?(?:-rc(\d+))?")
#: Release, then the number of a candidate (a release comes behind all of its own).
Version = tuple[int, int, int, float]


@cache
def layouts() -> dict[str, StructLayout]:
    """Every layout by name, the oldest first."""
    files = [file for file in resources.files("spfvar.layouts").iterdir() if file.name.endswith(".toml")]
    found = {file.name.removesuffix(".toml"): load_toml(file, StructLayout) for file in files}
    return dict(sorted(found.items(), key=lambda item: parse(item[0])))


def layout_named(name: str) -> StructLayout:
    """A layout by name.  Raises InputError."""
    if name not in layouts():
        raise unknown("layout", name, layouts())
    return layouts()[name]


def name_for(kernel: str) -> str:
    """The layout of the first kernel version in a text, such as "v5.12-rc5 + RFC 1-35".

    `CORE` if there is none, or it is older than every layout.
    """
    match = _VERSION.search(kernel)
    if match is None:
        return CORE
    wanted = parse(match[0])
    begins = [
        (start, name)
        for name, layout in layouts().items()
        for start in map(parse, layout.since)
        if start <= wanted and (not start[2] or start[:2] == wanted[:2])
    ]
    return max(begins)[1] if begins else CORE


def parse(version: str) -> Version:
    """A kernel version as a tuple that can be ordered.  Raises ValueError."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is no kernel version")
    major, minor, stable, candidate = match.groups()
    return int(major), int(minor), int(stable or 0), float(candidate) if candidate else float("inf")

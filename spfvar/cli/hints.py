"""What somebody may have meant who gave a name in the wrong place."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator

from spfvar.errors import SpfvarError, UnknownNameError

#: Kind of a name: how it is given.
USES = {
    "variant": "spfvar compare {0}, or spfvar check {0}",
    "scenario": "spfvar compare --scenario {0}",
    "race": "spfvar check --race {0}",
    "hardware profile": "spfvar compare --hardware {0}",
    "twin": "spfvar check --twins {0}",
    "metric": "spfvar compare --metric {0}",
    "hook point": "spfvar show {0}",
}


def improved(error: UnknownNameError) -> str:
    """The error as it is, or, if the name is one of another kind, where to give it."""
    if error.file is not None or not error.name:
        return str(error)
    place = f"{error.key}: " if error.key else ""
    unknown = f"{place}{error.message}"
    if any(sign in error.name for sign in "*?[") and error.kind in ("variant", "twin"):
        return f"{unknown}: patterns are for --scenario and --race; name every {error.kind}"
    if error.kind in ("scenario", "race", "hardware profile") and os.path.isfile(error.name):
        return f"{unknown}: there is such a file, but names of files have to end in .toml"
    for kind, names in _kinds():
        if kind != error.kind and error.name in names:
            what = unknown.partition(";")[0]  # it is no plugin's that was not named
            return f"{what}: it is a {kind} ({USES[kind].format(error.name)})"
    return str(error)


def _kinds() -> Iterator[tuple[str, Container[str]]]:
    """Every kind with its names; what is broken has none."""
    from spfvar.comparison.metrics import METRICS
    from spfvar.matrix import catalogue
    from spfvar.mm.hookspecs import HOOKS
    from spfvar.plugins.registry import load_registry

    try:
        registry = load_registry()
    except SpfvarError:
        return
    yield "variant", registry.variants
    for one in (catalogue.scenarios(), catalogue.races(), catalogue.hardware()):
        yield one.kind, one.names()
    yield "twin", registry.twins
    yield "metric", METRICS
    yield "hook point", HOOKS

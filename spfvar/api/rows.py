"""What there is of each kind, a row each: variants, loads, races, words of texts and of tables."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from spfvar.comparison.metrics import METRICS
from spfvar.errors import InputError
from spfvar.explore.properties import PROPERTIES
from spfvar.generator.memories import MEMORIES
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import HOOKS
from spfvar.ops.vocabulary import constructors, section_of
from spfvar.plugins.lineage import depths, lineage
from spfvar.plugins.registry import Registry
from spfvar.plugins.variant import Event, Variant
from spfvar.scenario.verbs import VERBS
from spfvar.structs.shipped import layouts as shipped_layouts

Row = dict[str, Any]
#: Loads the registry, for kinds whose things come from plugins.
Found = Callable[[], Registry]


def variants(found: Found) -> list[Row]:
    """Every variant that could be loaded, behind the one it stacks on; plugins that could not on stderr."""
    registry = found()
    relations = lineage(registry.variants)
    deep = depths(relations)
    rows: list[Row] = []
    for relation in relations:
        variant = registry[relation.name]
        rows.append({
            "name": variant.name,
            "title": variant.title,
            "kernel": variant.kernel,
            "source": variant.source,
            "patches": [patch.__name__ for patch in variant.patches],
            "repairs": [repair.as_dict() for repair in variant.repairs],
            "stacks_on": relation.stacks_on,
            "adds": list(relation.adds),
            "shares": {name: list(patches) for name, patches in relation.shares},
            "depth": deep[relation.name],
            "default": variant.compared,
            "origin": variant.origin,
        })  # fmt: skip
    return rows


def series(found: Found) -> list[Row]:
    """Every series of patches."""
    registry = found()
    return [
        {
            "name": one.name, "title": one.title, "kernel": one.kernel, "source": one.source,
            "patches": [
                {"number": p.number, "title": p.title, "source": p.source, "needs": list(p.needs),
                 "changes": [change.__name__ for change in p.changes],
                 "repairs": [repair.as_dict() for repair in p.repairs], "note": p.note}
                for p in one.patches
            ],
            "origin": one.origin,
        }
        for one in registry.series.values()
    ]  # fmt: skip


def scenarios(_found: Found) -> list[Row]:
    """Every scenario; one whose file is broken says so in its title."""
    known = catalogue.scenarios()
    rows: list[Row] = []
    for name in known.names():
        try:
            scenario = known[name]
        except InputError as error:
            rows.append({
                "name": name, "title": f"BROKEN: {error}", "axes": {}, "default": None,
                "origin": known.origin(name),
            })  # fmt: skip
            continue
        axes = {axis: values.values for axis, values in scenario.axes.items()}
        rows.append({
            "name": name, "title": scenario.title, "axes": axes, "default": scenario.default,
            "origin": known.origin(name),
        })  # fmt: skip
    return rows


def races(_found: Found) -> list[Row]:
    """Every race; one whose file is broken says so in its title."""
    known = catalogue.races()
    rows: list[Row] = []
    for name in known.names():
        try:
            race = known[name]
        except InputError as error:
            rows.append({"name": name, "title": f"BROKEN: {error}", "origin": known.origin(name)})
            continue
        rows.append({
            "name": name, "title": race.title, "properties": race.properties, "threads": race.threads,
            "origin": known.origin(name),
        })  # fmt: skip
    return rows


def twins(found: Found) -> list[Row]:
    """Every broken twin: the bug, the variant without it, the race that has to show it."""
    registry = found()
    return [
        {
            "name": twin.name, "title": twin.title, "bug": twin.bug, "fixed": twin.fixed, "race": twin.race,
            "property": twin.prop or None, "source": twin.source, "origin": twin.origin,
        }
        for twin in registry.twins.values()
    ]  # fmt: skip


def properties(found: Found) -> list[Row]:
    """Every property that check looks at, of the core and of loaded plugins."""
    found()
    return [{"name": p.id, "title": p.text, "origin": p.origin or "shipped"} for p in PROPERTIES.values()]


def hooks(found: Found) -> list[Row]:
    """Every hook point, of the core and of loaded plugins."""
    found()
    return [
        {
            "name": name,
            "title": _first_sentence(spec),
            "signature": f"{name}({', '.join(inspect.signature(spec).parameters)})",
            "origin": spec.__module__,
        }
        for name, spec in HOOKS.items()
    ]


def primitives(_found: Found) -> list[Row]:
    """Every primitive that a text may yield."""
    return [
        {
            "name": name,
            "title": _first_sentence(constructor),
            "signature": f"{name}({', '.join(inspect.signature(constructor).parameters)})",
            "section": section_of(constructor),
            "origin": constructor.__module__,
        }
        for name, constructor in constructors().items()
    ]


def metrics(_found: Found) -> list[Row]:
    """Every metric of a comparison."""
    return [
        {
            "name": m.name,
            "title": m.title,
            "unit": m.unit,
            "better": m.better,
            "doc": m.doc,
            "origin": "shipped",
        }
        for m in METRICS.values()
    ]


def events(found: Found) -> list[Row]:
    """Every event that a variant counts; one name may mean something else in another variant."""
    registry = found()
    return [
        {
            "name": name,
            "title": "; or: ".join(dict.fromkeys(event.doc for _, event in users)),
            "roles": list(dict.fromkeys(event.role for _, event in users)),
            "variants": [variant.name for variant, _ in users],
            "origin": users[0][0].origin,
        }
        for name, users in events_of(registry).items()
    ]


def layouts(_found: Found) -> list[Row]:
    """Every struct layout: which members share a cache line, by kernel version."""
    return [
        {"name": name, "title": layout.title, "origin": "shipped"}
        for name, layout in shipped_layouts().items()
    ]


def verbs(_found: Found) -> list[Row]:
    """Every verb of the programs of races."""
    return [
        {
            "name": verb.name,
            "title": verb.does,
            "names": verb.of,
            "keys": list(verb.extras),
            "origin": "shipped",
        }
        for verb in VERBS.values()
    ]


def memories(_found: Found) -> list[Row]:
    """Every memory that generated races start from."""
    return [{"name": memory.name, "title": memory.text, "origin": "shipped"} for memory in MEMORIES.values()]


def hardware(_found: Found) -> list[Row]:
    """Every hardware profile."""
    known = catalogue.hardware()
    rows: list[Row] = []
    for name in known.names():
        try:
            profile = known[name]
        except InputError as error:
            rows.append({"name": name, "title": f"BROKEN: {error}", "origin": known.origin(name)})
            continue
        rows.append({
            "name": name, "title": profile.title, "cpus": profile.cpus, "fitted": profile.fitted,
            "origin": known.origin(name),
        })  # fmt: skip
    return rows


def _first_sentence(documented: object) -> str:
    first, *_ = (inspect.getdoc(documented) or "").splitlines() or [""]
    return first.split(".  ")[0].rstrip(".")


def events_of(registry: Registry) -> dict[str, list[tuple[Variant, Event]]]:
    """Every event by name, with each variant that counts it and says what it means there."""
    found: dict[str, list[tuple[Variant, Event]]] = {}
    for variant in registry.variants.values():
        for event in variant.events:
            found.setdefault(event.name, []).append((variant, event))
    return found


KINDS: dict[str, Callable[[Found], list[Row]]] = {
    "variants": variants,
    "series": series,
    "scenarios": scenarios,
    "races": races,
    "twins": twins,
    "properties": properties,
    "hooks": hooks,
    "primitives": primitives,
    "metrics": metrics,
    "events": events,
    "hardware": hardware,
    "layouts": layouts,
    "verbs": verbs,
    "memories": memories,
}

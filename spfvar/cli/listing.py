"""spfvar list."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Callable
from typing import Any

import click

from spfvar.cli import terminal
from spfvar.cli.command import Command
from spfvar.cli.options import format_option, plugin_option
from spfvar.cli.plugins import load, tell_problems
from spfvar.cli.show_names import events_of
from spfvar.comparison.metrics import METRICS
from spfvar.errors import InputError
from spfvar.explore.properties import PROPERTIES
from spfvar.generator.memories import MEMORIES
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import HOOKS
from spfvar.ops.vocabulary import constructors, section_of
from spfvar.plugins.lineage import depths, lineage
from spfvar.scenario.verbs import VERBS
from spfvar.structs.shipped import layouts as shipped_layouts

Row = dict[str, Any]
#: What the star of a table means; within the narrowest of terminals.
NAMED_ONLY = "* compared only if named, or with compare --all"


def variants(plugins: tuple[str, ...]) -> list[Row]:
    """Every variant that could be loaded, behind the one it stacks on; plugins that could not on stderr."""
    registry = load(plugins)
    tell_problems(registry)
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


def series(plugins: tuple[str, ...]) -> list[Row]:
    """Every series of patches."""
    registry = load(plugins)
    tell_problems(registry)
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


def scenarios(_plugins: tuple[str, ...]) -> list[Row]:
    """Every scenario; one whose file is broken says so in its title."""
    found = catalogue.scenarios()
    rows: list[Row] = []
    for name in found.names():
        try:
            scenario = found[name]
        except InputError as error:
            rows.append({
                "name": name, "title": f"BROKEN: {error}", "axes": {}, "default": None,
                "origin": found.origin(name),
            })  # fmt: skip
            continue
        axes = {axis: values.values for axis, values in scenario.axes.items()}
        rows.append({
            "name": name, "title": scenario.title, "axes": axes, "default": scenario.default,
            "origin": found.origin(name),
        })  # fmt: skip
    return rows


def races(_plugins: tuple[str, ...]) -> list[Row]:
    """Every race; one whose file is broken says so in its title."""
    found = catalogue.races()
    rows: list[Row] = []
    for name in found.names():
        try:
            race = found[name]
        except InputError as error:
            rows.append({"name": name, "title": f"BROKEN: {error}", "origin": found.origin(name)})
            continue
        rows.append({
            "name": name, "title": race.title, "properties": race.properties, "threads": race.threads,
            "origin": found.origin(name),
        })  # fmt: skip
    return rows


def twins(plugins: tuple[str, ...]) -> list[Row]:
    """Every broken twin: the bug, the variant without it, the race that has to show it."""
    registry = load(plugins)
    tell_problems(registry)
    return [
        {
            "name": twin.name, "title": twin.title, "bug": twin.bug, "fixed": twin.fixed, "race": twin.race,
            "property": twin.prop or None, "source": twin.source, "origin": twin.origin,
        }
        for twin in registry.twins.values()
    ]  # fmt: skip


def properties(plugins: tuple[str, ...]) -> list[Row]:
    """Every property that check looks at, of the core and of loaded plugins."""
    tell_problems(load(plugins))
    return [{"name": p.id, "title": p.text, "origin": p.origin or "shipped"} for p in PROPERTIES.values()]


def hooks(plugins: tuple[str, ...]) -> list[Row]:
    """Every hook point, of the core and of loaded plugins."""
    load(plugins)
    return [
        {
            "name": name,
            "title": _first_sentence(spec),
            "signature": f"{name}({', '.join(inspect.signature(spec).parameters)})",
            "origin": spec.__module__,
        }
        for name, spec in HOOKS.items()
    ]


def primitives(_plugins: tuple[str, ...]) -> list[Row]:
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


def metrics(_plugins: tuple[str, ...]) -> list[Row]:
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


def events(plugins: tuple[str, ...]) -> list[Row]:
    """Every event that a variant counts; one name may mean something else in another variant."""
    registry = load(plugins)
    tell_problems(registry)
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


def layouts(_plugins: tuple[str, ...]) -> list[Row]:
    """Every struct layout: which members share a cache line, by kernel version."""
    return [
        {"name": name, "title": layout.title, "origin": "shipped"}
        for name, layout in shipped_layouts().items()
    ]


def verbs(_plugins: tuple[str, ...]) -> list[Row]:
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


def memories(_plugins: tuple[str, ...]) -> list[Row]:
    """Every memory that generated races start from."""
    return [{"name": memory.name, "title": memory.text, "origin": "shipped"} for memory in MEMORIES.values()]


def hardware(_plugins: tuple[str, ...]) -> list[Row]:
    """Every hardware profile."""
    found = catalogue.hardware()
    rows: list[Row] = []
    for name in found.names():
        try:
            profile = found[name]
        except InputError as error:
            rows.append({"name": name, "title": f"BROKEN: {error}", "origin": found.origin(name)})
            continue
        rows.append({
            "name": name, "title": profile.title, "cpus": profile.cpus, "fitted": profile.fitted,
            "origin": found.origin(name),
        })  # fmt: skip
    return rows


def _first_sentence(documented: object) -> str:
    first, *_ = (inspect.getdoc(documented) or "").splitlines() or [""]
    return first.split(".  ")[0].rstrip(".")


KINDS: dict[str, Callable[[tuple[str, ...]], list[Row]]] = {
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


@click.command(name="list", cls=Command)
@click.argument("kind", type=click.Choice(list(KINDS)), metavar="KIND")
@format_option(("table", "json"))
@plugin_option
def command(kind: str, form: str, plugins: tuple[str, ...]) -> None:
    """List things of a KIND: variants, series, scenarios, races, twins, properties, hooks (hook points),
    primitives, metrics, events, hardware, (struct) layouts, verbs (of races) or memories (of
    hunts).  spfvar show NAME explains each.

    \b
    Examples:
      spfvar list variants
      spfvar list series                       each with its patches
      spfvar list scenarios --format json
      spfvar list races
    """
    rows = KINDS[kind](plugins)
    where = terminal.place(None, form)
    if form == "json":
        text = json.dumps(rows, indent=2) + "\n"
    elif kind == "series":
        text = series_table(rows, where.width, where.colour)
    else:
        text = table(rows, where.width, where.colour)
    where.put(text)


def series_table(rows: list[Row], columns: int = terminal.WIDTH, colour: bool = False) -> str:
    """Each series, and below it its patches by the names that stand for them as variants."""
    parts = []
    for row in rows:
        patches = [
            {"name": f"{row['name']}@{patch['number']}", "title": patch["title"], "origin": "shipped"}
            for patch in row["patches"]
        ]
        parts.append(f"{table([row], columns, colour)}\n{table(patches, columns, colour)}")
    return "\n".join(parts)


def table(rows: list[Row], columns: int = terminal.WIDTH, colour: bool = False) -> str:
    """Name, title and, where it is not shipped, origin; what stacks on another is further in.

    What a comparison has only if it is named (a row's "default" is False) has a star, explained below.
    """
    from spfvar.render.paint import bold, judged

    rare = [row.get("default") is False for row in rows]
    names = [
        f"{'  ' * row.get('depth', 0)}{row['name']}{' *' if star else ''}"
        for row, star in zip(rows, rare, strict=True)
    ]
    width = max((len(name) for name in names), default=0)
    lines = []
    for name, row in zip(names, rows, strict=True):
        origin = row["origin"]
        shipped = origin == "shipped" or str(origin).startswith("spfvar.")
        repaired = " (not as posted)" if row.get("repairs") else ""
        text = f"{row['title']}{repaired}{'' if shipped else f'  [{origin}]'}"
        first, *rest = textwrap.wrap(text, max(30, columns - width - 2), break_long_words=False) or [""]
        name = f"{name:<{width}}"
        lines.append(f"{bold(name)}  {judged(first)}\n" if colour else f"{name}  {first}\n")
        lines += [f"{'':<{width}}  {more}\n" for more in rest]
    return "".join(lines) + (f"\n{NAMED_ONLY}\n" if any(rare) else "")

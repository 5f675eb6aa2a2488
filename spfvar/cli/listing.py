"""spfvar list."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Callable
from typing import Any

import click

from spfvar.cli.options import plugin_option
from spfvar.errors import InputError
from spfvar.explore.properties import PROPERTIES
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import HOOKS
from spfvar.plugins.lineage import depths, lineage
from spfvar.plugins.registry import load_registry

Row = dict[str, Any]
WIDTH = 80


def variants(plugins: tuple[str, ...]) -> list[Row]:
    """Every variant that could be loaded, behind the one it stacks on; plugins that could not on stderr."""
    registry = load_registry(plugins)
    for problem in registry.problems:
        click.echo(f"spfvar: plugin {problem.origin}: {problem.message}", err=True)
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
            "stacks_on": relation.stacks_on,
            "adds": list(relation.adds),
            "shares": {name: list(patches) for name, patches in relation.shares},
            "depth": deep[relation.name],
            "origin": variant.origin,
        })  # fmt: skip
    return rows


def scenarios(_plugins: tuple[str, ...]) -> list[Row]:
    """Every scenario; one whose file is broken says so in its title."""
    found = catalogue.scenarios()
    rows: list[Row] = []
    for name in found.names():
        try:
            scenario = found[name]
        except InputError as error:
            rows.append({"name": name, "title": f"BROKEN: {error}", "axes": {}, "origin": found.origin(name)})
            continue
        axes = {axis: values.values for axis, values in scenario.axes.items()}
        rows.append({"name": name, "title": scenario.title, "axes": axes, "origin": found.origin(name)})
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
    registry = load_registry(plugins)
    for problem in registry.problems:
        click.echo(f"spfvar: plugin {problem.origin}: {problem.message}", err=True)
    return [
        {
            "name": twin.name, "title": twin.title, "bug": twin.bug, "fixed": twin.fixed, "race": twin.race,
            "property": twin.prop or None, "source": twin.source, "origin": twin.origin,
        }
        for twin in registry.twins.values()
    ]  # fmt: skip


def properties(_plugins: tuple[str, ...]) -> list[Row]:
    """Every property that check looks at."""
    return [{"name": p.id, "title": p.text, "origin": "shipped"} for p in PROPERTIES.values()]


def hooks(plugins: tuple[str, ...]) -> list[Row]:
    """Every hook point, of the core and of loaded plugins."""
    load_registry(plugins)
    return [
        {
            "name": name,
            "title": (inspect.getdoc(spec) or "").splitlines()[0].split(".  ")[0].rstrip("."),
            "signature": f"{name}({', '.join(inspect.signature(spec).parameters)})",
            "origin": spec.__module__,
        }
        for name, spec in HOOKS.items()
    ]


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


KINDS: dict[str, Callable[[tuple[str, ...]], list[Row]]] = {
    "variants": variants,
    "scenarios": scenarios,
    "races": races,
    "twins": twins,
    "properties": properties,
    "hooks": hooks,
    "hardware": hardware,
}


@click.command(name="list")
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@plugin_option
def command(kind: str, form: str, plugins: tuple[str, ...]) -> None:
    """List variants, scenarios, races, broken twins, properties, hook points or hardware profiles.

    \b
    Examples:
      spfvar list variants
      spfvar list scenarios --format json
      spfvar list races
    """
    rows = KINDS[kind](plugins)
    click.echo(json.dumps(rows, indent=2) if form == "json" else table(rows), nl=form == "json")


def table(rows: list[Row]) -> str:
    """Name, title and, where it is not shipped, origin; what stacks on another is further in."""
    names = [f"{'  ' * row.get('depth', 0)}{row['name']}" for row in rows]
    width = max((len(name) for name in names), default=0)
    lines = []
    for name, row in zip(names, rows, strict=True):
        origin = row["origin"]
        shipped = origin == "shipped" or str(origin).startswith("spfvar.")
        text = f"{row['title']}{'' if shipped else f'  [{origin}]'}"
        first, *rest = textwrap.wrap(text, max(30, WIDTH - width - 2), break_long_words=False) or [""]
        lines.append(f"{name:<{width}}  {first}\n")
        lines += [f"{'':<{width}}  {more}\n" for more in rest]
    return "".join(lines)

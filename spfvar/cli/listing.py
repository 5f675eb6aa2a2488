"""spfvar list."""

from __future__ import annotations

import json
import textwrap

import click

from spfvar.api.rows import KINDS, Row
from spfvar.cli import terminal
from spfvar.cli.command import Command
from spfvar.cli.options import format_option, plugin_option
from spfvar.cli.plugins import load, tell_problems
from spfvar.plugins.registry import Registry

#: What the star of a table means; within the narrowest of terminals.
NAMED_ONLY = "* compared only if named, or with compare --all"


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

    def found() -> Registry:
        registry = load(plugins)
        tell_problems(registry)
        return registry

    rows = KINDS[kind](found)
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

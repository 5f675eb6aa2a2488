"""What `show` says of a race and of a broken twin."""

from __future__ import annotations

from collections.abc import Sequence

from spfvar.cli.lines import said
from spfvar.explore.properties import PROPERTIES
from spfvar.plugins.variant import Twin
from spfvar.render.races import statement_text
from spfvar.scenario.race import Race


def race_lines(name: str, race: Race, origin: str) -> list[str]:
    """A race: who runs against whom, from which start, and what it is about."""
    lines = [f"{name}: {race.title}", f"source: {race.source or 'none given'}", f"file: {origin}"]
    if race.description:
        lines += ["", *race.description.strip().splitlines()]
    lines += ["", "Memory at the start (pages):"]
    lines += [f"  file {file.name}: {file.pages} pages, {file.cached} cached" for file in race.file]
    for vma in race.vma:
        backing = f"{vma.sharing} mapping of {vma.file}" if vma.file else "anonymous memory"
        state = "" if vma.mapped else ", mapped by an actor"
        present = "" if vma.present == "no" else f", entries: {vma.present}"
        lines.append(f"  vma {vma.name}: {vma.start}..{vma.end - 1}, {backing}, {vma.prot}{present}{state}")
    lines += ["", "Actors:"]
    for actor in race.actor:
        program = "; ".join(statement_text(statement) for statement in actor.program)
        lines.append(f"  {actor.count} x {actor.name}: {program}")
    lines += ["", "About (every property is checked):"]
    for prop in race.properties:
        lines.append(f"  {prop}: {PROPERTIES[prop].text}")
    if race.sometimes:
        lines += ["", "Some interleaving has to reach: " + ", ".join(race.sometimes)]
    return [*lines, "", said("Run", "check", "--race", name if origin == "shipped" else origin)]


def twin_lines(twin: Twin, plugins: Sequence[str] = ()) -> list[str]:
    """A broken twin: the published bug, and what shows it."""
    lines = [f"{twin.name}: {twin.title}", f"source: {twin.source}"]
    if twin.description:
        lines += ["", twin.description]
    expected = twin.prop and f"{twin.prop}: {PROPERTIES[twin.prop].text}"
    lines += [
        "",
        f"Fixed in: {twin.fixed}",
        f"Race: {twin.race}",
        *([f"Memory model: {twin.memory}"] if twin.memory != "sc" else []),
        f"Breaks: {expected or 'nothing (a control)'}",
    ]
    for word, patches in (("Adds", twin.patches), ("Leaves out", twin.without)):
        if patches:
            lines.append(f"{word}: {', '.join(patch.__name__ for patch in patches)}")
    return [
        *lines,
        "",
        said("Run", "check", "--twins", twin.name, plugins=plugins),
        said("What is different", "show", twin.name, "--diff", twin.fixed, plugins=plugins),
    ]

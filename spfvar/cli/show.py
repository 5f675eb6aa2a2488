"""spfvar show."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from spfvar.api.rows import KINDS as LISTED
from spfvar.cli import completing, terminal
from spfvar.cli.command import Command
from spfvar.cli.lines import Verbatim, wrapped
from spfvar.cli.options import is_verbose, plugin_options
from spfvar.cli.plugins import load, tell_problems
from spfvar.cli.show_files import profile_lines, scenario_lines
from spfvar.cli.show_names import hook_lines, named, named_lines
from spfvar.cli.show_race import race_lines, twin_lines
from spfvar.cli.show_series import series_lines
from spfvar.errors import InputError, UnknownNameError, nearest, quote
from spfvar.generator.memories import MEMORIES
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import HOOKS
from spfvar.plugins.registry import Registry
from spfvar.render.paint import bold
from spfvar.scenario.verbs import VERBS
from spfvar.structs.shipped import layouts

KINDS = tuple(LISTED)


@click.command(name="show", cls=Command)
@click.argument("name", shell_complete=completing.everything)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "toml"]),
    default="text",
    show_default=True,
    help="toml: a scenario, race or profile as a file to start your own from.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND",
    help="A variant's whole protocol for a kind of fault, e.g. anon-write (repeat for several).",
)
@click.option(
    "--writer",
    "writers",
    multiple=True,
    metavar="NAME",
    help="A variant's whole protocol for a writer, e.g. munmap (repeat for several).",
)
@click.option(
    "--diff",
    "other",
    metavar="OTHER",
    help="NAME's protocol against OTHER's, step by step: - and the left column are OTHER's, + and the right "
    "one NAME's.",
)
@click.option(
    "--dot",
    "graph",
    is_flag=True,
    help="The automaton of one kind of fault, or of one writer, as Graphviz text.",
)
@click.option(
    "--hook",
    metavar="NAME",
    help="One hook point of the variant, whole; with --diff, against OTHER's.",
)
@plugin_options("A variant's whole protocol, every hook point of a --diff; and what each plugin brought.")
def command(
    name: str,
    form: str,
    faults: tuple[str, ...],
    writers: tuple[str, ...],
    other: str | None,
    graph: bool,
    hook: str | None,
    plugins: tuple[str, ...],
) -> None:
    """Explain whatever has a NAME: a variant, series, scenario, race, machine, struct layout, twin, hook
    point, primitive, property, metric, event, verb of races or memory of hunts.

    A variant's protocol is an outline of each hook point, in kernel terms; behind a hook point's name stand
    the patches that implement it.  One hook point is shown, or the one that --hook names; with -v all.

    \b
    Examples:
      spfvar show page-fault2
      spfvar show spf-do-fault
      spfvar show spf                          a series, patch by patch
      spfvar show 'spf~24'                     a stack of its patches
      spfvar show per-vma-6.12 --fault anon-write --writer munmap
      spfvar show spf-do-fault --hook pte_map_lock
      spfvar show per-vma-6.12 --diff per-vma-refcnt --fault file-read
      spfvar show spf-anon --fault anon-write --dot > spf-anon.dot
      spfvar show munmap-file
      spfvar show pte_map_lock                 a hook point, and the core's text
      spfvar show P6                           a property; or a metric, an event
      spfvar show skylake-2s56c
      spfvar show v5.12                        where the members of structs lie
      spfvar show pft --format toml > mine.toml
    """
    protocol = bool(faults or writers or other is not None or graph or hook is not None)
    if form == "toml":
        if protocol:
            raise InputError("a protocol is no scenario, race or profile", key="--format toml")
        terminal.say(as_toml(name), newline=False)
        return
    registry = load(plugins)
    tell_problems(registry)
    if protocol:
        from spfvar.cli.show_variant import asked

        show_protocol(registry, name, asked(faults, writers), other, graph, hook)
        return
    where = terminal.place(None)
    lines = explain(name, registry, plugins)
    texts = [wrapped(line, where.width) for line in lines]
    if where.colour:
        texts = [text if i and not is_heading(line) else bold(text)
                 for i, (line, text) in enumerate(zip(lines, texts, strict=True))]  # fmt: skip
    where.put("".join(f"{text}\n" for text in texts))


def show_protocol(
    registry: Registry, name: str, wanted: list[tuple[str, str]], other: str | None, graph: bool,
    hook: str | None,
) -> None:  # fmt: skip
    """Print a variant's protocol as asked for.  InputError for what is no variant."""
    from spfvar.cli.show_brief import brief_diff, hook_lines_of
    from spfvar.cli.show_variant import MAIN_FAULTS, diff_lines, dot_text, protocol_lines

    variant = registry.tried(name)
    if graph:
        if other is not None:
            raise InputError("a graph shows one variant", key="--dot", expected="--dot or --diff, not both")
        if hook is not None:
            raise InputError("a graph shows an automaton", key="--dot", expected="--dot or --hook, not both")
        terminal.say(dot_text(variant, wanted), newline=False)
        return
    if other is not None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        main = [("fault", kind) for kind in MAIN_FAULTS]
        against = registry.tried(other)
        if is_verbose() and hook is None:
            lines = diff_lines(variant, against, wanted or main, width)
        else:
            lines = brief_diff(variant, against, wanted or main, width, hook)
    elif hook is not None:
        lines = hook_lines_of(variant, hook, wanted)
    else:
        lines = protocol_lines(variant, wanted)
    terminal.say("\n".join(lines))


def is_heading(line: str) -> bool:
    """Does the line stand above a list?"""
    return line.endswith(":") and not line.startswith(" ")


def as_toml(name: str) -> str:
    """The file of a scenario, a race or a hardware profile."""
    profiles, races = catalogue.hardware(), catalogue.races()
    if name in races.names():
        return races.text(name)
    return profiles.text(name) if name in profiles.names() else catalogue.scenarios().text(name)


def explain(name: str, registry: Registry, plugins: Sequence[str] = ()) -> list[str]:
    """Whatever is called ``name``, in lines; one thing below the other where several are."""
    found = list(_everything_called(name, registry, plugins))
    if found:
        first, *others = found
        return [*first, *(line for lines in others for line in ("", Verbatim("-" * 72), "", *lines))]
    raise UnknownNameError(
        f"nothing is called {quote(name, chr(39))}", suggestion=nearest(name, known_names(registry)),
        expected=f"what spfvar list {', '.join(KINDS[:-1])} or {KINDS[-1]} shows",
    )  # fmt: skip


def _everything_called(name: str, registry: Registry, plugins: Sequence[str]) -> Iterator[list[str]]:
    scenarios, profiles, races = catalogue.scenarios(), catalogue.hardware(), catalogue.races()
    if _is_race_file(name) or name in races.names():
        found = races.select([name])[0]
        yield race_lines(found, races[found], races.origin(found))
    elif name.endswith(".toml") or name in scenarios.names():
        found = scenarios.select([name])[0]
        yield scenario_lines(found, scenarios[found], scenarios.origin(found))
    if name in registry.twins:
        yield twin_lines(registry.twins[name], plugins)
    if name in registry.series:
        yield series_lines(registry.series[name], plugins)
    elif registry.has_variant(name):
        from spfvar.cli.show_brief import brief_lines
        from spfvar.cli.show_layout import memory_lines
        from spfvar.cli.show_variant import main_protocol, variant_lines

        variant = registry.tried(name)
        if is_verbose():
            yield [
                *variant_lines(variant, registry), "", *memory_lines(variant),
                *main_protocol(variant, registry, plugins),
            ]  # fmt: skip
        else:
            yield brief_lines(variant, registry, plugins)
    if name in HOOKS:
        yield hook_lines(name, registry)
    if name in profiles.names():
        yield profile_lines(name, profiles[name])
    if name in layouts():
        from spfvar.cli.show_layout import layout_lines

        yield layout_lines(name, layouts()[name])
    if name in VERBS or name in MEMORIES:
        from spfvar.cli.show_verb import memory_lines as start_lines
        from spfvar.cli.show_verb import verb_lines

        if name in VERBS:
            yield verb_lines(VERBS[name])
        if name in MEMORIES:
            yield start_lines(MEMORIES[name])
    yield from named_lines(name, registry)


def known_names(registry: Registry) -> list[str]:
    """Everything that can be shown by name."""
    groups = [
        catalogue.scenarios().names(), catalogue.races().names(), registry.variants, registry.series,
        registry.twins, catalogue.hardware().names(), layouts(), HOOKS, VERBS, MEMORIES,
        named(registry),
    ]  # fmt: skip
    return [one for group in groups for one in group]


def _is_race_file(name: str) -> bool:
    """Is it a TOML file that says it is a race?"""
    return name.endswith(".toml") and catalogue.kind_of(Path(name)) == "race"

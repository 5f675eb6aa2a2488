"""spfvar show."""

from __future__ import annotations

import inspect
import shutil
import sys
import textwrap
import tomllib
from pathlib import Path

import click

from spfvar.cli import completing, terminal
from spfvar.cli.options import plugin_option
from spfvar.cli.plugins import load, tell_problems
from spfvar.cli.show_race import race_lines, twin_lines
from spfvar.errors import InputError, UnknownNameError, nearest, quote
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import HOOKS
from spfvar.plugins.registry import Registry
from spfvar.plugins.series import Series, spans
from spfvar.report.paint import bold
from spfvar.scenario.hardware import Profile
from spfvar.scenario.schema import Axis, Region, Scenario, Statement
from spfvar.units import format_duration, format_percent, format_size


@click.command(name="show")
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
    help="Both variants' protocols, step against step; in two columns if the terminal is wide enough.",
)
@click.option(
    "--dot",
    "graph",
    is_flag=True,
    help="The automaton of one kind of fault, or of one writer, as Graphviz text.",
)
@plugin_option
def command(
    name: str,
    form: str,
    faults: tuple[str, ...],
    writers: tuple[str, ...],
    other: str | None,
    graph: bool,
    plugins: tuple[str, ...],
) -> None:
    """Explain a scenario, a race, a variant, a series, a broken twin, a hook point or a hardware profile.

    A variant's protocol is shown as an outline of each hook point, in kernel terms; behind a hook point's
    name stand the patches that implement it.

    \b
    Examples:
      spfvar show page-fault2
      spfvar show spf-do-fault
      spfvar show spf                          a series, patch by patch
      spfvar show 'spf~24'                     a stack of its patches
      spfvar show per-vma-6.12 --fault anon-write --writer munmap
      spfvar show per-vma-6.12 --diff per-vma-refcnt --fault file-read
      spfvar show spf-anon --fault anon-write --dot > spf-anon.dot
      spfvar show munmap-file
      spfvar show pte_map_lock
      spfvar show skylake-2s56c
      spfvar show pft --format toml > mine.toml
    """
    protocol = bool(faults or writers or other is not None or graph)
    if form == "toml":
        if protocol:
            raise InputError("a protocol is no scenario, race or profile", key="--format toml")
        click.echo(as_toml(name), nl=False)
        return
    registry = load(plugins)
    tell_problems(registry)
    if protocol:
        from spfvar.cli.show_variant import asked

        show_protocol(registry, name, asked(faults, writers), other, graph)
        return
    where = terminal.place(None)
    lines = explain(name, registry)
    texts = [wrapped(line, where.width) for line in lines]
    if where.colour:
        texts = [text if i and not is_heading(line) else bold(text)
                 for i, (line, text) in enumerate(zip(lines, texts, strict=True))]  # fmt: skip
    where.put("".join(f"{text}\n" for text in texts))


def show_protocol(
    registry: Registry, name: str, wanted: list[tuple[str, str]], other: str | None, graph: bool
) -> None:
    """Print a variant's protocol as asked for.  InputError for what is no variant."""
    from spfvar.cli.show_variant import MAIN_FAULTS, diff_lines, dot_text, protocol_lines

    variant = registry.tried(name)
    if graph:
        if other is not None:
            raise InputError("a graph shows one variant", key="--dot", expected="--dot or --diff, not both")
        click.echo(dot_text(variant, wanted), nl=False)
        return
    if other is not None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        main = [("fault", kind) for kind in MAIN_FAULTS]
        lines = diff_lines(variant, registry.tried(other), wanted or main, width)
    else:
        lines = protocol_lines(variant, wanted)
    click.echo("\n".join(lines))


def wrapped(line: str, width: int = terminal.WIDTH) -> str:
    """The line within ``width`` columns, continued two columns further in; a command stays in one line."""
    if line.startswith("Run: "):
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def is_heading(line: str) -> bool:
    """Does the line stand above a list?"""
    return line.endswith(":") and not line.startswith(" ")


def as_toml(name: str) -> str:
    """The file of a scenario, a race or a hardware profile."""
    profiles, races = catalogue.hardware(), catalogue.races()
    if name in races.names():
        return races.text(name)
    return profiles.text(name) if name in profiles.names() else catalogue.scenarios().text(name)


def explain(name: str, registry: Registry) -> list[str]:
    """Whatever is called ``name``, in lines."""
    scenarios, profiles, races = catalogue.scenarios(), catalogue.hardware(), catalogue.races()
    if name in races.names() or _is_race_file(name):
        name = races.select([name])[0]
        return race_lines(name, races[name], races.origin(name))
    if name in registry.twins:
        twin = registry.twins[name]
        return twin_lines(twin, twin.origin if registry.is_named(twin.origin) else "")
    if name.endswith(".toml") or name in scenarios.names():
        name = scenarios.select([name])[0]
        return scenario_lines(name, scenarios[name], scenarios.origin(name))
    if name in registry.series:
        return series_lines(registry.series[name])
    if registry.has_variant(name):
        from spfvar.cli.show_variant import main_protocol, variant_lines

        variant = registry.tried(name)
        return [*variant_lines(variant, registry), *main_protocol(variant)]
    if name in HOOKS:
        return hook_lines(name, registry)
    if name in profiles.names():
        return profile_lines(name, profiles[name])
    names = [
        scenarios.names(), races.names(), registry.variants, registry.series, registry.twins,
        profiles.names(), HOOKS,
    ]  # fmt: skip
    everything = [one for group in names for one in group]
    raise UnknownNameError(
        f"nothing is called {quote(name, chr(39))}", suggestion=nearest(name, everything),
        expected="what spfvar list variants, series, scenarios, races, twins, hooks or hardware shows",
    )  # fmt: skip


def _is_race_file(name: str) -> bool:
    """Is it a TOML file that says it is a race?"""
    if not name.endswith(".toml"):
        return False
    try:
        return tomllib.loads(Path(name).read_text(encoding="utf-8")).get("kind") == "race"
    except (OSError, ValueError):
        return False


def scenario_lines(name: str, scenario: Scenario, origin: str) -> list[str]:
    """A load: what it does, on which axes."""
    lines = [f"{name}: {scenario.title}", f"source: {scenario.source or 'none given'}", f"file: {origin}"]
    if scenario.description:
        lines += ["", *scenario.description.strip().splitlines()]
    lines += ["", "Axes (--set NAME=VALUE; threads also by --threads):"]
    for axis_name, axis in scenario.axes.items():
        lines += axis_lines(axis_name, axis)
    lines += ["", "Regions:", *(f"  {region_line(region)}" for region in scenario.region), "", "Threads:"]
    for group in scenario.group:
        times = "without end" if group.repeat == 0 else f"{group.repeat} times"
        lines.append(f"  {group.threads} x {group.name}, {times}:")
        lines += [f"    {statement_line(statement)}" for statement in group.program]
    if scenario.threshold:
        own = ", ".join(f"{name} {format_percent(share)}" for name, share in scenario.threshold.items())
        lines += ["", f"Differences up to these are noise: {own}."]
    measure = scenario.measure
    if measure.faults or measure.faults_per_thread:
        lines += ["", f"Measured: {measure.faults} + {measure.faults_per_thread} per thread faults, after "
                  f"{measure.warmup} + {measure.warmup_per_thread} per thread to warm up."]  # fmt: skip
    else:
        lines += ["", "Measured: the whole run, until every thread has ended."]
    return [*lines, "", f"Run: spfvar compare --scenario {name if origin == 'shipped' else origin}"]


def axis_lines(name: str, axis: Axis) -> list[str]:
    """An axis with its default values, and the published one."""
    values = ", ".join(str(value) for value in axis.values)
    published = f" (published: {axis.published})" if axis.published is not None else ""
    choices = f" of {', '.join(axis.choices)}" if axis.choices else ""
    plausible = f"; plausible: {axis.range[0]} to {axis.range[1]}" if axis.range is not None else ""
    return [f"  {name} = {values}{choices}{published}", f"      {axis.doc}{plausible}"]


_BACKING = {
    "anon": "anonymous memory",
    "file": "a file",
    "swap": "anonymous memory that is in swap",
}


def region_line(region: Region) -> str:
    """A region in words."""
    size = _literal(region.size, format_size)
    parts = [f"{region.name}: {size} of {_BACKING[region.backing]}"]
    parts.append(f"{region.sharing}, one per {region.per}")
    parts.append("mapped from the start" if region.mapped else "mapped by the program")
    if region.window is not None:
        parts.append(f"each thread goes through its own part, {_literal(region.window, format_size)} in view")
    if region.backing == "swap":
        parts.append(f"swap cache holds {region.cached}")
    if region.backing == "file":
        window = _literal(region.fault_around, format_size)
        parts.append(f"page cache holds {region.cached}, fault-around {window}")
    return "; ".join(parts)


def statement_line(statement: Statement) -> str:
    """A step of a program in words."""
    verb, target = statement.verb, getattr(statement, statement.verb)
    if verb == "touch":
        return f"{statement.access} every page of {target}"
    if verb == "mprotect":
        return f"mprotect {target} to {statement.prot}"
    if verb == "madvise":
        return f"madvise {target} {statement.advice}"
    if verb == "brk":
        return f"brk: {statement.change} {target}"
    if verb == "next":
        return f"go on to the next {target}"
    if verb == "compute":
        return f"compute for {_literal(target, format_duration)}"
    return f"{verb} {target}"


def _literal(value: object, spell: object) -> str:
    return str(value) if isinstance(value, str) else str(spell(value))  # type: ignore[operator]


def series_lines(series: Series) -> list[str]:
    """A series: its patches in order, what each needs, and what it is here."""
    lines = [f"{series.name}: {series.title}", f"kernel: {series.kernel}", f"source: {series.source}"]
    lines += ["", series.description] if series.description else []
    lines += ["", "Patches:"]
    for patch in series.patches:
        lines.append(f"  {patch.number:>3} {patch.title}")
        classes = [change.__name__ for change in patch.changes]
        classes += [f"{repair.__name__} (repair)" for repair in patch.repairs]
        what = [", ".join(classes) if classes else "no change here"]
        what += [patch.note] if patch.note else []
        what += [f"needs {spans(patch.needs)}"] if patch.needs else []
        lines.append(f"        {'; '.join(what)}")
    last = len(series.patches)
    example = f"{series.name}@{last // 2}"
    return [*lines, "", f"As a variant: {series.name}, {example}, '{series.name}~{last}'; "
            f"step by step: spfvar bisect {series.name}"]  # fmt: skip


def hook_lines(name: str, registry: Registry) -> list[str]:
    """A hook point: its contract, and which variants' patches implement it."""
    spec = HOOKS[name]
    users = [
        f"  {variant.name}: {', '.join(p.__name__ for p in variant.patches if hasattr(p, name))}"
        for variant in registry.variants.values()
        if any(hasattr(patch, name) for patch in variant.patches)
    ]
    signature = f"{name}({', '.join(inspect.signature(spec).parameters)})"
    doc = inspect.getdoc(spec) or ""
    return [signature, "", doc, "", "Implemented by:", *(users or ["  the core alone"])]


def profile_lines(name: str, profile: Profile) -> list[str]:
    """A hardware profile: the machine, and where its figures come from."""
    lines = [f"{name}: {profile.title}", f"source: {profile.source}"]
    if profile.description:
        lines += ["", *profile.description.strip().splitlines()]
    latency = profile.latency_ns
    lines += [
        "",
        f"{profile.sockets} sockets, {profile.cores} cores, {profile.cpus} CPUs; placement: {profile.place}",
        f"cache line transfer: {latency.core:g} ns within a core, {latency.cluster:g} within a cluster, "
        f"{latency.socket:g} within a socket, {latency.remote:g} across sockets",
        f"fitted: {', '.join(profile.fitted) or 'nothing'}",
    ]
    if profile.fidelity:
        lines.append(f"fidelity: {profile.fidelity}")
    return lines

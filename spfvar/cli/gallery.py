"""spfvar gallery."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spfvar.atomic import check_writable, write_atomically
from spfvar.cli import completing, terminal
from spfvar.cli.command import Command
from spfvar.cli.options import (
    draw_options,
    every_machine_option,
    jobs_option,
    plugin_option,
    race_option,
    reproduce,
    scenario_option,
    threads_option,
)
from spfvar.cli.own_files import tell_own
from spfvar.cli.plugins import exit_code, load, tell_problems
from spfvar.cli.storing import no_store_option, store_for
from spfvar.errors import InputError, reason
from spfvar.matrix import catalogue
from spfvar.matrix.plan import machine_patterns, machines_named

if TYPE_CHECKING:  # the simulator and the explorer: not before names are known to be good
    from spfvar.matrix.cases import Case
    from spfvar.matrix.wanted import Make
    from spfvar.pages.gallery import Known, Machine
    from spfvar.plugins.registry import Registry
    from spfvar.plugins.variant import Variant
    from spfvar.scenario.hardware import Profile
    from spfvar.scenario.race import Race
    from spfvar.store.database import Store

#: What a gallery's folder has a list of its files in; without it a folder that has files is somebody's own.
MANIFEST = "gallery.txt"
SOMETHING_FAILED = 1


@click.command(name="gallery", cls=Command)
@click.argument("folder", metavar="DIR")
@click.argument("variants", nargs=-1, metavar="[VARIANT]...", shell_complete=completing.variants)
@scenario_option("all")
@race_option("all")
@every_machine_option
@threads_option
@draw_options
@click.option("--no-races", is_flag=True, help="No races and no bugs.")
@jobs_option("Searches and cells")
@no_store_option
@plugin_option
def command(
    folder: str, variants: tuple[str, ...], scenarios: tuple[str, ...], races: tuple[str, ...],
    hardware: tuple[str, ...], threads: list[int], draws: int | None, seeds: int | None, seed: int,
    no_races: bool, jobs: int | None, no_store: bool, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Write a static site into DIR: designs x loads x machines as heat maps, races x designs, bugs.

    Each cell has a page, each race that breaks a design its trace with the state beside it.  What the store
    has is taken from it; the rest is computed, which for everything takes hours.  DIR is new, empty, or has
    an older gallery.

    \b
    Examples:
      spfvar gallery site
      spfvar gallery site spf-do-fault per-vma-6.12 --scenario 'file-*'
      spfvar gallery site --hardware skylake-2s56c --race 'munmap-*'
      spfvar gallery site --no-races --threads 1,16

    Exit codes: 0 written; 1 something could not be run; 2 bad input; 130 interrupted.
    """
    place = Path(folder)
    _check_folder(place)
    registry = load(plugins)
    there = catalogue.Known()
    there.races.select(races)
    machines = _machines(there.hardware, hardware)
    from spfvar.matrix.wanted import Wanted, planned

    wanted = Wanted(variants, scenarios, threads, {}, None, every=True)
    names, makers = planned(wanted, registry, there.scenarios, there.hardware, machines, seeds, seed, draws)
    tell_own(there.scenarios, scenarios, "--scenario")
    tell_own(there.races, races, "--race")
    _claim(place)
    line = reproduce(sys.argv[1:])
    with store_for("results", no_store) as store:
        found = _compared(names, registry, makers.values(), jobs, store)
        failed = any(machine.comparison.failures for machine in found)
        known = _known(registry, there.races, found, races, no_races, jobs, store, plugins, line)
    if sys.stderr.isatty():
        terminal.progress()
    tell_problems(registry)
    from spfvar.pages.gallery import gallery

    files = dict(gallery(known))
    _write(place, files)
    size = sum(len(text.encode()) for text in files.values())
    terminal.say(f"{place / 'index.html'}: {len(files)} files, {size / 1e6:.1f} MB")
    return exit_code(SOMETHING_FAILED if failed else 0, registry.problems)


def _machines(profiles: catalogue.Catalogue[Profile], given: Sequence[str]) -> list[str]:
    """The machines that options name, each once."""
    names = machines_named(profiles, given)
    for text in given:
        tell_own(profiles, machine_patterns(text), "--hardware")
    return names


def _compared(
    names: Sequence[str], registry: Registry, makers: Iterable[Make], jobs: int | None, store: Store | None
) -> list[Machine]:
    """Every design under every load, machine by machine."""
    from spfvar.matrix.compare import run_comparison, sound_plans
    from spfvar.pages.gallery import machine_of

    plans, stacks = sound_plans(names, registry, makers)
    found = []
    for plan in plans:
        told = partial(_told_cells, plan.hardware) if sys.stderr.isatty() else None
        comparison = run_comparison(plan, registry, jobs, told, stacks, store)
        found.append(machine_of(plan.hardware, plan.profile.title, comparison))
    return found


def _told_cells(machine: str, done: int, total: int) -> None:
    terminal.progress(f"{machine}: {done} of {total} cells")


def _known(
    registry: Registry, there: catalogue.Catalogue[Race], machines: Sequence[Machine], races: Sequence[str],
    no_races: bool, jobs: int | None, store: Store | None, plugins: Sequence[str], line: str,
) -> Known:  # fmt: skip
    """The designs of the machines in all races, and the bugs of these designs."""
    from spfvar.explore.options import Options
    from spfvar.matrix.cases import Case
    from spfvar.matrix.check import Checked, run_checks, runnable
    from spfvar.matrix.first_bad import FirstBad, first_bad_patches
    from spfvar.pages.gallery import Known
    from spfvar.render.again import Files

    plan = machines[0].comparison.plan
    loads = [item for machine in machines for item in machine.comparison.plan.scenarios.items()]
    titles = {name: load.title for name, load in loads}
    designs = tuple(plan.variants)
    checked: list[Checked] = []
    twins: list[Checked] = []
    firsts: dict[str, FirstBad] = {}
    if not no_races:
        progress = partial(_told_races, "races") if sys.stderr.isatty() else None
        both = [(registry.as_posted(one), one) if one.repairs else (one,) for one in designs]
        names = there.select(races)
        cases = [Case(form, name, there[name]) for name in names for forms in both for form in forms]
        cases, stacks = runnable(cases, registry)
        checked = run_checks(cases, Options(), jobs, progress, stacks, store=store)
        bugs = _bugs(designs, registry, there, races)
        bugs, stacks = runnable(bugs, registry)
        twins = run_checks(bugs, Options(), jobs, progress, stacks, store=store)
        progress = partial(_told_races, "bugs in prefixes of a series") if sys.stderr.isatty() else None
        broken = [
            one.case for one in twins if one.verdict.findings and one.case.variant.name == one.case.twin
        ]
        firsts = first_bad_patches(broken, registry, jobs, progress, store)
    files = Files(plugins, {name: str(path) for name, path in there.own().items()})
    return Known(designs, tuple(machines), titles, checked, twins, registry.twins, firsts, line, files)


def _bugs(
    designs: Sequence[Variant], registry: Registry, there: catalogue.Catalogue[Race], races: Sequence[str]
) -> list[Case]:
    """The twins of these designs, on these races (none: all)."""
    from spfvar.matrix.cases import make_cases

    names, chosen = {design.name for design in designs}, there.select(races)
    wanted = [
        twin.name
        for twin in registry.twins.values()
        if twin.fixed in names and (not races or Path(twin.race).stem in chosen)
    ]
    return make_cases(registry, there, wanted, (), twins=True) if wanted else []


def _told_races(what: str, done: int, total: int, _rate: float) -> None:
    terminal.progress(f"{what}: {done} of {total}")


def _check_folder(place: Path) -> None:
    """Refuse what is no folder, and a folder with files that no gallery wrote."""
    if place.exists() and not place.is_dir():
        raise InputError("is a file", file=str(place), expected="a folder, new, empty or of a gallery")
    if place.is_dir() and not (place / MANIFEST).exists() and any(place.iterdir()):
        raise InputError("has files that no gallery wrote", file=str(place), expected="a new or empty folder")


def _claim(place: Path) -> None:
    """Make the folder, and refuse one that cannot be written: before hours of computing."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be made: {reason(error)}", file=str(place)) from None
    check_writable(place / MANIFEST)


def _write(place: Path, files: dict[str, str]) -> None:
    """Write the site, and take away what an older one had and this one has not.

    The list of files comes first, with the older ones: what is interrupted is a gallery's folder still.
    """
    manifest = place / MANIFEST
    try:
        older = manifest.read_text(encoding="utf-8").splitlines() if manifest.exists() else []
        _list(manifest, {*older, *files})
        for name in older:
            if name not in files and ".." not in name and not name.startswith("/"):
                (place / name).unlink(missing_ok=True)
        for name, text in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place / name, text)
    except OSError as error:
        raise InputError(f"cannot be written: {reason(error)}", file=str(place)) from None
    _list(manifest, files)


def _list(manifest: Path, names: Iterable[str]) -> None:
    write_atomically(manifest, "\n".join(sorted(names)) + "\n")

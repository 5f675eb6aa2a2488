"""spfvar hunt."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spfvar import units
from spfvar.atomic import write_atomically
from spfvar.cli import completing, terminal
from spfvar.cli.bounds import memory_of, memory_option
from spfvar.cli.clusters import cluster_options, executor_for
from spfvar.cli.command import Command
from spfvar.cli.options import blame, format_option, jobs_option, output_option, plugin_option, reproduce
from spfvar.cli.plugins import load, tell_problems
from spfvar.cli.storing import no_store_option, store_for
from spfvar.errors import InputError

if TYPE_CHECKING:
    from spfvar.matrix.hunting import Hunted, Plan
    from spfvar.scenario.race import Race

VIOLATED = 1
INCOMPLETE = 3
FORMS = ("table", "markdown", "json")


@click.command(name="hunt", cls=Command)
@click.argument("variants", nargs=-1, metavar="[VARIANT]...", shell_complete=completing.checkable)
@click.option("--size", type=int, default=2, show_default=True, help="Statements in all, at most.")
@click.option("--actors", default="2", show_default=True, metavar="2,3", help="Threads.")
@click.option("--verbs", metavar="VERB[,VERB]...", help="Statements to take.  [default: all]")
@click.option("--start", "memories", multiple=True, metavar="NAME|GLOB", help="Where to start; repeatable.")
@click.option("--seconds", type=float, metavar="S", help="Time for each variant.  [default: all races]")
@click.option(
    "--races", type=int, metavar="N", help="So many races of each variant are enough.  [default: all]"
)
@click.option(
    "--seed", type=int, metavar="S", help="A random order, for a budget.  [default: smallest first]"
)
@click.option("--against", metavar="FIXED", help="Leave out what breaks that variant, too.")
@click.option(
    "--save", metavar="DIR", shell_complete=completing.files, help="Write what was found there, as races."
)
@click.option(
    "--resume",
    metavar="FILE",
    shell_complete=completing.files,
    help="Keep what has been done there, and go on where it ends.",
)
@memory_option
@jobs_option("Processes")
@cluster_options
@no_store_option
@format_option(FORMS)
@output_option
@plugin_option
def command(
    variants: tuple[str, ...], size: int, actors: str, verbs: str | None, memories: tuple[str, ...],
    seconds: float | None, races: int | None, seed: int | None, against: str | None, save: str | None,
    resume: str | None, model: str, jobs: int | None, on: str | None, dask: bool, no_store: bool, form: str,
    output: str | None, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Generate small races, smallest first, and explore each: what breaks that no race here is about?

    A race is a memory and two or more threads of a few statements; each is a program that processes could
    run.  What breaks is made smaller while it breaks in the same way, and told once for each cause.

    \b
    Examples:
      spfvar hunt spf-do-fault
      spfvar hunt my-idea --plugin my_idea.py --size 3 --seconds 60
      spfvar hunt per-vma-6.12 --start neighbours --save found
      spfvar hunt v1@per-vma-6.12 --against per-vma-6.12
      spfvar hunt spf-anon --size 3 --actors 2,3 --verbs load,store,munmap
      spfvar hunt my-idea --plugin my_idea.py --size 4 --seed 1 --races 5000
      spfvar hunt my-idea --plugin my_idea.py --size 4 --seed 1 --resume mine.hunt
      spfvar hunt my-idea --plugin my_idea.py --memory lkmm

    Exit codes: 0 nothing broke, and every race was searched, or as many as --races wants; 1 a violation;
    3 nothing broke, but time or memory ran out; 2 bad input; 130 interrupted.
    """
    from spfvar.matrix.huntfile import HuntFile
    from spfvar.matrix.hunting import plan_of, run_hunt
    from spfvar.plugins.chosen import usable
    from spfvar.render import hunts
    from spfvar.render.paint import judged

    registry = load(plugins)
    names = usable(registry, variants)
    fixed = registry.tried(against) if against is not None else None
    plan = plan_of(size, actors_of(actors), verbs_of(verbs), memories, seconds, seed, races, memory_of(model))
    tell_problems(registry)
    kept = None
    if resume is not None:
        kept = HuntFile(resume, plan, [registry.tried(name) for name in names], fixed)
        kept.write()  # or nobody would know until the end that it cannot be
    results = []
    with executor_for(on, dask, jobs, plugins) as executor, store_for("slices", no_store) as store:
        for name in names:
            variant = registry.tried(name)
            tally = kept.tally(variant) if kept is not None else None
            write = kept.write if kept is not None else None
            with _progress(name, plan) as progress:
                results.append(
                    run_hunt(variant, plan, fixed, progress, jobs, plugins, tally, write, store, executor)
                )
    where = terminal.place(output, form)
    line = reproduce(sys.argv[1:])
    if form == "json":
        text = hunts.render_json(results)
    elif form == "markdown":
        text = hunts.render_markdown(results, line)
    else:
        text = hunts.render_text(results, line, where.width, judged if where.colour else str)
    where.put(text)
    if save is not None:
        _save(results, Path(save))
    if any(one.findings for one in results):
        return VIOLATED
    return 0 if all(one.complete for one in results) and not registry.problems else INCOMPLETE


def actors_of(text: str) -> list[int]:
    """Numbers of threads as --actors gives them."""
    with blame("--actors"):
        return units.parse_threads(text)


def verbs_of(text: str | None) -> list[str]:
    """Verbs as --verbs gives them; none given: none."""
    return text.split(",") if text else []


def _save(results: Sequence[Hunted], folder: Path) -> None:
    """Each finding as a file that ``spfvar check --race`` takes."""
    races = {f"{one.variant}-{finding.name}": finding.race for one in results for finding in one.findings}
    save_races(races, folder)


def save_races(races: Mapping[str, Race], folder: Path) -> None:
    """Races by name as files.  Raises InputError."""
    import toml

    from spfvar.generator.reduce import as_tables

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            str(error.strerror), file=str(folder), key="--save", expected="a directory"
        ) from None
    for name, race in races.items():
        write_atomically(str(folder / f"{name.replace('@', '-')}.toml"), toml.dumps(as_tables(race)))


@contextmanager
def _progress(name: str, plan: Plan) -> Iterator[Callable[[int, int, int, float], None] | None]:
    """Races, their rate, and the time left; on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    terminal.progress(f"hunting in {name}")
    last = 0.0

    def report(races: int, done: int, total: int, seconds: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 0.2 and done < total:
            return
        last = now
        rate = races / seconds if seconds else 0.0
        ends = [seconds / done * (total - done) if done else 0.0, plan.seconds - seconds]
        ends += [(plan.races - races) / rate] if rate else []
        left = max(0.0, min(ends))
        terminal.progress(f"hunting in {name}: {races} races, {rate:.0f}/s, {left:.0f} s left")

    try:
        yield report
    finally:
        terminal.progress()

"""spfvar ablate."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spfvar.atomic import check_writable
from spfvar.cli import completing, terminal
from spfvar.cli.bounds import bound_options, memory_of, memory_option, search_options
from spfvar.cli.check import INCOMPLETE
from spfvar.cli.command import Command
from spfvar.cli.hunt import actors_of, save_races, verbs_of
from spfvar.cli.options import (
    format_option,
    jobs_option,
    output_option,
    plugin_option,
    race_option,
    reproduce,
)
from spfvar.cli.own_files import tell_own
from spfvar.cli.plugins import load
from spfvar.errors import InputError
from spfvar.matrix import catalogue

if TYPE_CHECKING:  # completion must not wait for the explorer
    from spfvar.matrix.ablate import Ablated, Progress
    from spfvar.scenario.race import Race

FORMS = ("table", "markdown", "mail", "json")
BROKEN = 1


@click.command(name="ablate", cls=Command)
@click.argument("variant", shell_complete=completing.variants)
@race_option("all")
@click.option("--core", is_flag=True, help="Also the guards of the paths that all variants share.")
@click.option(
    "--all", "every", is_flag=True, help="List the guards of the core's own texts in its stack, too."
)
@click.option("--hunt", is_flag=True, help="Go on with generated races where no race here needs a guard.")
@click.option("--size", type=int, help="Of these: statements in all, at most.  [default: 2]")
@click.option("--actors", metavar="2,3", help="Of these: threads.  [default: 2]")
@click.option("--verbs", metavar="VERB[,VERB]...", help="Of these: statements to take.  [default: all]")
@click.option(
    "--start", "memories", multiple=True, metavar="NAME|GLOB", help="Of these: where to start; repeatable."
)
@click.option("--seconds", type=float, metavar="S", help="Time for them.  [default: all races]")
@click.option("--seed", type=int, metavar="S", help="Take them in a random order.  [default: smallest first]")
@click.option(
    "--save",
    metavar="DIR",
    shell_complete=completing.files,
    help="Write those that a guard is needed in there.",
)
@bound_options
@memory_option
@click.option(
    "--barriers", is_flag=True, help="With --memory lkmm: barriers, orders and dependencies, no other guards."
)
@jobs_option("Searches")
@format_option(FORMS)
@output_option
@plugin_option
def command(
    variant: str, races: tuple[str, ...], core: bool, every: bool, hunt: bool, size: int | None,
    actors: str | None, verbs: str | None, memories: tuple[str, ...], seconds: float | None, seed: int | None,
    save: str | None, max_states: int, memory: str | None, timeout: str | None, model: str, barriers: bool,
    jobs: int | None, form: str, output: str | None, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Take every guard of a VARIANT out in turn; say which race breaks without it.

    Guards are sections (RCU, interrupts off, locks, references, writers' counts), checks of what others
    may have changed, trylocks, grace periods, IPIs, waits, and what writers leave for readers.  Each is taken
    out everywhere, and in one of its function's callers at a time.  Listed are those of the variant's own
    texts; JSON has all.  --hunt goes on with the races of spfvar hunt.  With --memory lkmm, smp_rmb and the
    like, acquire, release and full orders, and address dependencies are guards, too.

    \b
    Examples:
      spfvar ablate spf-do-fault
      spfvar ablate per-vma-6.12 --race 'munmap-*' --format mail
      spfvar ablate per-vma-6.12 --all       those of v6.12's khugepaged, too
      spfvar ablate mmap-lock                the guards of the core itself
      spfvar ablate per-vma-6.12 --hunt --start neighbours --save found
      spfvar ablate my-idea --plugin my_idea.py
      spfvar ablate per-vma-6.12 --memory lkmm --barriers    what each one is for

    Exit codes: 0 every search was complete; 1 a race breaks with every guard in place; 3 a search was
    incomplete; 2 bad input; 130 interrupted.
    """
    if output is not None:
        check_writable(output)
    weak = memory_of(model)
    if barriers and weak == "sc":
        raise InputError("barriers guard nothing there", key="--barriers", expected="--memory lkmm with it")
    if hunt and weak != "sc":
        raise InputError(
            "generated races are not searched without a guard under weak memory",
            key="--hunt",
            expected="--memory sc, or no --hunt",
        )
    plan = None
    if hunt:
        from spfvar.matrix.hunting import plan_of

        actor_counts = actors_of(actors or "2")
        plan = plan_of(2 if size is None else size, actor_counts, verbs_of(verbs), memories, seconds, seed)
    else:
        _refuse(size=size, actors=actors, verbs=verbs, start=memories, seconds=seconds, seed=seed, save=save)
    registry = load(plugins)
    known = catalogue.races()
    chosen = {name: known[name] for name in known.select(races)}
    tell_own(known, races, "--race")
    subject = registry.tried(variant)
    from spfvar.matrix.ablate import ablate  # the explorer: not before the names are known to be good

    options = search_options(max_states, memory, timeout)
    with _progress() as progress:
        found = ablate(subject, chosen, core, options, jobs, progress, weak, barriers)
        if plan is not None:
            from spfvar.matrix.guard_hunt import hunt_guards

            found = hunt_guards(subject, found, plan, core, progress)
    where = terminal.place(output, form)
    where.put(render(variant, found, form, where, every or core))
    if save is not None:
        _save(found, variant, Path(save))
    return BROKEN if found.broken else INCOMPLETE if found.open else 0


def _refuse(**options: object) -> None:
    """Options that say how to hunt, without --hunt."""
    for name, value in options.items():
        if value not in (None, ()):
            raise InputError("nothing is hunted", key=f"--{name}", expected="--hunt with it")


def _save(found: Ablated, variant: str, folder: Path) -> None:
    """Each generated race that a guard is needed in, as a file that --race takes; equal ones once."""
    from spfvar.generator.findings import name_of

    races: list[Race] = []
    for ablation in (*found.guards, *found.uses):
        needed = ablation.hunted.needed if ablation.hunted is not None else None
        if needed is not None and needed.race not in races:
            races.append(needed.race)
    taken: set[str] = set()
    save_races({f"{variant}-{name_of(race, taken)}": race for race in races}, folder)


def render(variant: str, found: Ablated, form: str, where: terminal.Place, every: bool) -> str:
    """The guards in one of the forms; ``every``: those of the core's texts too, which JSON has anyway."""
    from spfvar.render import ablation
    from spfvar.render.paint import judged

    command_line = reproduce(sys.argv[1:])
    if form == "json":
        return ablation.render_json(variant, found)
    if form == "mail":
        return ablation.render_mail(variant, found, command_line, every)
    if form == "markdown":
        return ablation.render_markdown(variant, found, command_line, every)
    paint = judged if where.colour else str
    return ablation.render_text(variant, found, command_line, where.width, paint, every)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Finished searches, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    began = {"": time.monotonic()}

    def report(what: str, done: int, total: int) -> None:
        started = began.setdefault(what, time.monotonic())
        left = (time.monotonic() - started) / done * (total - done)
        terminal.progress(f"{what} {done}/{total}  {left:.0f} s left")

    try:
        yield report
    finally:
        terminal.progress()

"""spfvar why."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from spfvar.atomic import check_writable, write_atomically
from spfvar.cli import completing, terminal
from spfvar.cli.command import Command
from spfvar.cli.options import (
    blame,
    format_option,
    hardware_option,
    output_option,
    plugin_option,
    reproduce,
    scenario_option,
    set_option,
    threads_option,
)
from spfvar.cli.own_files import tell_own
from spfvar.cli.plugins import exit_code, load, tell_problems
from spfvar.cli.waiting import doing
from spfvar.errors import InputError
from spfvar.matrix import catalogue

FORMS = ("table", "markdown", "json")
#: A timeline that is longer has more than a viewer can take (us).
LONGEST_SPAN = 1_000_000.0


@click.command(name="why", cls=Command)
@click.argument("variant", shell_complete=completing.variants)
@scenario_option("none: exactly one has to be given")
@threads_option
@click.option(
    "--against",
    metavar="VARIANT",
    shell_complete=completing.variants,
    help="Say what is different from this one, largest first.",
)
@hardware_option
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the run.")
@set_option
@click.option("--all", "every", is_flag=True, help="Every step, line and difference, however small.")
@format_option(FORMS)
@output_option
@click.option(
    "--folded",
    metavar="FILE",
    shell_complete=completing.files,
    help="Write folded stacks there, for flame graphs.",
)
@click.option(
    "--trace",
    metavar="FILE.json",
    shell_complete=completing.files,
    help="Write a timeline there, in Chrome's trace format (for Perfetto).",
)
@click.option(
    "--trace-us",
    type=float,
    default=50.0,
    show_default=True,
    metavar="US",
    help="How much of the measured time, from its begin, the timeline has.",
)
@plugin_option
def command(
    variant: str, scenarios: tuple[str, ...], threads: list[int], against: str | None, hardware: str,
    seed: int, settings: dict[str, list[str]], every: bool, form: str, output: str | None,
    folded: str | None, trace: str | None, trace_us: float, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Where the time of a simulated fault goes: by step, cache line, lock and second try.

    One load at one number of threads (its most, unless given), one seed.  The times are means in ns, and add
    up to the mean latency.  With --against: what another variant's faults spend more or less time on.

    \b
    Examples:
      spfvar why mmap-lock --scenario pft --threads 16
      spfvar why spf@23 --scenario file-cow --threads 16 --against mmap-lock
      spfvar why per-vma-6.12 --scenario pft --hardware rome-2s128c
      spfvar why mmap-lock --scenario pft --threads 8 --folded pft.folded
      spfvar why mmap-lock --scenario mmap-churn --trace t.json --trace-us 200
      spfvar why my-idea --plugin my_idea.py --scenario pft --format json

    Exit codes: 0 done; 1 the run broke; 2 bad input; 130 interrupted.
    """
    if len(scenarios) != 1:
        given = "no load is" if not scenarios else f"{len(scenarios)} loads are"
        raise InputError(f"{given} given", key="--scenario", expected="one of `spfvar list scenarios`")
    if len(threads) > 1:
        raise InputError(f"{len(threads)} thread counts are given", key="--threads", expected="one")
    if not 0.0 < trace_us <= LONGEST_SPAN:
        raise InputError(
            f"{trace_us:g} us", key="--trace-us", expected=f"more than 0, at most {LONGEST_SPAN:.0f}"
        )
    _check_places(output, folded, trace)
    known, profiles = catalogue.scenarios(), catalogue.hardware()
    with blame("--scenario"):
        names = known.select(scenarios)
    registry = load(plugins)
    for one in filter(None, [variant, against]):
        registry.any_variant(one)
    profiles.select([hardware])
    tell_own(known, scenarios, "--scenario")
    tell_own(profiles, [hardware], "--hardware")
    from spfvar.matrix.why import (
        run_why,
        why_plan,
    )  # the simulator: not before the names are known to be good
    from spfvar.render.chrome import to_chrome
    from spfvar.render.flames import to_folded
    from spfvar.render.why import render_why

    plan, stacks = why_plan(
        registry, known, profiles, variant, names[0] if len(names) == 1 else scenarios[0],
        threads=threads[0] if threads else None, against=against, hardware=hardware, seed=seed,
        settings=settings,
    )  # fmt: skip
    tell_problems(registry)
    with _progress() as progress:
        why = run_why(plan, stacks, trace_us * 1000.0 if trace is not None else None, progress)
    where = terminal.place(output, form)
    text = render_why(why, form, reproduce(sys.argv[1:]), where.width, every)
    if folded is not None:
        write_atomically(folded, to_folded(why.breakdown))
    if trace is not None:
        assert why.timeline is not None
        title = (
            f"{variant} in {plan.cells[0].load.scenario}, {why.breakdown.threads} threads, {plan.hardware}"
        )
        write_atomically(trace, to_chrome(why.timeline, title))
        if why.timeline.span < why.timeline.asked:
            shown = f"{why.timeline.span / 1000:.0f} of {why.timeline.asked / 1000:.0f} us"
            terminal.say(f"spfvar: the timeline has {shown}: more events than it can hold", error=True)
    where.put(text)
    return exit_code(0, registry.problems)


def _check_places(*paths: str | None) -> None:
    """Refuse now what could not be written later, and two results in one file."""
    options = ("--output", "--folded", "--trace")
    seen: dict[str, str] = {}
    for path, option in zip(paths, options, strict=True):
        if path is None:
            continue
        check_writable(path)
        real = os.path.realpath(path)
        if real in seen:
            raise InputError(f"names the same file as {seen[real]}", key=option)
        seen[real] = option


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What is being done, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    def report(what: str) -> None:
        terminal.progress(doing(what, "simulate", "engine.run_recorded"))

    try:
        yield report
    finally:
        terminal.progress()

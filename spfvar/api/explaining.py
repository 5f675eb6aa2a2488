"""Where a fault's time goes, and how far the model is off what was published."""

from __future__ import annotations

from dataclasses import dataclass

from spfvar.api.arguments import (
    Axes,
    Hardware,
    Inputs,
    Names,
    Scenarios,
    assignments,
    command,
    settings,
    spelled,
    texts,
    verb,
)
from spfvar.api.frames import Answer
from spfvar.api.progress import counting, telling
from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.matrix.plan import DEFAULT_HARDWARE, MAX_SEEDS
from spfvar.matrix.why import Why, run_why, why_plan
from spfvar.plugins.variant import Variant
from spfvar.render import validation
from spfvar.render.why import render_why
from spfvar.shown import preformatted
from spfvar.validation.points import load_rows
from spfvar.validation.run import discrepancies, run_rows
from spfvar.validation.scores import score


@dataclass(frozen=True)
class WhyAnswer(Why):
    """Where the time goes, which can be looked at; ``line``: the command line that says the same."""

    line: str = ""

    def text(self, every: bool = False) -> str:
        """What the command line prints, 80 columns; ``every``: no table is cut."""
        return render_why(self, "table", self.line, every=every)

    def _repr_html_(self) -> str:
        return preformatted(self.text())


@verb
def why(
    variant: str | Variant,
    scenario: Scenarios,
    *,
    threads: int | None = None,
    against: str | Variant | None = None,
    hardware: Hardware = DEFAULT_HARDWARE,
    seed: int = 1,
    axes: Axes | None = None,
    span: float | None = None,
    plugins: Names = (),
    progress: bool = False,
) -> WhyAnswer:
    """Record one cell: where the time of its faults goes, and with ``against`` what is different there.

    ``threads``: without it the load's most.  ``span``: so many ns of the measured time become a timeline.
    Returns the answer: ``breakdown`` with faults and writers' calls by step, line, lock, server and given-up
    try, ``differences``, and as frames ``steps``, ``lines`` and ``locks``.  Raises InputError for what makes
    no sense.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.why("mmap-lock", "pft", threads=16).steps.nlargest(5, "ns")  # doctest: +SKIP
    """
    given = Inputs(plugins)
    loads = given.scenarios(scenario)
    if len(loads) != 1:
        raise InputError(f"{len(loads)} loads are given", key="scenario", expected="one")
    name, other = given.variant(variant), None if against is None else given.variant(against)
    machine, values = given.hardware(hardware), settings(axes)
    plan, stacks = why_plan(
        given.registry, given.known.scenarios, given.known.hardware, name, loads[0], threads=threads,
        against=other, hardware=machine, seed=seed, settings=values,
    )  # fmt: skip
    given.warn()
    with telling(progress) as told:
        found = run_why(plan, stacks, span, (lambda what: told(what, 0, 1)) if told else lambda _: None)
    line = command(
        "why", [name], scenario=loads, threads=threads, against=other, set=assignments(values),
        hardware=machine if machine != DEFAULT_HARDWARE else None, seed=seed if seed != 1 else None,
        plugin=given.plugins,
    )  # fmt: skip
    return WhyAnswer(**vars(found), line=spelled(line))


@verb
def validate(
    *rows: str,
    files: Names = (),
    seeds: int = 2,
    jobs: int | None = None,
    plugins: Names = (),
    progress: bool = False,
) -> Answer:
    """Hold the model against published measurements, number by number.

    ``rows``: tables of published measurements by name or glob (none: all); ``files``: your own instead of
    those shipped.  Returns a frame, one row per published number, with the keys of
    ``spfvar validate --format json``: row, kind, load, threads, published, model, low, high, ...  Raises
    InputError for what makes no sense.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.validate("S3")  # doctest: +SKIP
    """
    if not 1 <= seeds <= MAX_SEEDS:
        raise InputError(f"{seeds} seeds", key="seeds", expected=f"1 to {MAX_SEEDS}")
    given = Inputs(plugins)
    published, profiles = catalogue.published(), given.known.hardware
    chosen = load_rows(published, texts(files), rows)
    given.warn()
    with telling(progress) as told:
        figures = run_rows(
            chosen, published, given.registry, given.known.scenarios, profiles, seeds, jobs,
            counting(told, "simulating"),
        )  # fmt: skip
    scored = score(chosen, figures, discrepancies(chosen, profiles))
    line = spelled(command("validate", rows, rows=texts(files), plugin=given.plugins,
                           seeds=seeds if seeds != 2 else None))  # fmt: skip
    return Answer(
        [validation.entry(chosen, one) for one in scored],
        lambda: validation.render_text(chosen, scored, line),
    )

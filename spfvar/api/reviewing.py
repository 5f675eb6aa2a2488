"""Reviews: made, and read from a file."""

from __future__ import annotations

import math

from spfvar.api.arguments import (
    Axes,
    Hardware,
    Inputs,
    Name,
    Names,
    Numbers,
    Races,
    Scenarios,
    Variants,
    assignments,
    bounds,
    command,
    kept,
    numbers,
    settings,
    spelled,
    texts,
    verb,
)
from spfvar.api.progress import telling
from spfvar.automata.weaken import Memory, memory_named
from spfvar.errors import InputError
from spfvar.explore.options import MAX_STATES, bounded
from spfvar.matrix.plan import DEFAULT_HARDWARE
from spfvar.plugins.variant import Variant
from spfvar.review import reviewfile
from spfvar.review.build import make_review, make_scope
from spfvar.review.kept import kept_review
from spfvar.review.model import Review
from spfvar.review.patchmail import load_patches
from spfvar.review.stack import subject_of
from spfvar.review.underway import in_one_line

#: Generated races that a review has by default.
GENERATED = 2000


@verb
def report(
    variant: str | Variant,
    *,
    against: Variants = (),
    patch: Name | None = None,
    number: int | None = None,
    scenarios: Scenarios = (),
    races: Races = (),
    questions: Names = (),
    generated: int = GENERATED,
    threads: Numbers = (),
    hardware: Hardware = DEFAULT_HARDWARE,
    axes: Axes | None = None,
    draws: int | None = None,
    seeds: int | None = None,
    seed: int = 1,
    max_states: int = MAX_STATES,
    max_memory: int | None = None,
    seconds: float = math.inf,
    memory: Memory = "sc",
    jobs: int | None = None,
    plugins: Names = (),
    store: bool = True,
    progress: bool = False,
) -> Review:
    """Review a variant: is it safe, where is it worth it, who pays?

    One run of compare, check, hunt and ablate, and a search for what would flip the result.  ``against``:
    compare with these, beside the baseline (none: those that the variant names).  ``patch`` is the file of
    the patch that it models, ``number`` that one of several.  ``generated``: search so many generated races;
    0: none.  Cells are run with ``draws`` of the machine's figures, or with ``seeds`` (of neither: as compare
    does).  Returns the review: ``verdict``, ``safety``, ``speed``, ``sensitivity``, ``questions`` and so on
    as data, and ``mail()``, ``markdown()``, ``html()`` and ``json()`` as text.  ``store``: take what was
    computed before, and keep the rest.  Raises InputError for what makes no sense.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.report("spf-do-fault", patch="24.patch").verdict.safe  # doctest: +SKIP
    """
    if generated < 0:
        raise InputError(f"{generated} races", key="generated", expected="0 or more")
    if number is not None and patch is None:
        raise InputError("there is no patch to choose", key="number", expected="patch as well")
    search, model = bounded(max_states, max_memory, seconds), memory_named(memory)
    patches = load_patches(texts(patch)[0]) if patch is not None else ()
    given = Inputs(plugins)
    subject, others = given.variant(variant), given.variants(against)
    loads, some_races, machine = given.scenarios(scenarios), given.races(races), given.hardware(hardware)
    rivals, chosen = subject_of(given.registry, subject, others, patches, number)
    given.warn()
    asked, values = texts(questions), settings(axes)
    scope = make_scope(
        given.registry, subject, against=rivals, patch=chosen, loads=loads, races=some_races, asked=asked,
        threads=numbers(threads), hardware=machine, settings=values, draws=draws, seeds=seeds, seed=seed,
        bounds=search, generated=generated, plugins=given.plugins, memory=model, known=given.known,
    )  # fmt: skip
    line = spelled(command(
        "report", [subject], against=others, patch=None if patch is None else texts(patch)[0], number=number,
        scenario=loads, race=some_races, questions=asked,
        generated=generated if generated != GENERATED else None, threads=numbers(threads),
        hardware=machine if machine != DEFAULT_HARDWARE else None, set=assignments(values),
        draws=draws, seeds=seeds, seed=seed if seed != 1 else None,
        **bounds(max_states, max_memory, seconds),
        memory=model if model != "sc" else None, plugin=given.plugins,
    ))  # fmt: skip
    with kept(store) as results, telling(progress) as told:
        return kept_review(
            results, scope, line,
            lambda: make_review(
                given.registry, scope, line, jobs, in_one_line(told) if told else None, results
            ),
        )  # fmt: skip


@verb
def load_review(file: Name) -> Review:
    """A review that `spfvar.save` or ``report --save`` wrote.  Raises InputError for a file that is none."""
    return reviewfile.load_review(texts(file)[0])

"""Checks as frames, and the paths that they found step by step."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from spfvar.api.arguments import (
    Inputs,
    Name,
    Names,
    Races,
    bounds,
    cluster,
    command,
    kept,
    spelled,
    texts,
    verb,
    whole,
)
from spfvar.api.frames import Answer
from spfvar.api.progress import counting, telling
from spfvar.automata.weaken import Memory, memory_named
from spfvar.errors import InputError
from spfvar.explore.options import MAX_STATES, bounded
from spfvar.explore.replay import Replay
from spfvar.explore.tokens import parse
from spfvar.explore.verdict import VIOLATION
from spfvar.explore.walked import walk_options
from spfvar.matrix.cases import make_cases
from spfvar.matrix.check import Checked, check_all, runnable
from spfvar.matrix.replaying import replay_token
from spfvar.matrix.saved import load_saved
from spfvar.matrix.scopes import parse_counts
from spfvar.plugins.chosen import usable
from spfvar.plugins.variant import Variant
from spfvar.render.replays import render_replay
from spfvar.render.verdicts import render_text
from spfvar.shown import preformatted


class CheckFrame(Answer):
    """A row per variant and race: verdict ("safe", "violation", "incomplete"), property, states, ...

    ``results``: the verdicts themselves, which `spfvar.save` writes.
    """

    _metadata = ["_told", "_results"]  # noqa: RUF012  # pandas' own way

    def __init__(self, results: Sequence[Checked], line: str, replay: str) -> None:
        super().__init__(_rows(results), lambda: render_text(results, line, replay))
        self._results = tuple(results)

    @property
    def results(self) -> Sequence[Checked]:
        """Cases with their verdicts."""
        return self._results

    @property
    def violations(self) -> pd.DataFrame:
        """The rows of those that break."""
        return pd.DataFrame(self[self["verdict"] == VIOLATION])


@verb
def check(
    *variants: str | Variant,
    races: Races = (),
    twins: bool = False,
    memory: Memory = "sc",
    max_states: int = MAX_STATES,
    max_memory: int | None = None,
    seconds: float = math.inf,
    every: bool = False,
    walk: int = 0,
    seed: int = 1,
    counts: Mapping[str, int] | None = None,
    jobs: int | None = None,
    plugins: Names = (),
    on: str | None = None,
    store: bool = True,
    progress: bool = False,
) -> CheckFrame:
    """Explore every interleaving of races (none given: all) under variants (none: all).

    Variants and races may be objects, too.  Returns a frame, one row per variant and race: verdict ("safe",
    "violation", "incomplete"), property, states, transitions, depth, seconds, why, vacuous, token, and trace
    (a `spfvar.explore.trace.Trace`, or None); with ``twins`` also twin and expected.  ``memory``: "sc", or
    "lkmm" for the kernel's memory model (docs/weak-memory.md).  ``every``: all violated properties, a row
    each.  ``max_states``, and if given ``max_memory`` (bytes) and ``seconds``, bound each search.  ``walk``:
    so many random walks of ``seed`` instead, whose verdict is never "safe".  ``counts``: threads by actor.
    ``on``: the address of a Dask scheduler whose workers search.  ``store``: take verdicts that were found
    before, and keep the others.  ``progress``: say on stderr how far it is.  Raises InputError for what
    makes no sense.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.check("spf-do-fault", races="munmap-file")  # doctest: +SKIP
    >>> spfvar.check("per-vma-6.12", races="mprotect", memory="lkmm")  # doctest: +SKIP
    """
    model = memory_named(memory)
    search = replace(bounded(max_states, max_memory, seconds), first=not every)
    options = walk_options(walk, seed, search) if walk else search
    given = Inputs(plugins)
    registry, known = given.registry, given.known.races
    asked, patterns = given.variants(variants), given.races(races)
    if counts is not None and not isinstance(counts, Mapping):
        raise InputError(f"a {type(counts).__name__} is none", key="counts", expected="threads by actor")
    threads = parse_counts(f"{actor}={whole(count, 'counts')}" for actor, count in (counts or {}).items())
    names = asked if twins else usable(registry, asked)
    cases, stacks = runnable(make_cases(registry, known, names, patterns, twins, threads), registry)
    given.warn()
    with cluster(on, given, jobs) as executor, kept(store) as results, telling(progress) as told:
        report = counting(told, "checking")
        found = check_all(cases, options, known, jobs, report, stacks, model, results, executor)
    line = command(
        "check", asked, race=patterns, twins=twins, walk=walk or None, seed=seed if walk else None,
        count=[f"{actor}={count}" for actor, count in threads.items()], all=every,
        **bounds(max_states, max_memory, seconds),
        memory=model if model != "sc" else None, plugin=given.plugins,
    )  # fmt: skip
    return CheckFrame(found, spelled(line), shlex.join(command("", (), plugin=given.plugins)[1:]))


def _rows(results: Sequence[Checked]) -> list[dict[str, Any]]:
    """One for each finding, or for a case without any."""
    rows = []
    for result in results:
        entry = result.as_dict()
        for hidden in ("trace", "what", "more"):
            entry.pop(hidden, None)
        for finding in result.verdict.findings or (None,):
            one = {"property": finding.property, "token": finding.token} if finding is not None else {}
            rows.append(entry | one | {"trace": finding.trace if finding is not None else None})
    return rows


@verb
def load_checks(file: Name) -> pd.DataFrame:
    """What `spfvar.save` or ``check --save`` wrote: variant, race, verdict, property, token and steps.

    Raises InputError for a file that is none.
    """
    return pd.DataFrame([case.model_dump() for case in load_saved(texts(file)[0]).case])


class ReplayAnswer(Replay):
    """A replay that can be looked at."""

    def text(self) -> str:
        """The steps on the left, the state behind each on the right."""
        return render_replay(self, "table")

    def _repr_html_(self) -> str:
        return preformatted(self.text())


@verb
def replay(token: str, *, races: Races = (), plugins: Names = ()) -> ReplayAnswer:
    """Walk a counterexample step by step, with the state beside it; ``token`` is what check found it by.

    ``races``: files or objects that the token may be about.  Returns start and scenes, and the outcome:
    "reproduced", "diverged" or "no longer violated", with a message.  A token is replayed under the memory
    model that it was found under.  Raises InputError for what is no token.

    >>> import spfvar  # doctest: +SKIP
    >>> frame = spfvar.check("spf-posted", races="munmap-anon")  # doctest: +SKIP
    >>> print(spfvar.replay(frame.token[0]).text())  # doctest: +SKIP
    """
    given = Inputs(plugins)
    given.known.races.select(given.races(races) or ())
    found = replay_token(parse(token), given.registry, given.known.races)
    return ReplayAnswer(
        found.variant, found.race, found.start, found.scenes, found.outcome, found.message, found.changed
    )

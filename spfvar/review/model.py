"""What a review consists of: a tree of frozen data, made by `spfvar.review.build`, drawn by the layouts.

Nothing here is text of a layout: names, numbers, and sentences without markup.  What comes from files and
plugins (subjects, titles, docstrings) is as it was found: each layout escapes for its form.  Numbers are
plain: rates in faults/s, times in ns, shares from 0 to 1, NaN where a value does not apply.  Wall-clock time
is nowhere, so equal input gives an equal review.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from spfvar.automata.weaken import Memory
from spfvar.comparison.metrics import Metric
from spfvar.explore.trace import Trace
from spfvar.matrix.ablate import Break
from spfvar.render.charts import Curve, Stacked
from spfvar.review.hunks import HunkSteps
from spfvar.review.patchmail import Patch
from spfvar.review.sensitivity import Sensitivity
from spfvar.shown import preformatted
from spfvar.timing.differences import Difference

Value = int | float | str
#: A sentence on safety: does it say yes, no (False), or that it is open (None)?
Sentence = tuple[str, bool | None]

HELPS, HURTS, MIXED, SAME, UNSURE, UNKNOWN = "helps", "hurts", "mixed", "same", "unsure", "n/a"
"""What a load says: better somewhere, worse somewhere, both, the same everywhere, open, or no value."""

#: So many races that need a guard are enough: one with its way, the others by name.
BREAKS = 4


@dataclass(frozen=True, slots=True)
class Layer:
    """One patch of a variant's stack: the class, and the first line of its docstring ("24/37: ...")."""

    name: str
    doc: str


@dataclass(frozen=True, slots=True)
class Mended:
    """A repair: the numbers of the bugs, what happens without it, and the classes that it is ("means")."""

    bugs: tuple[str, ...]
    what: str
    means: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A variant that takes part.  ``source`` is a message id, a commit or a URL.

    ``repairs`` are what it has unlike what was posted.  ``draft``: the patch that it was drafted from, and
    that nobody has read it beside ("": none); ``todos``: how many places of its texts are to be written.
    """

    name: str
    title: str
    kernel: str
    source: str
    description: str
    layers: tuple[Layer, ...]
    repairs: tuple[Mended, ...] = ()
    draft: str = ""
    todos: int = 0

    @property
    def is_draft(self) -> bool:
        """Has nobody finished it, or said so?"""
        return bool(self.draft or self.todos)


@dataclass(frozen=True, slots=True)
class PatchReview:
    """The patch under review, and what of the variant it is.

    ``layers`` are those of the variant's stack that are the patch; () if that cannot be told.  ``hunks`` have
    the hook points that they touch, and the protocol's steps there without these layers and with them.
    """

    mail: Patch
    layers: tuple[Layer, ...]
    hunks: tuple[HunkSteps, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The review in three lines, from results alone.  ``pays`` may take two of `VERDICT_WIDTH` characters.

    ``is_safe``: every race was searched to the end and no property is violated; None: nothing is violated,
    but not every search came to its end.  Of a variant with repairs it is about the posted form.
    ``generated``: what came of generated races, "" without any.  ``text``: how the variant's text compares
    with what a booted kernel was recorded to do.  ``safe``, ``worth`` (it where?) and (who) ``pays`` are
    against the baseline; ``beside`` has a line for each other rival: (its name, where it is better or worse
    than that).  ``sentences``: what ``safe`` says, each with its own answer, the posted form's first.
    """

    is_safe: bool | None
    safe: str
    generated: str
    text: str
    worth: str
    pays: str
    beside: tuple[tuple[str, str], ...]
    sentences: tuple[Sentence, ...] = ()


VERDICT_WIDTH = 62
"""So that a label of ten columns before it leaves the line within 72."""


@dataclass(frozen=True, slots=True)
class RaceOutcome:
    """One cell of the matrix of races and variants.

    ``verdict`` is "safe", "violation" or "incomplete" (``why`` names the bound).  ``property`` and ``steps``
    are of the first violation, "" and 0 without one.  ``vacuous`` names what the race is about and no
    interleaving reached.
    """

    race: str
    variant: str
    verdict: str
    states: int
    property: str
    steps: int
    vacuous: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Violation:
    """A violated property: its shortest trace, and the token with which ``spfvar replay`` walks it."""

    variant: str
    race: str
    property: str
    text: str
    trace: Trace
    token: str


@dataclass(frozen=True, slots=True)
class GuardUse:
    """A guard of the variant and what it is for.

    ``layer`` is the patch of the stack whose text it stands in, ``where`` the file and line there.
    ``is_of_patch``: the layer is the patch under review (with no patch given, true of all).  ``breaks`` are
    races that break without it, the shortest way first; ``holds`` do not need it; ``incomplete`` are left
    open.  Small races come first; once `BREAKS` of them break, those that are ``left`` are not searched.
    ``excerpt``: the source around it, from line ``first`` on.
    """

    function: str
    kind: str
    name: str
    where: str
    layer: Layer
    is_of_patch: bool
    breaks: tuple[Break, ...]
    holds: tuple[str, ...]
    incomplete: tuple[str, ...]
    excerpt: tuple[str, ...] = ()
    first: int = 1
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Generated:
    """Races that nobody wrote, under the variant alone (not its rivals, nor its posted form).

    ``races`` of up to ``size`` statements were searched, ``states`` in all; a ``sample`` of them, or every
    one.  ``complete``: each to its end.  ``violations``: each cause once; ``race`` there is a name for what
    its threads do.
    """

    races: int
    size: int
    states: int
    sample: bool
    complete: bool
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class Safety:
    """Races x variants (the variant, its rivals, its posted form if it has one), traces, and guards.

    ``generated``: None if no races were generated.
    """

    races: Mapping[str, str]
    """The races by name, with their titles."""
    outcomes: tuple[RaceOutcome, ...]
    violations: tuple[Violation, ...]
    guards: tuple[GuardUse, ...]
    generated: Generated | None = None

    def of(self, variant: str) -> tuple[RaceOutcome, ...]:
        """A variant's cells."""
        return tuple(outcome for outcome in self.outcomes if outcome.variant == variant)


@dataclass(frozen=True, slots=True)
class Effect:
    """The variant against a rival in one cell: ratio with its 95 % interval, values, and the verdict.

    ``axes`` are all of the cell; ``verdict`` is one of `spfvar.comparison.verdicts.VERDICTS`.  ``of_draws``:
    the interval is of what one machine gives, whose figures are a draw, and not of a mean over seeds;
    ``remark``: on which of the figures it depends, where they leave the verdict open.
    """

    scenario: str
    axes: Mapping[str, Value]
    metric: str
    ratio: float
    ratio_low: float
    ratio_high: float
    value: float
    rival_value: float
    verdict: str
    of_draws: bool = False
    remark: str = ""

    @property
    def threads(self) -> int:
        """The number of threads."""
        return int(self.axes["threads"])


@dataclass(frozen=True, slots=True)
class LoadEffect:
    """Throughput of one load against one rival: effects in the order of the axes, by threads."""

    scenario: str
    title: str
    kind: str
    effects: tuple[Effect, ...]

    @property
    def worst(self) -> Effect:
        """The cell with the lowest ratio."""
        return min(self.effects, key=lambda effect: (math.isnan(effect.ratio), effect.ratio))

    @property
    def best(self) -> Effect:
        """The cell with the highest ratio."""
        return max(self.effects, key=lambda effect: (not math.isnan(effect.ratio), effect.ratio))

    @property
    def gain(self) -> Effect:
        """The cell that is better, with the highest ratio of these; the best one if none is."""
        found = [effect for effect in self.effects if effect.verdict == "better"]
        return replace(self, effects=tuple(found)).best if found else self.best


@dataclass(frozen=True, slots=True)
class Duel:
    """The variant against one rival: every load, the worst first.

    ``effects`` are all cells of all outcomes (throughput, latency of faults and of writers); ``costs`` those
    that are WORSE, the worst of each load and metric, the worst first.
    """

    rival: str
    loads: tuple[LoadEffect, ...]
    effects: tuple[Effect, ...]
    costs: tuple[Effect, ...]

    @property
    def of_draws(self) -> bool:
        """Are its intervals of what one machine gives?"""
        return any(effect.of_draws for effect in self.effects)

    def where(self, *kinds: str) -> tuple[LoadEffect, ...]:
        """The loads of some kinds (`HELPS`, `HURTS`, ...), the worst first."""
        return tuple(load for load in self.loads if load.kind in kinds)


@dataclass(frozen=True, slots=True)
class Abort:
    """Why speculative faults gave up: an event of the variant, what it means, times per 1000 faults."""

    event: str
    doc: str
    per_1000: float


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a load is faster or slower, at its largest number of threads.

    ``metrics`` has, by metric and then variant, the values of the metrics that explain: lock_wait_share,
    mmap_lock_share, spec_success, writer_p50, writer_p99.  ``aborts`` are the reviewed variant's, the most
    frequent first.
    """

    scenario: str
    axes: Mapping[str, Value]
    metrics: Mapping[str, Mapping[str, float]]
    aborts: tuple[Abort, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """The scaling curves of one load: a metric over threads, a curve per variant, the baseline first.

    ``subtitle`` names the values of further axes, if more than one was run (", vma=thread").
    """

    scenario: str
    subtitle: str
    title: str
    metric: Metric
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class LoadTimes:
    """Where the time of a load's faults goes: a bar for the baseline and one for the variant, one seed each.

    ``ratio`` of their throughputs; ``differences`` are the largest.
    """

    scenario: str
    threads: int
    ratio: float
    bars: tuple[Stacked, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Speed:
    """Duels against the baseline and then the other rivals; the rest in the order of the loads.

    ``times`` are those of the loads that the variant changes most.
    """

    duels: tuple[Duel, ...]
    reasons: tuple[Reason, ...]
    charts: tuple[Chart, ...]
    times: tuple[LoadTimes, ...] = ()

    def against(self, rival: str) -> Duel:
        """The duel with a rival; KeyError if there is none."""
        for duel in self.duels:
            if duel.rival == rival:
                return duel
        raise KeyError(rival)


@dataclass(frozen=True, slots=True)
class Answer:
    """A question that reviewers asked on the list, and what this run says to it.

    ``asked`` is who asked and of what, ``source`` the message id (or address) of the question.  ``figures``
    are sentences, each with at least one number or name from the results; ``caveat`` says what the run cannot
    see of it ("" for nothing).
    """

    id: str
    question: str
    asked: str
    source: str
    figures: tuple[str, ...]
    caveat: str


@dataclass(frozen=True, slots=True)
class Machine:
    """The hardware profile: what it stands for, what was fitted on it, how far to trust it."""

    name: str
    title: str
    source: str
    fitted: tuple[str, ...]
    fidelity: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the figures come from: versions, hashes, seeds, and the command that makes the review again.

    ``draws``: each seed was run with a draw of the machine's figures.
    ``matrix_hash`` is of all that decides the figures of speed, ``races_hash`` of the races' texts,
    ``scenario_hashes`` by scenario; each twelve hex digits.
    """

    version: str
    model_version: str
    baseline: str
    matrix_hash: str
    races_hash: str
    scenario_hashes: Mapping[str, str]
    seeds: int
    seed: int
    reproduce: str
    draws: bool = False


@dataclass(frozen=True, slots=True)
class Review:
    """The review of ``variant`` against ``rivals`` (the baseline first).

    ``posted`` is the variant without its repairs; None if it has none.  ``patch`` is None where none was
    given.  ``sensitivity`` has an entry per axis of each load and rival that
    was looked at.  ``limits`` are what the model leaves out, a sentence each (`spfvar.limits`);
    ``not_run`` the cells that could not be run, ``notes`` what was made smaller.  ``memory`` is the memory
    model of its races.
    """

    variant: Subject
    rivals: tuple[Subject, ...]
    posted: Subject | None
    patch: PatchReview | None
    verdict: Verdict
    safety: Safety
    speed: Speed
    sensitivity: tuple[Sensitivity, ...]
    questions: tuple[Answer, ...]
    limits: tuple[str, ...]
    machine: Machine
    not_run: tuple[str, ...]
    notes: tuple[str, ...]
    provenance: Provenance
    memory: Memory = "sc"

    # The layouts import this module, so each is looked for when it is wanted.

    def mail(self, short: bool = False) -> str:
        """The review as plain text to be mailed, 72 columns of ASCII; ``short``: at most 25 lines of it."""
        from spfvar.review.mail import render_mail, render_short

        return render_short(self) if short else render_mail(self)

    def markdown(self) -> str:
        """The review as Markdown."""
        from spfvar.review.markdown import render_markdown

        return render_markdown(self)

    def html(self) -> str:
        """The review as one HTML page that needs nothing outside it."""
        from spfvar.review.html import render_html

        return render_html(self)

    def json(self) -> str:
        """All of it as JSON: the content of the file that `spfvar report --save` writes."""
        from spfvar.review.reviewfile import review_text

        return review_text(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the short mail; the page itself would bring its own styles and script."""
        return preformatted(self.mail(short=True))

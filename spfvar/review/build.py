"""From names to a review: what is run, the runs, two of them at a time, and what is made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import spfvar
from spfvar import limits
from spfvar.apart import apart
from spfvar.automata.text import StrategyError
from spfvar.automata.weaken import Memory
from spfvar.cpus import available_cpus
from spfvar.errors import InputError
from spfvar.explore.options import Options
from spfvar.kernel.conform import Conformity, conform
from spfvar.kernel.fixtures import release_of, shipped
from spfvar.matrix import catalogue
from spfvar.matrix.ablate import Ablation, ablate
from spfvar.matrix.cases import Case
from spfvar.matrix.check import Checked, run_checks
from spfvar.matrix.compare import Comparison, run_comparison
from spfvar.matrix.executors import Executor, Here, Processes
from spfvar.matrix.hunting import Hunted, run_hunt
from spfvar.matrix.hunting import Plan as Hunt
from spfvar.matrix.plan import DEFAULT_HARDWARE, CellSpec, Plan, make_plan, runs_of_a_cell
from spfvar.plugins.registry import Registry
from spfvar.plugins.todos import todos_of
from spfvar.plugins.variant import Variant
from spfvar.render.verdicts import count_text
from spfvar.review.hunks import patches_of, review_hunks, without
from spfvar.review.model import BREAKS, Machine, Mended, PatchReview, Provenance, Review, Speed, Subject
from spfvar.review.patchmail import Patch
from spfvar.review.questions import Results, answer_all, questions
from spfvar.review.safety import layer_of, make_safety
from spfvar.review.sensitivity import CHEAP_THREADS, Sensitivity, find_flips
from spfvar.review.speed import make_speed
from spfvar.review.times import find_times
from spfvar.review.verdict import make_verdict, text_line
from spfvar.scenario.hardware import Profile
from spfvar.scenario.race import Race, race_hash
from spfvar.scenario.schema import Scenario
from spfvar.store.database import Store, shared
from spfvar.threads import Watch, beside, places

#: The runs of a review; ``Progress`` is told which one, what is done of it, and of how much.  The first three
#: are one lane, the others another: with more than one job they run beside one another.
PHASES = ("simulating", "recording", "moving assumptions", "checking", "taking guards out", "hunting")
Progress = Callable[[str, int, int], None]

#: Guards are taken out in races of at most so many states: a race with one guard less can have more.
GUARD_RACE_STATES = 100_000

#: Of searches, and of generated races to each: as long as a process takes to begin, some two seconds.
WORTH_A_PROCESS = 100
GENERATED_LIKE_ONE = 5

#: Generated races have up to so many statements, of two or three threads, in an order of this seed.
HUNT = Hunt(3, actors=(2, 3), seed=1)


@dataclass(frozen=True)
class Scope:
    """What a review runs: the variant, its rivals (the baseline first), loads, races; and the patch.

    ``posted`` is the variant without its repairs, None if it has none.  ``threads`` are the counts that were
    asked for; (): those of the loads.  ``once`` are loads that are run at one count of threads.
    """

    variant: Variant
    rivals: tuple[Variant, ...]
    posted: Variant | None
    plan: Plan
    once: Mapping[str, int]
    races: Mapping[str, Race]
    patch: Patch | None
    threads: tuple[int, ...]
    scenarios: catalogue.Catalogue[Scenario]
    profiles: catalogue.Catalogue[Profile]
    bounds: Options
    asked: Sequence[str] = ()
    generated: int = 0
    plugins: Sequence[str] = ()
    memory: Memory = "sc"

    @property
    def variants(self) -> tuple[Variant, ...]:
        """All that are run: the variant, its rivals, and what it was as posted."""
        return self.variant, *self.rivals, *([self.posted] if self.posted is not None else [])


def make_scope(
    registry: Registry,
    variant: str,
    *,
    against: Sequence[str] = (),
    patch: Patch | None = None,
    loads: Sequence[str] = (),
    races: Sequence[str] = (),
    threads: Sequence[int] = (),
    hardware: str = DEFAULT_HARDWARE,
    settings: Mapping[str, Sequence[str]] | None = None,
    seeds: int | None = None,
    draws: int | None = None,
    seed: int = 1,
    bounds: Options = Options(),  # noqa: B008
    asked: Sequence[str] = (),
    generated: int = 0,
    plugins: Sequence[str] = (),
    memory: Memory = "sc",
    known: catalogue.Known | None = None,
) -> Scope:
    """Resolve names.  ``against``: the rivals beside the baseline (none: those that the variant names).

    Cells are run with ``draws`` of the machine's figures, or with ``seeds`` (of neither: as compare does).
    The baseline is the first rival without patches, or the kernel's.  No ``loads``, ``races`` or ``threads``
    means all; of all loads, those that no comparison has unasked are run at their most threads.  ``asked``:
    files of questions beside the shipped ones.  ``generated``: how many generated races are enough; 0: there
    are none.  ``plugins``: where processes that run these load the variant from.  ``memory``: the memory
    model of all races.  ``known``: what names of loads, races and machines stand for, if not for files alone.
    Raises InputError for what makes no sense.
    """
    subject = registry[variant]
    wanted = [name for name in against or subject.rivals if against or name in registry.variants]
    if variant in wanted:
        raise InputError(f"{variant} is compared with itself", key="--against")
    known = known or catalogue.Known()
    scenarios, profiles, every = known.scenarios, known.hardware, known.races
    base = next((v.name for v in _all(registry, wanted) if not v.patches and v.name != variant), None)
    if base is None and not wanted:
        raise InputError(f"there is nothing to compare {variant} with", key="--against")
    count, drawn = runs_of_a_cell(profiles, hardware, seeds, draws)
    plan = make_plan(
        registry, scenarios, profiles, variants=[variant, *wanted], patterns=loads, threads=threads,
        hardware=hardware, baseline=base or wanted[0], settings=settings, seeds=count, seed=seed,
        every=True, draws=drawn,
    )  # fmt: skip
    once = {} if loads else _once(plan, scenarios)
    plan = replace(plan, cells=tuple(cell for cell in plan.cells if _is_run(cell, once)))
    names = dict.fromkeys([plan.baseline, *wanted])
    return Scope(
        subject, tuple(registry[name] for name in names),
        registry.as_posted(subject) if subject.repairs else None, plan, once,
        {name: every[name] for name in every.select(races)}, patch,
        tuple(threads), scenarios, profiles, bounds, tuple(asked), generated, tuple(plugins),
        memory,
    )  # fmt: skip


def _once(plan: Plan, scenarios: catalogue.Catalogue[Scenario]) -> dict[str, int]:
    """The loads that no comparison has unasked, and the most threads of each: there losses are largest."""
    most: dict[str, int] = {}
    for cell in plan.cells:
        name = cell.load.scenario
        if not scenarios[name].default:
            most[name] = max(most.get(name, 0), int(cell.axes["threads"]))
    return most


def _is_run(cell: CellSpec, once: Mapping[str, int]) -> bool:
    return int(cell.axes["threads"]) == once.get(cell.load.scenario, int(cell.axes["threads"]))


def _all(registry: Registry, first: Sequence[str]) -> list[Variant]:
    return [*(registry[name] for name in first), *registry.variants.values()]


def make_review(
    registry: Registry,
    scope: Scope,
    reproduce: str,
    jobs: int | None = None,
    progress: Progress | None = None,
    store: Store | None = None,
) -> Review:
    """Run everything and say what came of it.  The result does not depend on ``jobs``.

    ``reproduce`` is the command line that makes the same review again.  Runs and verdicts that the ``store``
    has are taken from it.  Runs that its parts have in common are simulated once, with a store or without.
    ``progress`` is called by two threads, one at a time.
    """
    plan, variant = scope.plan, scope.variant
    patch = review_patch(scope)
    own = patches_of(scope.patch, variant) if scope.patch is not None else None
    with shared(store) as runs:
        (comparison, speed, sensitivity), (checked, ablations, left_out, hunted, unheard) = _run_all(
            registry, scope, jobs, progress, store, runs
        )
    safety = make_safety(checked, ablations, variant, own, hunted)
    results = Results(variant, scope.rivals, comparison.cells, comparison.events, speed, safety)
    subject = subject_of(variant)
    posted = subject_of(scope.posted) if scope.posted is not None else None
    return Review(
        subject, tuple(map(subject_of, scope.rivals)), posted, patch,
        make_verdict(safety, speed, subject, posted.name if posted else "", text_line(compared(variant))),
        safety, speed, sensitivity, answer_all(questions(), results, scope.asked),
        limits.SENTENCES if scope.memory == "sc" else limits.WEAK_SENTENCES, machine_of(plan),
        (*_not_run(comparison), *unheard), _notes(plan, variant.name, scope.once, left_out),
        _provenance(scope, reproduce), scope.memory,
    )  # fmt: skip


_Timed = tuple[Comparison, Speed, tuple[Sensitivity, ...]]
_Searched = tuple[list[Checked], Sequence[Ablation], dict[str, int], Hunted | None, tuple[str, ...]]


def _run_all(
    registry: Registry, scope: Scope, jobs: int | None, progress: Progress | None, store: Store | None,
    runs: Store,
) -> tuple[_Timed, _Searched]:  # fmt: skip
    """Both lanes, beside one another if there is more than one job: runs leave the GIL to searches.

    Those hold it most of the time, so many of them are done in another process.  One lane after the other,
    in this thread, where a text is a plugin's: it is extracted here, within bounds that would hold for what
    runs beside it, too.
    """
    lock = Lock()

    def telling(watch: Watch) -> Progress:
        def tell(phase: str, done: int, total: int) -> None:
            watch()
            if progress is not None:
                with lock:
                    progress(phase, done, total)

        return tell

    count = available_cpus() if jobs is None else jobs
    if count > 1 and all(variant.is_shipped for variant in scope.variants):
        many = len(_cases(scope)) + scope.generated // GENERATED_LIKE_ONE >= WORTH_A_PROCESS

        def searched(watch: Watch) -> _Searched:
            if many:
                return _apart(scope, count // 2, store, telling(watch), watch)
            return _searched(scope, jobs, store, _beside(count // 2, scope), telling(watch))

        return beside(lambda watch: _timed(registry, scope, jobs, runs, telling(watch)), searched, count)
    alone = telling(lambda: None)
    return _timed(registry, scope, jobs, runs, alone), _searched(scope, jobs, store, None, alone)


def _beside(jobs: int, scope: Scope) -> Executor:
    """Where a hunt is done beside runs: one process alone would take as long to begin as it takes."""
    return Processes(jobs, scope.plugins) if jobs > 1 else Here()


def _apart(scope: Scope, jobs: int, store: Store | None, tell: Progress, watch: Watch) -> _Searched:
    """`_searched` in a process of its own, which takes a moment to begin."""
    tell(PHASES[3], 0, len(_cases(scope)))
    with places(jobs):
        path = None if store is None else store.path
        found, hits, trouble = apart(_there, scope, jobs, path, tell=tell, watch=watch)
    if store is not None:
        store.used_elsewhere(hits, trouble)
    checked, *rest = found
    own = {variant.name: variant for variant in scope.variants}
    return [
        replace(one, case=replace(one.case, variant=own[one.case.variant.name])) for one in checked
    ], *rest


def _there(scope: Scope, jobs: int, path: Path | None, tell: Progress) -> tuple[_Searched, int, str]:
    """`_searched`, with a connection of its own to the store; its hits, and what was wrong with it."""
    if path is None:
        return _searched(scope, jobs, None, _beside(jobs, scope), tell), 0, ""
    with closing(Store(path)) as store:
        return _searched(scope, jobs, store, _beside(jobs, scope), tell), store.hits, store.trouble


def _timed(registry: Registry, scope: Scope, jobs: int | None, runs: Store, tell: Progress) -> _Timed:
    """What is simulated: the comparison, what came of it, and with assumptions moved."""
    plan, name = scope.plan, scope.variant.name
    comparison = run_comparison(plan, registry, jobs, _of(tell, PHASES[0]), store=runs)
    titles = {load: scope.scenarios[load].title for load in plan.scenario_hashes}
    rivals = [rival.name for rival in scope.rivals]
    speed = make_speed(comparison, scope.variant, rivals, titles, once=scope.once)
    speed = replace(speed, times=find_times(plan, speed, name, _of(tell, PHASES[1])))
    return comparison, speed, flips(registry, scope, jobs, _of(tell, PHASES[2]), runs)


def _searched(
    scope: Scope, jobs: int | None, store: Store | None, executor: Executor | None, tell: Progress
) -> _Searched:
    """What is explored: the races, those that are small enough without each guard, and generated ones."""
    checked = check(scope, jobs, _of(tell, PHASES[3]), store)
    ablations, left_out = take_out(scope, checked, jobs, _of(tell, PHASES[4]))
    return checked, ablations, left_out, *hunt(scope, jobs, _of(tell, PHASES[5]), store, executor)


def compared(variant: Variant) -> Conformity | None:
    """The variant beside what its kernel was recorded to do; None if nobody has recorded that."""
    release = release_of(variant.kernel)
    return conform(variant, shipped(release)) if release is not None else None


def _of(tell: Progress, phase: str) -> Callable[..., None]:
    """What a phase tells of itself."""
    return lambda done, total, *_: tell(phase, done, total)


def _cases(scope: Scope) -> list[Case]:
    return [Case(variant, name, race) for name, race in scope.races.items() for variant in scope.variants]


def check(
    scope: Scope, jobs: int | None, progress: Callable[..., None] | None, store: Store | None = None
) -> list[Checked]:
    """Every race under the variant and its rivals."""
    return run_checks(_cases(scope), scope.bounds, jobs, progress, memory=scope.memory, store=store)


def hunt(
    scope: Scope, jobs: int | None, progress: Callable[..., None] | None, store: Store | None = None,
    executor: Executor | None = None,
) -> tuple[Hunted | None, tuple[str, ...]]:  # fmt: skip
    """Generated races under the variant; and why there are none, if its text cannot be run in them."""
    if not scope.generated:
        return None, ()

    def told(races: int, _done: int, _total: int, _seconds: float) -> None:
        if progress is not None:
            progress(min(races, scope.generated), scope.generated)

    plan = replace(HUNT, races=scope.generated, model=scope.memory)
    if progress is not None:
        progress(0, scope.generated)  # processes take seconds to begin
    try:
        hunted = run_hunt(
            scope.variant, plan, progress=told, jobs=jobs, plugins=scope.plugins, store=store,
            executor=executor,
        )  # fmt: skip
    except StrategyError as error:
        return None, (f"{scope.variant.name} in generated races: {error}",)
    if progress is not None:  # there may be no more races
        progress(scope.generated, scope.generated)
    return hunted, ()


def take_out(
    scope: Scope, checked: Sequence[Checked], jobs: int | None, progress: Callable[..., None] | None
) -> tuple[Sequence[Ablation], dict[str, int]]:
    """The variant's guards in the races that are small enough; and the races that are not, by states."""
    states = {r.case.race_name: r.verdict.states for r in checked if r.case.variant is scope.variant}
    large = {name: count for name, count in states.items() if count > GUARD_RACE_STATES}
    races = {name: race for name, race in scope.races.items() if name not in large}
    told = None if progress is None else lambda _what, done, total: progress(done, total)
    # Nothing in a review is about single calls of a guard's function, or about several barriers together.
    found = ablate(scope.variant, races, False, scope.bounds, jobs, told, scope.memory, enough=BREAKS)
    return found.guards, large


def flips(
    registry: Registry, scope: Scope, jobs: int | None, progress: Callable[..., None] | None,
    store: Store | None = None,
) -> tuple[Sensitivity, ...]:  # fmt: skip
    """Which assumption would flip a verdict, against the last rival.

    At the most threads that were asked for and are cheap to run, with the review's own seeds or draws, so
    that the verdict that may flip is the one that its tables have; not in loads that are run at one count.
    """
    cheap = [count for count in scope.threads if count <= CHEAP_THREADS] or list(scope.threads[:1])
    return find_flips(
        registry, scope.scenarios, scope.profiles, variant=scope.variant.name, rival=scope.rivals[-1].name,
        names=[name for name in scope.plan.scenario_hashes if name not in scope.once],
        threads=max(cheap, default=None),
        hardware=scope.plan.hardware, seeds=scope.plan.seeds, seed=scope.plan.seed,
        draws=scope.plan.seeds if scope.plan.ensemble is not None else 0, jobs=jobs, progress=progress,
        store=store,
    )  # fmt: skip


def review_patch(scope: Scope) -> PatchReview | None:
    """The patch, the layers of the variant that it is, and the hook points that it touches."""
    if scope.patch is None:
        return None
    layers = patches_of(scope.patch, scope.variant)
    before = without(scope.variant, layers)
    return PatchReview(
        scope.patch, tuple(map(layer_of, layers)), review_hunks(scope.patch, before, scope.variant)
    )


def subject_of(variant: Variant) -> Subject:
    """A variant as a review names it."""
    return Subject(
        variant.name, variant.title, variant.kernel, variant.source, variant.description,
        tuple(map(layer_of, variant.patches)),
        tuple(Mended(repair.bugs, repair.what, repair.means) for repair in variant.repairs),
        variant.draft, len(todos_of(variant)),
    )  # fmt: skip


def machine_of(plan: Plan) -> Machine:
    """The profile that times come from."""
    profile = plan.profile
    return Machine(plan.hardware, profile.title, profile.source, tuple(profile.fitted), profile.fidelity)


def _not_run(comparison: Comparison) -> tuple[str, ...]:
    return tuple(
        f"{failure.variant} in {failure.scenario} {failure.axes}: {failure.message}"
        for failure in comparison.failures
    )


def _notes(plan: Plan, name: str, once: Mapping[str, int], left_out: Mapping[str, int]) -> tuple[str, ...]:
    notes = list(plan.notes)
    if once:
        loads = ", ".join(f"{name} ({count})" for name, count in once.items())
        notes.append(f"Run at their most threads only, and no assumption moved: {loads}.")
    if left_out:
        large = ", ".join(f"{name} ({count_text(count)} states)" for name, count in left_out.items())
        notes.append(
            f"Guards were not taken out in the largest races: {large}; spfvar ablate {name} does so."
        )
    return tuple(notes)


def _provenance(scope: Scope, reproduce: str) -> Provenance:
    plan = scope.plan
    digest = hashlib.sha256("".join(map(race_hash, scope.races.values())).encode()).hexdigest()[:12]
    return Provenance(
        spfvar.__version__, spfvar.MODEL_VERSION, plan.baseline, plan.matrix_hash, digest,
        plan.scenario_hashes, plan.seeds, plan.seed, reproduce,
        plan.ensemble is not None,
    )  # fmt: skip

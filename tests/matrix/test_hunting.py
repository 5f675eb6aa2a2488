"""A hunt as a whole: shipped designs have nothing to find, causes are told once, budgets hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spfvar.generator.programs import Family
from spfvar.generator.run import Hunter
from spfvar.matrix.hunting import Plan, run_hunt
from spfvar.mm.khugepaged import RetractUnderRmapLock
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Variant

REGISTRY = load_registry()


class RetractOnce(RetractUnderRmapLock):
    """khugepaged as it was before v6.14, stacked on what came later."""


#: A part of the memories, which takes a few seconds for each design; `spfvar hunt` takes all.
MEMORIES = ("closed-file", "heap", "neighbours", "second-mm")
VERBS = ("load", "store", "mmap", "munmap", "mprotect", "shrink", "grow", "merge", "maps", "exit", "truncate")


@pytest.mark.parametrize(
    "design", ["mmap-lock", "spf-do-fault", "per-vma-6.12", "per-vma-refcnt", "radixvm", "cortenmm-adv"]
)
def test_shipped_designs_have_nothing_to_find(design: str) -> None:
    """No false alarm: what breaks a design that is right is a program that makes no sense, or a bug.

    radixvm's merge is in here: it locked the first VMA's slots only, and a fault in the other one met a freed VMA.
    """
    hunted = run_hunt(REGISTRY[design], Plan(2, memories=MEMORIES, verbs=VERBS), jobs=1)
    assert [finding.race.title for finding in hunted.findings] == []
    assert hunted.complete
    assert hunted.races > 300


@pytest.mark.parametrize("design", sorted(REGISTRY.variants))
def test_a_sample_of_larger_races_finds_nothing_in_any_shipped_design(design: str) -> None:
    """No false alarm in races of up to five statements by two or three threads, in a fixed order."""
    hunted = run_hunt(REGISTRY[design], Plan(5, actors=(2, 3), seed=7, races=60), jobs=1)
    assert [finding.race.title for finding in hunted.findings] == []
    assert (hunted.sample, hunted.complete) == (True, True)
    assert hunted.races >= 60


@pytest.mark.parametrize(
    ("twin", "prop", "plan"),
    [
        ("s5@spf-anon", "P4", Plan(2, memories=("anon",))),
        ("h4@spf-anon", "P2", Plan(2, memories=("policy",))),
        ("pt1@per-vma-6.12", "P4", Plan(2, memories=("file-table",))),
        # Only who merges first and unmaps then frees the anon_vma: three statements.
        ("v5@per-vma-6.12", "P2", Plan(3, memories=("neighbours",), verbs=("store", "merge", "munmap"))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_published_bugs_are_found_without_their_races(twin: str, prop: str, plan: Plan) -> None:
    """With the property that the twin says."""
    hunted = run_hunt(REGISTRY.any_variant(twin), plan, jobs=1)
    assert prop in {finding.broken.property for finding in hunted.findings}


def test_a_write_through_a_tlb_to_what_madvise_takes_away_may_be_lost() -> None:
    """It was to the old page, though another thread's fault has mapped a new one by then: nobody is to blame.

    What fork's copy lacks of such a write is lost indeed (S2).
    """
    plan = Plan(3, actors=(3,), memories=("anon",), verbs=("store", "madvise"))
    assert not run_hunt(REGISTRY["spf-anon"], plan, jobs=1).findings
    plan = replace(plan, memories=("fork",), verbs=("store", "fork"))
    found = run_hunt(REGISTRY.any_variant("s2@spf-anon"), plan, jobs=1).findings
    assert [finding.broken.property for finding in found] == ["P8"]


def test_writeback_ends_for_a_page_that_truncation_has_taken_away() -> None:
    """A batch has its pages: who waits for one of them, to reclaim it, is woken."""
    family = Family("file-pages", (2, 1), ("store", "truncate", "writeback"))
    groups = filter(None, map(family.group, family.in_order()))
    waits = [group for group in groups if "truncate data; store map (page 1) |" in str(group)]
    outcomes = list(Hunter(Stack(REGISTRY["mmap-lock"])).run(waits))
    assert outcomes
    assert not any(outcome.cause for outcome in outcomes)


def test_khugepaged_looks_again_for_a_table_that_madvise_may_free() -> None:
    """Since v6.14 a table may go between its first look and the lock of the entry: a walk over none, P4."""
    plan = Plan(2, verbs=("madvise", "retract"))
    assert run_hunt(REGISTRY["per-vma-6.17"], plan, jobs=1).findings == ()
    before = Variant(
        name="no-recheck", title="without the second look", kernel="v6.14", source="none",
        patches=(*REGISTRY["per-vma-6.17"].patches, RetractOnce),
    )  # fmt: skip
    assert {finding.cause.property for finding in run_hunt(before, plan, jobs=1).findings} == {"P4"}


def test_a_cause_is_told_once_by_its_smallest_race() -> None:
    """S5 breaks in many starts; the finding's race has two statements and an empty memory."""
    hunted = run_hunt(
        REGISTRY.any_variant("s5@spf-anon"),
        Plan(2, memories=("anon", "heap"), verbs=("store", "munmap")),
        jobs=1,
    )
    causes = [
        (finding.cause.property, finding.cause.function, finding.cause.op) for finding in hunted.findings
    ]
    assert len(set(causes)) == len(causes)
    assert sum(finding.races for finding in hunted.findings) > len(hunted.findings)
    assert hunted.findings[0].program == ["store map", "munmap map"]


def test_a_sample_is_complete_when_it_has_as_many_races_as_were_asked_for() -> None:
    """In whole slices of the plan, so that it does not depend on who runs them; more can follow later."""
    plan = Plan(2, memories=("anon", "heap"), seed=1, races=100)
    sample = run_hunt(REGISTRY["mmap-lock"], plan, jobs=1)
    assert 100 <= sample.races < sum(1 for _ in plan.groups())
    assert (sample.sample, sample.complete) == (True, True)
    both = run_hunt(REGISTRY["mmap-lock"], plan, jobs=2)
    assert (both.races, both.states, both.unreached) == (sample.races, sample.states, sample.unreached)
    whole = run_hunt(REGISTRY["mmap-lock"], replace(plan, races=float("inf"), memories=("anon",)))
    assert (whole.sample, whole.complete) == (False, True)


def test_what_no_generated_race_shows_of_what_shipped_races_do_is_told() -> None:
    """A lone anonymous page: nobody forks or truncates; what an ordinary write fault does happens."""
    hunted = run_hunt(REGISTRY["mmap-lock"], Plan(2, memories=("anon",), verbs=("load", "store", "munmap")))
    assert {"ptep_set_wrprotect", "delete_from_swap_cache"} <= set(hunted.vacuous)
    assert "set_pte_at(anon)" not in hunted.vacuous


def test_progress_tells_races_and_how_much_is_done() -> None:
    """The last report is of the end."""
    told: list[tuple[int, int, int, float]] = []
    hunted = run_hunt(
        REGISTRY["mmap-lock"], Plan(2, memories=("anon",)), progress=lambda *now: told.append(now)
    )
    races, done, total, _ = told[-1]
    assert (races, done) == (hunted.races, total)
    assert [one[1] for one in told] == sorted(one[1] for one in told)


def test_processes_change_nothing() -> None:
    """Races, states, findings and their names are those of one process; two may run a race twice, which counts once."""
    plan = Plan(
        2, memories=("anon", "heap", "neighbours"), verbs=("load", "store", "munmap", "mprotect", "merge")
    )
    twin = REGISTRY.any_variant("s5@spf-anon")
    one, two = (run_hunt(twin, plan, jobs=jobs) for jobs in (1, 2))
    assert replace(one, seconds=0.0).as_dict() == replace(two, seconds=0.0).as_dict()
    assert one.same == two.same

"""Guards are found where races can be, and only because of races: a thread alone does without any of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import Extractor
from spfvar.explore.alone import alone
from spfvar.explore.explore import explore
from spfvar.explore.guards import (
    ALIKE,
    CHECK,
    GRACE_PERIOD,
    IPI,
    STORE,
    TRYLOCK,
    WAIT,
    Guard,
    Removal,
    find_guards,
)
from spfvar.explore.options import Options
from spfvar.explore.sections import BUMP, IRQ_OFF, LOCK, RCU, REFERENCE, without_sections
from spfvar.explore.world import KTHREAD, build_world, extract_race
from spfvar.matrix import catalogue
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import at, equals, work
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race
from tests.explore.checking import registry

#: Among them are all kinds of guards.
CASES = [
    ("spf-do-fault", "munmap-file"),
    ("per-vma-6.12", "retract-munmap"),
    ("per-vma-refcnt", "munmap-anon"),
    ("mmap-lock", "writeback-fault"),
]


@cache
def parts(variant: str, name: str, callers: bool = False) -> tuple[Race, dict[str, Automaton], list[Removal]]:
    """A race, its automata, and every guard in them; with ``callers``, also at each call of its function."""
    race = catalogue.races()[name]
    automata = extract_race(race, Stack(registry().any_variant(variant)), callers, "sc")
    everything = {key: {(n, o) for n in range(len(a)) for o in range(4)} for key, a in automata.items()}
    own = {actor.name: alone(race, automata, actor.name) for actor in race.actor}
    return race, automata, find_guards(automata, own, everything)


def removal(variant: str, race: str, kind: str, name: str) -> Removal:
    """The first guard of a kind with such a name."""
    removals = parts(variant, race)[2]
    return next(r for r in removals if r.guard.kind == kind and r.guard.name.startswith(name))


def codes_alone(race: Race, automata: Mapping[str, Automaton], name: str) -> set[int]:
    """What a thread violates with nobody else there."""
    actor = next(actor for actor in race.actor if actor.name == name)
    lonely = race.model_copy(update={"actor": [actor.model_copy(update={"count": 1})]})
    world = build_world(lonely, {key: automata[key] for key in (name, KTHREAD) if key in automata})
    return {violation.code for violation in explore(world, Options(first=False)).violations}


def test_the_cases_have_every_kind_of_guard() -> None:
    """What the other tests say of all guards is said of each kind."""
    kinds = {r.guard.kind for case in CASES for r in parts(*case)[2]}
    assert kinds == {CHECK, GRACE_PERIOD, IPI, STORE, TRYLOCK, WAIT, BUMP, IRQ_OFF, LOCK, RCU, REFERENCE}


@pytest.mark.parametrize(("variant", "name"), CASES)
def test_a_thread_alone_does_without_any_guard(variant: str, name: str) -> None:
    """Sections stay balanced on every way, counts come out even, checks go on as they do alone.

    Two exceptions are no matter of races: a lock that sleeps where nobody may, and the count of 1 that
    makes a VMA an attached one.
    """
    race, automata, removals = parts(variant, name)
    for found in removals:
        for actor in race.actor if found.automata is not None else ():
            assert found.automata is not None
            if found.automata[actor.name] is automata[actor.name]:
                continue
            allowed = {TRYLOCK: {c.V_SLEEP_IN_ATOMIC}, STORE: {c.V_REFCOUNT}}.get(found.guard.kind, set())
            assert codes_alone(race, found.automata, actor.name) <= allowed, found.guard


@pytest.mark.parametrize(("variant", "name"), CASES)
def test_taking_a_guard_out_changes_nothing_but_its_own_primitives(variant: str, name: str) -> None:
    """What is left are the primitives of before, those that do nothing, and what stands for the guard."""
    _, automata, removals = parts(variant, name)
    before = {key: set(automaton.ops()) for key, automaton in automata.items()}
    allowed = {
        CHECK: set(),  # it is still there, and no longer decides anything
        TRYLOCK: {c.LOCK, c.DOWN_READ, c.DOWN_WRITE},
        GRACE_PERIOD: {c.FREE},
        REFERENCE: {c.NOP, c.ADD},
    }
    for found in removals:
        assert (found.automata is None) <= (found.guard.kind == CHECK)
        for key, automaton in (found.automata or {}).items():
            new = set(automaton.ops()) - before[key]
            assert {op.code for op in new} <= allowed.get(found.guard.kind, {c.NOP}), found.guard
            names = {op.name for op in before[key]}
            assert all(op.code == c.ADD or {op.name, op.name[4:-1]} & names for op in new)  # "(no NAME)"


@pytest.mark.parametrize(("variant", "name"), CASES)
def test_threads_that_do_not_run_a_guards_text_keep_their_automaton(variant: str, name: str) -> None:
    """They are not even copied."""
    _, automata, removals = parts(variant, name)
    for found in removals:
        for key, automaton in (found.automata or {}).items():
            here = any(
                (op.where, op.function) == (found.guard.where, found.guard.function)
                for op in automata[key].ops()
            )
            assert here or automaton is automata[key], (found.guard, key)


def test_a_check_goes_on_as_alone_wherever_its_line_is_run() -> None:
    """The sequence check before ->fault: a reader alone passes it, so without it there is one way on."""
    removals = parts("spf-do-fault", "munmap-file")[2]
    (found,) = [r for r in removals if (r.guard.function, r.guard.kind) == ("do_fault", CHECK)]
    assert found.guard.name == "mmap_seq_read_check(mm->mmap_seq)"
    assert found.guard.place[0] == "spf_patches.py"
    assert found.automata is not None
    nodes = [n for n in found.automata["fault"].nodes if n.op.where == found.guard.where]
    assert nodes
    assert all(node.successors[0] == node.successors[1] for node in nodes)


def test_a_check_that_never_fails_in_the_race_need_not_be_searched() -> None:
    """What alone always happens, and in the race too, cannot make a difference."""
    race, automata, _ = parts("spf-do-fault", "munmap-file")
    own = {actor.name: alone(race, automata, actor.name) for actor in race.actor}
    checks = [r for r in find_guards(automata, own, own) if r.guard.kind == CHECK]
    assert checks
    assert all(check.automata is None for check in checks)


def test_text_that_the_race_never_comes_by_has_no_guards() -> None:
    """Here, where nobody moves at all."""
    race, automata, _ = parts("spf-do-fault", "munmap-file")
    own = {actor.name: alone(race, automata, actor.name) for actor in race.actor}
    assert find_guards(automata, own, {}) == []


def test_only_wanted_primitives_are_taken_out() -> None:
    """A caller may leave shared text alone."""
    race, automata, removals = parts("spf-do-fault", "munmap-file")
    everything = {key: {(n, o) for n in range(len(a)) for o in range(4)} for key, a in automata.items()}
    own = {actor.name: alone(race, automata, actor.name) for actor in race.actor}
    some = find_guards(automata, own, everything, lambda op: op.function == "do_fault")
    assert {r.guard for r in some} == {r.guard for r in removals if r.guard.function == "do_fault"}
    assert len(some) == 2  # the RCU section and the check that RFC 24/37 adds


@pytest.mark.parametrize(
    ("variant", "race", "name", "code", "sleeps"),
    [
        ("spf-do-fault", "munmap-file", "spin_trylock", c.LOCK, False),
        ("spf-do-fault", "munmap-file", "folio_trylock", c.LOCK, True),
        ("spf-do-fault", "munmap-file", "mmap_read_trylock", c.DOWN_READ, True),
        ("mmap-lock", "retract-munmap", "mmap_write_trylock", c.DOWN_WRITE, True),
    ],
)
def test_a_trylock_becomes_the_lock_that_waits(
    variant: str, race: str, name: str, code: int, sleeps: bool
) -> None:
    """A rwsem's and a folio's sleep, a spinlock's does not; what is done if it is not taken is gone."""
    found = removal(variant, race, TRYLOCK, name)
    assert found.automata is not None
    here = [op for a in found.automata.values() for op in a.ops() if op.where == found.guard.where]
    ops = {op for op in here if op.code != c.READ_PMD}  # which one of the texts has on the same line
    assert {(op.code, op.outcomes, op.imm, op.sleeps) for op in ops} == {(code, (None,), 0, sleeps)}


def test_a_line_that_works_on_several_objects_is_one_guard() -> None:
    """v6.12's vma_start_write() locks VMAs of any register: its lock is named by the class."""
    names = [
        r.guard.name
        for r in parts("per-vma-6.12", "retract-munmap")[2]
        if r.guard.function == "vma_start_write"
    ]
    assert "vma_start_write(vma->vm_lock)" in names
    assert len(names) == len(set(names))


def test_a_writers_mark_is_a_guard_and_what_a_call_stores_is_not() -> None:
    """Readers compare vm_lock_seq and detached; nobody compares the protection that mprotect sets."""
    marks = {r.guard.name for r in parts("per-vma-6.12", "heap")[2] if r.guard.kind == STORE}
    assert marks == {"store vm_lock_seq(vma->vm_lock_seq)", "store 1(vma->detached)"}
    assert [r.guard.name for r in parts("mmap-lock", "mprotect")[2] if r.guard.kind == STORE] == []


def test_what_a_thread_works_out_by_itself_is_no_check() -> None:
    """munmap's list of tables to free is empty or not by what munmap did; nobody else's doing."""
    names = {r.guard.name for r in parts("mmap-lock", "munmap-first-table")[2] if r.guard.kind == CHECK}
    assert "gathered == NULL" not in names
    assert "load(vma->anon_vma)" in names


def test_facts_that_depend_on_other_actors_are_those_of_the_whole_race() -> None:
    """With writeback about, a page-table allocation may have to wait; alone the fault has the same automaton.

    So its nodes are those of the race: alone each executes what follows what it has executed before.
    """
    race, automata, _ = parts("per-vma-refcnt", "writeback-fault")
    own = alone(race, automata, "fault")
    nodes = automata["fault"].nodes
    reached = {0} | {nodes[node].successors[outcome] for node, outcome in own}
    assert {node for node, _ in own} <= reached
    assert any(nodes[node].op.name == "memcg reclaim" for node, _ in own)


def test_guards_are_listed_in_the_order_of_the_text() -> None:
    """Line 9 comes before line 10, functions by name."""
    guards = [
        Guard("g", LOCK, "b", "/x/a.py:9"),
        Guard("f", LOCK, "b", "/x/a.py:10"),
        Guard("f", CHECK, "a", "/y/a.py:9"),
    ]
    ordered = sorted(guards, key=lambda guard: guard.order)
    assert [(g.function, *g.place) for g in ordered] == [
        ("f", "a.py", 9),
        ("f", "a.py", 10),
        ("g", "a.py", 9),
    ]


def test_a_guard_is_taken_out_for_one_caller_and_stays_for_the_others() -> None:
    """v6.12's brk locks the heap's VMA and the one that it splits off: without the first, the second is left."""
    removals = parts("per-vma-6.12", "heap", callers=True)[2]
    locks = [r for r in removals if r.guard.function == "vma_start_write" and r.guard.kind == LOCK]
    whole, *calls = sorted(locks, key=lambda r: r.guard.caller is not None)
    assert whole.guard.caller is None
    assert {c.guard.everywhere for c in calls} == {whole.guard}
    assert len(calls) >= 2
    for call in calls:
        assert call.guard.caller is not None
        assert call.automata is not None
        left = sum(op.name.startswith("vma_start_write(") for a in call.automata.values() for op in a.ops())
        assert left > 0
    assert whole.automata is not None
    taken = [op.name for a in whole.automata.values() for op in a.ops() if op.where == whole.guard.where]
    assert taken
    assert all(name.startswith("(no ") for name in taken)


def test_what_is_left_has_no_callers() -> None:
    """So that equal calls are one again, as they are in a search of the design."""
    for found in parts("per-vma-6.12", "heap", callers=True)[2]:
        assert all(op.caller is None for a in (found.automata or {}).values() for op in a.ops())


def test_a_guard_without_which_threads_do_the_same_need_not_be_searched() -> None:
    """A store that is read by nobody else, taken out where nothing is left to do: two ends that are one."""

    def text() -> Steps:
        if (yield equals(at(o.vma, o.VM_START), 1, "same?")):
            yield work("after")
        else:
            yield work("after")

    automata = {"thread": Extractor(lambda name, args: iter(())).automaton("thread", text)}  # type: ignore[arg-type]
    covered = {"thread": {(n, outcome) for n in range(len(automata["thread"])) for outcome in range(2)}}
    alone_here = {"thread": {(0, 0)}}
    (found,) = find_guards(automata, alone_here, covered)
    assert (found.automata, found.why) == (None, ALIKE)


@pytest.mark.parametrize(
    ("variant", "race", "why"),
    [
        ("per-vma-6.12", "first-writes", ALIKE),
        ("per-vma-6.12", "munmap-file", ""),  # which frees the VMA by RCU
        ("per-vma-refcnt", "first-writes", ""),  # looks at VMAs that may be recycled
    ],
)
def test_an_rcu_section_that_nobody_waits_for_need_not_be_searched(variant: str, race: str, why: str) -> None:
    """No grace period, no memory that stays of its type: a search without any of them ends in as many states."""
    shipped, automata, removals = parts(variant, race)
    assert {removal.why for removal in removals if removal.guard.kind == RCU} == {why}
    if why:
        bare = dict(automata)
        for name, automaton in automata.items():
            begins = [n for n, node in enumerate(automaton.nodes) if node.op.code == c.RCU_READ_LOCK]
            without = without_sections(automaton, begins)
            assert without is not None
            bare[name] = without
        assert bare != automata
        one, other = (explore(build_world(shipped, some), Options(first=False)) for some in (automata, bare))
        assert (one.complete, one.violations, one.ends) == (other.complete, other.violations, other.ends)

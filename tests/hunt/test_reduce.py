"""A race is made smaller while it breaks in the same way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.hunt.memories import MEMORIES
from spfvar.hunt.programs import groups
from spfvar.hunt.reduce import as_tables, reduced
from spfvar.scenario.race import Race, race_hash

GROUPS = [group for name in ("heap", "place", "over", "child") for group in groups(MEMORIES[name], 2, [2])]


def example(number: int) -> Race:
    """One of many generated races."""
    races = list(GROUPS[number % len(GROUPS)].races())
    return races[number // len(GROUPS) % len(races)]


def verbs(race: Race) -> set[str]:
    """The verbs of a race."""
    return {statement.verb for actor in race.actor for statement in actor.program}


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_what_decides_is_kept_and_nothing_else(number: int) -> None:
    """Breaks whenever a verb is there: one actor with that statement is left, on a memory without entries."""
    race = example(number)
    wanted = race.actor[-1].program[-1].verb
    small = reduced(race, lambda one: wanted in verbs(one))
    assert verbs(small) == {wanted}
    assert small.threads == 1
    assert not small.tlb
    named = {s.target for a in small.actor for s in a.program} | {
        s.to for a in small.actor for s in a.program
    }
    mapped_over = {vma.name for vma in small.vma} - named  # map_over needs what it goes over
    assert len(mapped_over) <= 1


def test_a_race_of_which_everything_matters_stays_as_it_is() -> None:
    """Nothing is taken away if nothing smaller breaks."""
    race = example(7)
    assert race_hash(reduced(race, lambda one: race_hash(one) == race_hash(race))) == race_hash(race)


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_tables_are_the_race(number: int) -> None:
    """What is left out of a file is the default."""
    race = example(number)
    assert race_hash(Race.model_validate(as_tables(race))) == race_hash(race)

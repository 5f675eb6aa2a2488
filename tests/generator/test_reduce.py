"""A race is made smaller while it breaks in the same way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.generator.memories import MEMORIES
from spfvar.generator.programs import groups
from spfvar.generator.reduce import as_tables, reduced
from spfvar.scenario.race import Race, race_hash
from spfvar.scenario.verbs import VERBS

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
    assert wanted in verbs(small)
    assert all(VERBS[verb].maps for verb in verbs(small) - {wanted})  # what there would be nothing without
    assert small.threads <= 2
    assert not small.tlb or wanted == "schedule"  # which needs them


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

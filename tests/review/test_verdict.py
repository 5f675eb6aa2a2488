"""The three lines of a verdict: from results alone, and each a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from spfvar.kernel.conform import Conformity
from spfvar.review.model import (
    HELPS,
    HURTS,
    SAME,
    UNSURE,
    VERDICT_WIDTH,
    Duel,
    Generated,
    RaceOutcome,
    Safety,
    Speed,
    Violation,
)
from spfvar.review.verdict import make_verdict, text_line
from tests.review.made_up import duel, effect, load, outcome, repaired, subject, trace


def safety(*outcomes: RaceOutcome) -> Safety:
    """These cells, and nothing else."""
    return Safety({one.race: "" for one in outcomes}, outcomes, (), ())


def speed(*duels: Duel) -> Speed:
    """These duels."""
    return Speed(duels, (), ())


SAFE = safety(outcome("mine", "one"), outcome("mine", "two"), outcome("other", "one", "violation"))


def test_safe_counts_races_and_states_of_the_variant_alone() -> None:
    """Two races of 1234 states; that another variant is broken does not matter."""
    verdict = make_verdict(SAFE, speed(), subject("mine"))
    assert verdict.is_safe is True
    assert verdict.safe == "yes: every interleaving of 2 races, 2.47k states"


def test_a_violation_is_named_with_its_race() -> None:
    """One of two races is broken."""
    verdict = make_verdict(
        safety(outcome("mine", "one"), outcome("mine", "two", "violation")), speed(), subject("mine")
    )
    assert verdict.is_safe is False
    assert verdict.safe == "NO, 1 of 2 races: P1 in two"


def test_an_incomplete_search_leaves_it_open() -> None:
    """Nothing found is not nothing there; but a violation outweighs it."""
    left = outcome("mine", "one", "incomplete")
    assert make_verdict(safety(left, outcome("mine", "two")), speed(), subject("mine")).is_safe is None
    assert make_verdict(safety(left), speed(), subject("mine")).safe == "open in 1 of 1 race: one"
    assert (
        make_verdict(safety(left, outcome("mine", "two", "violation")), speed(), subject("mine")).is_safe
        is False
    )


def found(*properties: str) -> Generated:
    """500 races of up to three statements, of which one breaks for each property."""
    broken = [Violation("mine", f"race-{name}", name, "", trace(), "") for name in properties]
    return Generated(500, 3, 12345, True, True, tuple(broken))


def test_generated_races_have_a_line_of_their_own() -> None:
    """What was searched is said, for a sample is not everything."""
    searched = replace(SAFE, generated=found())
    verdict = make_verdict(searched, speed(), subject("mine"))
    assert (verdict.is_safe, verdict.safe[:4]) == (True, "yes:")
    assert verdict.generated == "nothing breaks in 500 races of up to 3 statements, a sample"
    assert make_verdict(SAFE, speed(), subject("mine")).generated == ""


def test_what_breaks_a_generated_race_is_not_safe() -> None:
    """Though every race that somebody wrote holds; those come first where they break, too."""
    verdict = make_verdict(replace(SAFE, generated=found("P1", "P4")), speed(), subject("mine"))
    assert verdict.is_safe is False
    assert verdict.safe == "NO, in generated races: P1 in race-P1, P4 in race-P4"
    assert verdict.generated == "P1 in race-P1, and 1 more, of 500 races of up to 3 statements, a sample"
    broken = replace(safety(outcome("mine", "one", "violation")), generated=found("P4"))
    assert make_verdict(broken, speed(), subject("mine")).safe == "NO, 1 of 1 race: P1 in one"


def test_a_repaired_form_that_a_generated_race_breaks_is_not_safe() -> None:
    """Generated races are run under the repaired form; of the posted one the shipped races tell."""
    cells = safety(outcome("mine", "one"), outcome("mine-posted", "one", "violation"))
    mine = repaired().variant
    verdict = make_verdict(replace(cells, generated=found("P4")), speed(), mine, "mine-posted")
    assert verdict.safe == "As posted: NO (1 of 1 race). With 1 repair: NO (1 generated race)."


def test_worth_it_names_the_best_loads_of_those_that_help() -> None:
    """Of three loads one helps; the best of its cells is named."""
    verdict = make_verdict(SAFE, speed(duel("base")), subject("mine"))
    assert verdict.worth == "1 of 3 loads: fast-load x2.00"


def test_who_pays_is_ordered_by_the_size_of_the_loss() -> None:
    """A writer that waits x1.5 loses more than a load of x0.8: log 1.5 = 0.41, -log 0.8 = 0.22."""
    verdict = make_verdict(SAFE, speed(duel("base")), subject("mine"))
    assert verdict.pays == "fast-load x1.50 writer p99, slow-load x0.80"


def test_throughput_and_writers_are_named_however_small_their_loss() -> None:
    """Thirty large latencies; behind them the two that are always named, and the others counted."""
    stalls = [effect(f"load-with-a-name-{n}", 4, 13.0 - n / 10, "WORSE", "stall_max") for n in range(30)]
    costs = (*stalls, effect("load", 4, 1.1, "WORSE", "writer_p50"), effect("load", 4, 0.95, "WORSE"))
    pays = make_verdict(SAFE, speed(Duel("base", (), (), costs)), subject("mine")).pays
    assert pays.startswith("load-with-a-name-0 x13.0 ")
    assert "load x1.10 writer p50, load x0.95 and " in pays
    named = pays.count(" x")
    assert pays.endswith(f" and {32 - named} more")
    assert named >= 3
    assert len(pays) <= 2 * VERDICT_WIDTH


def test_the_posted_form_comes_first() -> None:
    """With the repair both races are safe, without it one of two is not: that is what a mail's reader asks."""
    verdict = repaired().verdict
    assert verdict.is_safe is False
    assert verdict.safe == "As posted: NO (1 of 2 races). With 1 repair: yes."


def test_a_posted_form_that_is_not_searched_to_the_end_is_open() -> None:
    """And the repaired one may be broken, too."""
    review = repaired()
    cells = (outcome("mine", "one", "violation"), outcome("mine-posted", "one", "incomplete"))
    verdict = make_verdict(safety(*cells), speed(), review.variant, "mine-posted")
    assert verdict.is_safe is None
    assert verdict.safe == "As posted: open (1 of 1 race). With 1 repair: NO (1 of 1 race)."


def test_nobody_pays_if_nothing_is_worse() -> None:
    """A ratio below one that is the same within the noise costs nobody anything."""
    even = Duel("base", (load("even", SAME, effect("even", 1, 0.995, "same")),), (), ())
    verdict = make_verdict(SAFE, speed(even), subject("mine"))
    assert verdict.pays.startswith("nobody")
    assert verdict.worth == "nowhere: better than base in 0 of 1 load"


def test_what_is_unsure_is_not_said_to_cost_nobody_anything() -> None:
    """One of two cells may be a loss: nobody was found to pay, which is not that nobody does."""
    effects = effect("even", 1, 1.0, "same"), effect("even", 4, 0.78, "unsure")
    verdict = make_verdict(
        SAFE, speed(Duel("base", (load("even", UNSURE, *effects),), effects, ())), subject("mine")
    )
    assert verdict.pays == "none found, but 1 of 2 cells unsure: more seeds may tell"


def test_what_is_likely_is_told_where_nothing_is_sure() -> None:
    """A loss on 80 % of the machines costs nobody for sure; a gain beside a likely one is told by its own ratio."""
    effects = effect("one", 1, 1.2, "better"), effect("one", 4, 1.9, "likely better")
    worse = effect("two", 4, 0.8, "likely WORSE")
    loads = load("one", HELPS, *effects), load("two", UNSURE, worse)
    verdict = make_verdict(SAFE, speed(Duel("base", loads, (*effects, worse), ())), subject("mine"))
    assert verdict.worth == "1 of 2 loads: one x1.20"
    assert verdict.pays == "nobody for sure; likely two x0.80"
    nowhere = Duel("base", (load("one", UNSURE, effects[1]),), effects[1:], ())
    told = make_verdict(SAFE, speed(nowhere), subject("mine")).worth
    assert told == "nowhere: better than base in 0 of 1 load; likely one x1.90"


def test_every_other_rival_has_a_line_beside_it() -> None:
    """Where the variant is better than that rival, where worse, with the spread of the ratios."""
    verdict = make_verdict(SAFE, speed(duel("base"), duel("rival")), subject("mine"))
    assert verdict.beside == (
        ("rival", "better in 1 of 3 loads: fast-load (x2.00); WORSE in 1 of 3 loads: slow-load (x0.80)"),
    )


def many(kind: str, verdict: str, ratio: float) -> Sequence[Duel]:
    """Thirty loads with long names."""
    loads = [
        load(f"a-load-with-a-long-name-{n}", kind, effect(f"a-load-with-a-long-name-{n}", 4, ratio, verdict))
        for n in range(30)
    ]
    costs = tuple(one.effects[0] for one in loads) if kind == HURTS else ()
    return [Duel("base", tuple(loads), (), costs)]


@pytest.mark.parametrize("duels", [many(HELPS, "better", 2.0), many(HURTS, "WORSE", 0.5), [duel("base")]])
def test_each_line_fits_however_much_there_is_to_say(duels: Sequence[Duel]) -> None:
    """Thirty loads or thirty broken races: the line says how many more there are."""
    races = [outcome("mine", f"a-race-with-a-long-name-{n}", "violation") for n in range(30)]
    verdict = make_verdict(safety(*races), speed(*duels), subject("mine"))
    for line, lines in ((verdict.safe, 1), (verdict.worth, 1), (verdict.pays, 2)):
        assert 0 < len(line) <= lines * VERDICT_WIDTH
    assert "more" in verdict.safe


def test_the_text_is_said_to_be_compared_with_a_kernel_or_never() -> None:
    """Three numbers that are never one alone; without a recording, that there is none."""
    found = Conformity("mine", "6.1.176", {"a": (3, 1)}, (), (), (), (("find_vma", "why", 2),), 0, 0, 2)
    assert text_line(found) == (
        "3 of 4 faults recorded on 6.1.176 are paths of it; 1 abstracted (spfvar conform mine lists them)"
    )
    assert text_line(replace(found, own_steps=5)) == f"{text_line(found)}; none of its own steps was seen"
    assert text_line(None) == "never compared with a booted kernel"
    assert make_verdict(SAFE, speed(), subject("mine"), text=text_line(found)).text == text_line(found)

"""Acceptors: exactly the projections of an automaton's paths are accepted, and a misfit is told where it is."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from spfvar.automata.automaton import Automaton
from spfvar.kernel.letters import letters_for
from spfvar.kernel.texts import Acceptor, Marked, Misfit, Way, letter_of
from spfvar.mm.fault import MMAP_LOCK, PTL
from spfvar.mm.hookspecs import handle_mm_fault
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops import codes as c
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.primitives import choose, down_read_trylock, spin_lock, spin_unlock, up_read, work
from tests.explore.checking import registry

TABLE = letters_for("6.1.176")
CALLS = Marked(registry().any_variant("mmap-lock"))


def text() -> Steps:
    """Try until the lock is had; then the table's lock, or not."""
    yield loop("again")
    if not (yield down_read_trylock(MMAP_LOCK)):
        yield again("again")
    yield work("local", "nothing to see")
    if (yield choose("table", False, True)):
        yield spin_lock(PTL)
        yield spin_unlock(PTL)
    yield up_read(MMAP_LOCK)


AUTOMATON = CALLS.automaton("text", text)
ACCEPTOR = Acceptor([AUTOMATON], TABLE)
TRY, HAD = "down_read_trylock mmap_lock = 0", "down_read_trylock mmap_lock = 1"
LOCK, UNLOCK, UP = "spin_lock ptl", "spin_unlock ptl", "up_read mmap_lock"


def test_words_of_the_text_are_paths_whatever_is_silent_in_between() -> None:
    """Both branches, any number of tries."""
    assert isinstance(ACCEPTOR.read([HAD, UP]), Way)
    assert isinstance(ACCEPTOR.read([TRY, TRY, HAD, LOCK, UNLOCK, UP]), Way)


def test_the_first_letter_that_does_not_fit_is_told_with_what_would() -> None:
    """Its number; a word that ends too early misses its end."""
    wrong = ACCEPTOR.read([HAD, UNLOCK, UP])
    assert isinstance(wrong, Misfit)
    assert (wrong.at, {edge.letter for edge in wrong.expected}) == (1, {LOCK, UP})
    short = ACCEPTOR.read([HAD, LOCK])
    assert isinstance(short, Misfit)
    assert (short.at, [edge.letter for edge in short.expected]) == (2, [UNLOCK])


def test_what_may_be_skipped_is_only_where_the_text_has_no_such_step() -> None:
    """A letter that the text has as well is taken for it if that leads to the end."""
    way = ACCEPTOR.read([HAD, "spin_lock page_table_lock", UP], {1})
    assert isinstance(way, Way)
    assert way.skipped == (1,)
    way = ACCEPTOR.read([HAD, LOCK, UNLOCK, UP], {1, 2})
    assert isinstance(way, Way)
    assert way.skipped == ()
    way = ACCEPTOR.read([HAD, LOCK, UP], {1})
    assert isinstance(way, Way)
    assert way.skipped == (1,)


def test_steps_are_witnessed_only_if_they_led_to_the_end() -> None:
    """The section around the table's lock was not taken."""
    way = ACCEPTOR.read([HAD, UP])
    assert isinstance(way, Way)
    assert {edge.letter for edge in way.steps} == {HAD, UP}


def test_a_text_without_a_step_has_its_words_without_that_letter() -> None:
    """And no longer those with it."""
    [step] = [edge.kind for edge in ACCEPTOR.visible() if edge.letter == UNLOCK]
    mutant = ACCEPTOR.without(step)
    assert isinstance(mutant.read([HAD, LOCK, UP]), Way)
    assert isinstance(mutant.read([HAD, LOCK, UNLOCK, UP]), Misfit)
    assert isinstance(ACCEPTOR.read([HAD, LOCK, UNLOCK, UP]), Way)


def test_a_text_with_two_steps_swapped_has_its_words_so() -> None:
    """The lock of the table and its release, the wrong way round; what ends the text has nothing behind it."""
    [step] = [edge.kind for edge in ACCEPTOR.visible() if edge.letter == LOCK]
    mutant = ACCEPTOR.swapped(step)
    assert mutant is not None
    assert isinstance(mutant.read([HAD, UNLOCK, LOCK, UP]), Way)
    assert isinstance(mutant.read([HAD, LOCK, UNLOCK, UP]), Misfit)
    [last] = [edge.kind for edge in ACCEPTOR.visible() if edge.letter == UP]
    assert ACCEPTOR.swapped(last) is None


def projection(automaton: Automaton, seed: int) -> list[str]:
    """The letters of one random path from the begin to the end."""
    choice = random.Random(seed)
    word, node = [], 0
    while automaton.nodes[node].op.code != c.END:
        op = automaton.nodes[node].op
        outcome = choice.randrange(len(op.outcomes))
        letter = letter_of(op, op.outcomes[outcome], TABLE)
        word += [letter] if letter is not None else []
        node = automaton.nodes[node].successors[outcome]
    return word


def whole_fault() -> Steps:
    """A shipped text: a write to an anonymous page."""
    yield from handle_mm_fault(VmFault(True, Mapping(neighbours=True)))


FAULT = CALLS.automaton("fault", whole_fault)


@given(st.integers(0, 10_000))
def test_every_path_of_a_shipped_text_is_accepted_and_a_letter_more_at_its_end_is_not(seed: int) -> None:
    """The acceptor has no fewer words than the automaton; behind the end there is nothing."""
    word = projection(FAULT, seed)
    acceptor = Acceptor([FAULT], TABLE)
    assert isinstance(acceptor.read(word), Way)
    longer = acceptor.read([*word, "find_vma"])
    assert isinstance(longer, Misfit)
    assert longer.at == len(word)

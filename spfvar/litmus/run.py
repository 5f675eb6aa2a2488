"""Running a litmus test: its threads through the explorer, its clause on every end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from spfvar.automata.extract import Extractor, StrategyError
from spfvar.automata.layout import Layout, Sizes
from spfvar.automata.link import link
from spfvar.automata.vocabulary import Vocabulary
from spfvar.automata.weaken import OWN, weaken
from spfvar.explore.explore import Exploration, explore
from spfvar.explore.options import Options
from spfvar.explore.running import Running
from spfvar.explore.views import weak_of
from spfvar.explore.world import LANE, RaceWorld, lock_words, packed, sequence_words, without_histories
from spfvar.litmus import ast as a
from spfvar.litmus.automata import Texts
from spfvar.litmus.cursor import UnsupportedTest
from spfvar.ops import codes as c
from spfvar.ops.places import Register
from spfvar.scenario.race import Race
from spfvar.transition.views import SEEN, SEEN_FULL, SEEN_UNORDERED

Outcome = Literal["never", "sometimes", "always", "unordered", "incomplete", "unsupported"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the model says of a test.

    ``verdict``: "never", "sometimes" and "always" as LKMM's; "unordered": no execution that was seen
    satisfies the clause (or none fails to), but some store might have come earlier in its word's order than
    the model lets it; "incomplete": a history or the search was full; "unsupported".  The last three say
    ``why``.
    ``states``: stored states of the search.
    """

    verdict: Outcome
    states: int = 0
    why: str = ""


def judge(test: a.Test, bounds: Options = Options()) -> Judged:  # noqa: B008
    """Explore a litmus test.  Never raises for a test that was read: what is not covered is "unsupported"."""
    try:
        texts = Texts(test)
        world = build(texts)
    except UnsupportedTest as error:
        return Judged("unsupported", why=error.why)
    except StrategyError as error:
        return Judged("unsupported", why=str(error))
    options = replace(bounds, first=False, livelock=False, forget=False, symmetry=False)
    found = explore(world, options)
    return _verdict(texts, world, found)


def build(texts: Texts) -> RaceWorld:
    """The world of a litmus test: its words are fields of one mm."""
    extractor = Extractor(_no_hooks)
    extractor.vocabulary = Vocabulary(OWN)
    count = len(texts.test.threads)
    automata = {f"P{n}": extractor.automaton(f"P{n}", texts.text(n)) for n in range(count)}
    automata = weaken(automata)
    sizes = Sizes(
        threads=count,
        vmas=0,
        tables=0,
        files=0,
        folios=0,
        pages=1,
        pt_shift=0,
        stale=c.SMALL_STALE,
        align=LANE,
    )
    layout = Layout(sizes, automata.values())
    program = link(automata, layout, lifetimes=True)
    state = packed(layout.empty_state())
    layout.begin_histories(state)
    for thread in range(count):
        state[layout.thread_base(thread) + c.T_PC] = program.entry[f"P{thread}"]
        for name, value in texts.registers[thread].items():
            if Register(name) in layout.registers:
                state[layout.thread_word(thread, Register(name))] = value
    return RaceWorld(
        Race.model_construct(), layout, program, automata, state, lock_words(layout), sequence_words(layout),
        tuple(automata), tuple(range(count)), weak_of(layout, program, Running((1,) * count)),
    )  # fmt: skip


def _no_hooks(name: str, args: tuple[Any, ...]) -> Any:
    raise StrategyError(f"{name}: a litmus test calls nothing")


def _verdict(texts: Texts, world: RaceWorld, found: Exploration) -> Judged:
    test = texts.test
    holds = fails = False
    for state in _ends(world, found):
        value = _Ends(texts, world, state)
        if test.filter is not None and not value.holds(test.filter):
            continue
        if value.holds(test.clause):
            holds = True
        else:
            fails = True
    if holds and fails:
        return Judged("sometimes", found.states)
    seen = world.weak.seen if world.weak is not None else np.zeros(SEEN, dtype=np.int64)
    if any(violation.code == c.V_BUG for violation in found.violations):
        return Judged("unsupported", found.states, "a value or an address was not foreseen")
    if not found.complete:
        return Judged("incomplete", found.states, found.why)
    if seen[SEEN_FULL]:
        return Judged("incomplete", found.states, f"history full: {_at(world, int(seen[SEEN_FULL]))}")
    if seen[SEEN_UNORDERED]:
        return Judged("unordered", found.states, f"unordered stores: {_at(world, int(seen[SEEN_UNORDERED]))}")
    return Judged("always" if holds else "never", found.states)


def _at(world: RaceWorld, noted: int) -> str:
    """The primitive that was noted, and whose it is."""
    node = noted - 1
    entries = world.program.entry
    name = next(n for n, first in entries.items() if 0 <= node - first < len(world.automata[n]))
    return f"{world.program.ops[node].name} of {name}"


def _ends(world: RaceWorld, found: Exploration) -> Iterator[Any]:
    """The states in which every thread has ended, but for histories and views."""
    search = found.search
    space, rules = search.space, search.rules
    keys = space.keys.rows[: found.states]
    ended = np.ones(found.states, dtype=bool)
    nodes = space.threads.rows.view(np.int16).reshape(len(space.threads.rows), -1)[:, c.T_PC]
    for word, bit, mask in rules.fields.tolist()[:-1]:  # the last is memory
        ended &= rules.table[nodes[keys[:, word] >> bit & mask], c.C_OP] == c.END
    for number in np.flatnonzero(ended).tolist():
        state = search.words_of(number)
        yield without_histories(state, search.world.layout, world.layout) if world.weak is not None else state


class _Ends:
    """The values at the end of one execution."""

    def __init__(self, texts: Texts, world: RaceWorld, state: Any) -> None:
        self._texts, self._layout, self._state = texts, world.layout, state

    def holds(self, clause: a.Clause) -> bool:
        """Does the clause hold?"""
        if isinstance(clause, a.Equal):
            return self._value(clause.left) == self._value(clause.right)
        if isinstance(clause, a.Not):
            return not self.holds(clause.clause)
        if isinstance(clause, a.And):
            return all(self.holds(one) for one in clause.clauses)
        return any(self.holds(one) for one in clause.clauses)

    def _value(self, term: a.Term) -> int:
        layout = self._layout
        if isinstance(term, a.FinalRegister):
            register = Register(term.name)
            if register in layout.registers:
                return int(self._state[layout.thread_word(term.thread, register)])
            return self._texts.registers[term.thread].get(term.name, 0)
        if isinstance(term, a.FinalWord):
            field = self._texts.field(term.word)
            return (
                int(self._state[layout.word(field)]) if layout.has(field) else self._texts.initial[term.word]
            )
        return self._texts.number(term)

"""Machines over C of a test, in words of a test."""

from __future__ import annotations

from collections.abc import Iterable

from spfvar.csource.machine import Machine
from spfvar.csource.nfa import Nfa
from spfvar.csource.parse import parse
from spfvar.csource.units import Exemption
from spfvar.csource.words import Words, WordsFile


def machine(
    text: str, words: WordsFile, inline: Iterable[str] = (), exceptions: Iterable[Exemption] = ()
) -> tuple[Machine, Nfa]:
    """The machine, and the graph of the function ``f``."""
    functions = parse(text, "f.c").functions
    inlined = frozenset(inline)
    made = Machine(Words(words), lambda name: functions[name] if name in inlined else None, exceptions)
    return made, made.nfa(functions["f"])


def words_up_to(nfa: Nfa, length: int) -> set[tuple[str, ...]]:
    """Every word of at most so many letters that ends."""
    found: set[tuple[str, ...]] = set()
    seen: set[tuple[tuple[str, ...], int]] = {((), state) for state in nfa.starts}
    ahead: list[tuple[tuple[str, ...], int]] = list(seen)
    while ahead:
        word, state = ahead.pop()
        if state in nfa.ends:
            found.add(word)
        steps = [(word, to) for to in nfa.silent[state]]
        steps += [((*word, edge.letter), edge.to) for edge in nfa.edges[state] if len(word) < length]
        for step in steps:
            if step not in seen:
                seen.add(step)
                ahead.append(step)
    return found

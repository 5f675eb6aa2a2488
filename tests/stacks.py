"""Stacks and automata of the shipped variants, which all tests of a process share: extraction takes its time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from spfvar.automata.automaton import Automaton
from spfvar.plugins.registry import load_registry, sample_texts
from spfvar.plugins.variant import Stack


@cache
def stack(variant: str) -> Stack:
    """The stack of a shipped variant or twin, which remembers what it extracted."""
    return Stack(load_registry().any_variant(variant))


@cache
def automata(variant: str) -> Mapping[str, Automaton]:
    """Every kind of fault and every writer of a variant."""
    return {name: stack(variant).automaton(name, text) for name, text in sample_texts()}

"""The shipped variants conform: what costs little of the kit; that they are safe and run is tested elsewhere.

Few races: what the others would add are faults on more kinds of mapping, and the movers.
"""

from __future__ import annotations

import pytest

from spfvar.conformance.kit import CHECKS, check_variant
from spfvar.conformance.paths import follow
from spfvar.conformance.result import PASS
from spfvar.conformance.running import Scope
from spfvar.conformance.sections import Sections, told_by_state
from spfvar.conformance.subject import Subject
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry

REGISTRY = load_registry()
RACES = ("mremap-source", "retract-read")
STATIC = [name for name in CHECKS if name not in ("safe", "runs")]


def subject(variant: str) -> Subject:
    """A variant, or a twin, and the few races."""
    races = catalogue.races()
    return Subject(REGISTRY.any_variant(variant), REGISTRY, {name: races[name] for name in RACES})


@pytest.mark.parametrize("variant", REGISTRY.variants)
def test_shipped_variants_conform(variant: str) -> None:
    """Every check that runs nothing passes; and the path's history is in the node, as in the kernel's C.

    That is: in faults and writers, every node has one set of what is held, so as many (node, held) pairs as
    nodes; but for spinlocks of which the state alone tells whether they are held.
    """
    found = subject(variant)
    for result in check_variant(found, Scope(), STATIC):
        assert (result.status, result.troubles) == (PASS, ()), result.check
    for text in found.texts:
        if text.is_fault or text.name.startswith("writers"):
            automaton = found.automata[text.name]
            rules = Sections(told_by_state([automaton]))
            assert follow(automaton, rules).states == len(automaton)


@pytest.mark.parametrize(
    ("twin", "check", "what"),
    [
        ("h5@spf-do-fault", "references",
         "filemap_get_folio in filemap_fault(): a path ends with a reference (folio->refcount) kept"),
        ("h7@spf-anon", "sections",
         "mmu_notifier_invalidate_range_start(mm->notifier_subscriptions) in wp_page_copy(): "
         "a path ends with mm->notifier_subscriptions for reading held"),
        ("s7-sleep@spf-do-fault", "sections",
         "folio_lock(folio->lock) in filemap_fault(): "
         "a path may sleep in folio_lock(folio->lock), in an RCU section"),
    ],
)  # fmt: skip
def test_published_bugs_of_single_paths_are_found_without_a_race(twin: str, check: str, what: str) -> None:
    """A leaked page, a section without end, a sleep in an RCU section: who is to blame, on which path."""
    [result] = check_variant(subject(twin), Scope(), [check])
    [trouble, *_] = [trouble for trouble in result.troubles if trouble.what == what]
    assert ".py:" in trouble.where
    assert trouble.details[-1].startswith("path: mm_users(mm->mm_users): no; ")
    assert trouble.do

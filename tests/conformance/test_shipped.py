"""The shipped variants conform: what costs little of the kit; that they are safe and run is tested elsewhere.

Few races: what the others would add are faults on more kinds of mapping, and the movers.
"""

from __future__ import annotations

import pytest

from spfvar.conformance.kit import CHECKS, check_variant
from spfvar.conformance.paths import follow
from spfvar.conformance.result import PASS
from spfvar.conformance.running import Scope
from spfvar.conformance.sections import Sections
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
    nodes.
    """
    found = subject(variant)
    for result in check_variant(found, Scope(), STATIC):
        assert (result.status, result.troubles) == (PASS, ()), result.check
    for text in found.texts:
        if text.is_fault or text.name.startswith("writers"):
            automaton = found.automata[text.name]
            assert follow(automaton, Sections()).states == len(automaton)


@pytest.mark.parametrize(
    ("twin", "check", "says", "taken"),
    [
        ("h5@spf-do-fault", "references", "ends with a reference (folio->refcount) kept", "filemap_get_folio"),
        ("h7@spf-anon", "sections", "ends with mm->notifier_subscriptions for reading held",
         "mmu_notifier_invalidate_range_start"),
        ("s7-sleep@spf-do-fault", "sections", "may sleep in folio_lock(folio->lock), in an RCU section",
         "rcu_read_lock()"),
    ],
)  # fmt: skip
def test_published_bugs_of_single_paths_are_found_without_a_race(
    twin: str, check: str, says: str, taken: str
) -> None:
    """A leaked page, a section without end, a sleep in an RCU section: each with what took it and the path."""
    [result] = check_variant(subject(twin), Scope(), [check])
    troubles = [trouble for trouble in result.troubles if says in trouble.what]
    assert troubles
    for trouble in troubles:
        assert [d for d in trouble.details if d.startswith(f"taken: {taken}") and ".py:" in d]
        assert [d for d in trouble.details if d.startswith("path: ")]
        assert trouble.do

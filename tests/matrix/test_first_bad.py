"""A bug in each prefix of a series: the first in which it shows."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from spfvar.matrix import catalogue
from spfvar.matrix.cases import Case, make_cases
from spfvar.matrix.first_bad import first_bad_patches
from spfvar.plugins.registry import Registry, load_registry
from spfvar.store.database import Store


def _cases(registry: Registry, *twins: str) -> list[Case]:
    cases = make_cases(registry, catalogue.races(), twins, (), twins=True)
    return [case for case in cases if case.variant.name == case.twin]


def test_a_bug_shows_with_the_patch_that_lets_faults_do_what_it_is_in(tmp_path: Path) -> None:
    """H4 with 16, which lets anonymous faults speculate (docs/series.md).

    V18's text has calls that patch 9 brings: what is before has no such text, and is no error.  A bug of a
    design that has other patches, too, has no first one; a second time nothing is searched.
    """
    registry = load_registry()
    cases = _cases(registry, "h4@spf-anon", "v18@spf-anon", "h4@spf-dufour-v12")
    with closing(Store(tmp_path / "store")) as store:
        found = first_bad_patches(cases, registry, store=store)
        assert {name: one.stack for name, one in found.items()} == {
            "h4@spf-anon": "spf@16",
            "v18@spf-anon": "spf@9",
        }
        patch = found["h4@spf-anon"].patch
        assert patch is not None
        assert patch.number == 16
        hits = store.hits
        assert first_bad_patches(cases, registry, store=store) == found
    assert store.hits > hits


def test_a_bug_that_needs_no_patch_of_the_series_shows_without_any() -> None:
    """H3 is a writer's own: a stack that grows under the read lock."""
    registry = load_registry()
    first = first_bad_patches(_cases(registry, "h3@spf-anon"), registry)["h3@spf-anon"]
    assert (first.stack, first.patch) == ("spf@0", None)

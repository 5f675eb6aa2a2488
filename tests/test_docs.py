"""The documents: names exist, links lead somewhere (tests/docs runs their examples)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from docs._ext.reference import pages
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@cache
def generated() -> set[Path]:
    """The pages that exist once the documentation is built."""
    return {ROOT / "docs" / "reference" / f"{name}.md" for name in pages()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file or folder that exists, or a page that is generated."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        path = (page.parent / target).resolve()
        assert path.exists() or path in generated(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_is_in_the_table_of_contents(page: Path) -> None:
    """A page of docs/ is reached from its index."""
    index = (ROOT / "docs" / "index.md").read_text()
    assert page.parent == ROOT or page.stem == "index" or re.search(rf"^{page.stem}$", index, re.MULTILINE)


def test_fidelity_speaks_of_every_profile() -> None:
    """docs/fidelity.md says of each shipped profile what was fitted."""
    text = (ROOT / "docs/fidelity.md").read_text()
    assert [name for name in catalogue.hardware().names() if f"| {name} |" not in text] == []


def test_fidelity_names_tests_that_exist() -> None:
    """A published finding that is said to be tested has that test."""
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/fidelity.md").read_text()))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert named
    assert named - there == set()


def test_the_changelog_names_every_variant() -> None:
    """Users can read there what there is."""
    text = (ROOT / "CHANGELOG.md").read_text()
    shipped = [n for n, v in load_registry().variants.items() if v.origin.startswith("spfvar.")]
    assert [name for name in shipped if f"`{name}`" not in text] == []

"""The documents: examples run, names exist, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spfvar.api import usable
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import HOOKS
from spfvar.plugins.registry import load_registry

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file or folder that exists."""
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_example_plugin_works_as_printed(tmp_path: Path) -> None:
    """The code of docs/plugins.md loads and its variant can be extracted."""
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/plugins.md").read_text(), re.DOTALL)
    assert code is not None
    plugin = tmp_path / "my_idea.py"
    plugin.write_text(code[1])
    registry = load_registry([str(plugin)])
    assert usable(registry, ["my-idea"]) == ["my-idea"]
    assert registry.problems == []


def test_fidelity_speaks_of_every_profile() -> None:
    """docs/fidelity.md says of each shipped profile what was fitted."""
    text = (ROOT / "docs/fidelity.md").read_text()
    assert [name for name in catalogue.hardware().names() if f"| {name} |" not in text] == []


def test_every_hook_point_has_a_contract() -> None:
    """Each specification says in its docstring what it is for."""
    assert [name for name, spec in HOOKS.items() if not (spec.__doc__ or "").strip()] == []


def test_the_changelog_names_every_variant() -> None:
    """Users can read there what there is."""
    text = (ROOT / "CHANGELOG.md").read_text()
    shipped = [n for n, v in load_registry().variants.items() if v.origin.startswith("spfvar.")]
    assert [name for name in shipped if f"`{name}`" not in text] == []

"""Plugin files that import the files beside them: their own, and nobody else's."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

import pytest

from spfvar.matrix.runs import digest_of
from spfvar.mm.hookspecs import HOOKS
from spfvar.plugins.registry import load_registry

PLUGIN = """
{imported}
from spfvar.plugins.variant import Variant
VARIANTS = [Variant("{name}", helper.TITLE, "v5.12", "here", (helper.Patch,))]
"""
HELPER = """
from spfvar.mm.hookspecs import hookimpl
TITLE = "{title}"


class Patch:
    @hookimpl
    def find_mergeable_anon_vma(self, vmf):
        return False
        yield
"""
WAYS = (
    "import helper",
    "from . import helper",
    "import helper as other; from . import helper; assert other is helper",
)


def written(folder: Path, name: str, title: str, imported: str = WAYS[0]) -> str:
    """A plugin with a helper beside it; returns the plugin's path."""
    folder.mkdir(exist_ok=True)
    (folder / "helper.py").write_text(HELPER.format(title=title))
    plugin = folder / f"{name}.py"
    plugin.write_text(PLUGIN.format(imported=imported, name=name))
    return str(plugin)


@pytest.mark.parametrize("imported", WAYS)
def test_a_plugin_imports_its_neighbour(tmp_path: Path, imported: str) -> None:
    """Plainly or relatively, it is the same module; its patches work, and their text can be found for saved runs."""
    registry = load_registry([written(tmp_path, "mine", "beside", imported)])
    assert registry.problems == []
    variant = registry["mine"]
    assert variant.title == "beside"
    assert registry.check(variant.name)
    assert inspect.getsourcefile(variant.patches[0]) == str(tmp_path / "helper.py")
    assert digest_of(variant)


def test_two_plugins_have_each_their_own_neighbour(tmp_path: Path) -> None:
    """Of the same name, in one run; and nothing of it is left behind."""
    before, finders = set(sys.modules), list(sys.meta_path)
    plugins = [written(tmp_path / name, name, f"of {name}") for name in ("one", "two")]
    registry = load_registry(plugins)
    assert [registry[name].title for name in ("one", "two")] == ["of one", "of two"]
    assert registry["one"].patches != registry["two"].patches
    assert digest_of(registry["one"]) != digest_of(registry["two"])
    assert all(name.startswith("spfvar_plugin_") for name in set(sys.modules) - before)
    assert sys.meta_path == finders


def test_two_plugins_of_a_folder_share_their_neighbour(tmp_path: Path) -> None:
    """It is executed once: a hook point that it declares may be declared only once."""
    plugins = [written(tmp_path, name, "shared") for name in ("one", "two")]
    registry = load_registry(plugins)
    assert registry["one"].patches == registry["two"].patches


def test_neighbours_import_each_other(tmp_path: Path) -> None:
    """Also in a circle, as in any package, and the plugin itself."""
    plugin = written(tmp_path, "mine", "beside", "import first, helper; assert first.second.first is first")
    (tmp_path / "first.py").write_text("import second\n")
    (tmp_path / "second.py").write_text("import first\nfrom . import mine\n")
    assert load_registry([plugin]).problems == []


def test_a_neighbour_takes_nobodys_place(tmp_path: Path) -> None:
    """What is installed is found first, even if nobody has imported it yet."""
    plugin = written(tmp_path, "mine", "beside", "import helper, json, colorsys; assert colorsys.rgb_to_hsv")
    for name in ("json", "colorsys"):
        (tmp_path / f"{name}.py").write_text("raise ValueError\n")
    registry = load_registry([plugin])
    assert registry.problems == []
    assert sys.modules["json"] is json


def test_an_edit_of_a_neighbour_is_noticed(tmp_path: Path) -> None:
    """Two texts of one length, written within a second."""
    for title in ("abc", "xyz"):
        assert load_registry([written(tmp_path, "mine", title)])["mine"].title == title
    assert not (tmp_path / "__pycache__").exists()


def test_a_broken_neighbour_is_told_by_file_and_line(tmp_path: Path) -> None:
    """As a broken plugin is; the next attempt executes it again."""
    plugin = written(tmp_path, "mine", "beside")
    (tmp_path / "helper.py").write_text("x = 1\nraise ValueError('wrong')\n")
    for _ in range(2):
        (problem,) = load_registry([plugin]).problems
        assert problem.message == f"{tmp_path / 'helper.py'}:2: ValueError: wrong"


def test_a_neighbour_of_a_plugin_that_broke_is_executed_again(tmp_path: Path) -> None:
    """Its hook points were taken back with the plugin's, so that it has to declare them anew."""
    declares = "from spfvar.mm.hookspecs import hook_point\n@hook_point\ndef of_a_neighbour(vmf): ...\n"
    broken = written(tmp_path, "broken", "beside", "import helper\n1 / 0")
    sound = written(tmp_path, "sound", "beside")
    (tmp_path / "helper.py").write_text(f"{HELPER.format(title='beside')}\n{declares}")
    before = dict(HOOKS)
    try:
        registry = load_registry([broken, sound])
        assert [problem.origin for problem in registry.problems] == [broken]
        assert "of_a_neighbour" in HOOKS
    finally:
        HOOKS.clear()
        HOOKS.update(before)

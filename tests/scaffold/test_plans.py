"""What is written: texts that load, name what they should, and are tidy."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from spfvar.errors import InputError
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Variant
from spfvar.scaffold import plans

REGISTRY = load_registry()
HERE = Path()


def written(plan: plans.Plan, folder: Path) -> None:
    """Put a plan's files into a folder."""
    for path, text in plan.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("base", [None, *REGISTRY.variants])
def test_a_variant_stacks_its_patch_on_any_other(tmp_path: Path, base: str | None) -> None:
    """It loads beside the shipped ones; its patches and events are the base's, and one more."""
    on = plans.find_base(REGISTRY, base) if base is not None else None
    written(plans.variant("my-idea", on, HERE, REGISTRY), tmp_path)
    registry = load_registry([str(tmp_path / "my_idea.py")])
    assert registry.problems == []
    below = REGISTRY[base] if base is not None else Variant("below", "", "v5.12", "")
    mine = registry["my-idea"]
    assert mine.patches[:-1] == below.patches
    assert mine.patches[-1].__name__ == "MyIdea"
    assert mine.events[:-1] == below.events
    assert mine.kernel == below.kernel
    assert mine.rivals == (() if base is None else (base,))


def test_an_unknown_base_gets_the_nearest_name() -> None:
    """As everywhere."""
    with pytest.raises(InputError, match="did you mean 'spf-do-fault'"):
        plans.find_base(REGISTRY, "spf-do-falt")


def test_a_base_from_a_file_cannot_be_imported(tmp_path: Path) -> None:
    """A plugin file has no name that another module could import it by."""
    written(plans.variant("my-idea", None, HERE, REGISTRY), tmp_path)
    registry = load_registry([str(tmp_path / "my_idea.py")])
    with pytest.raises(InputError, match="which no other module can import"):
        plans.find_base(registry, "my-idea")


def test_a_readme_that_exists_is_left_alone_and_gets_a_line_to_paste(tmp_path: Path) -> None:
    """Only what is new is written."""
    (tmp_path / "README.md").write_text("mine")
    plan = plans.variant("my-idea", None, tmp_path, REGISTRY)
    assert sorted(path.name for path in plan.files) == ["my_idea.py", "test_my_idea.py"]
    assert any("left as it is" in line for line in plan.next)
    assert any(line.startswith("* `my-idea`") for line in plan.next)


@pytest.mark.parametrize("name", ["variant", "event", "steps", "generator", "vm-fault"])
def test_a_patch_is_never_called_what_its_module_imports(name: str) -> None:
    """The class would hide it."""
    files = plans.variant(name, None, HERE, REGISTRY).files
    tree = ast.parse(files[HERE / f"{name.replace('-', '_')}.py"])
    [patch] = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    assert patch not in imported


def test_a_package_has_the_entry_point_and_a_folder_of_its_own(tmp_path: Path) -> None:
    """Its name, the module that it announces, and every file below one new folder."""
    plan = plans.package("my-idea", None, tmp_path, REGISTRY)
    assert all(path.is_relative_to(tmp_path / "my-idea") for path in plan.files)
    project = tomllib.loads(plan.files[tmp_path / "my-idea/pyproject.toml"])["project"]
    assert project["name"] == "my-idea"
    assert project["entry-points"] == {"spfvar.variants": {"my-idea": "my_idea"}}
    (tmp_path / "my-idea").mkdir()
    with pytest.raises(InputError, match="is there already, so nothing was written"):
        plans.package("my-idea", None, tmp_path, REGISTRY)


@pytest.mark.parametrize("kind", [plans.variant, plans.package])
def test_written_python_fits_the_usual_88_columns(kind: object) -> None:
    """On the base with the longest name: nothing to reformat at once."""
    base = plans.find_base(REGISTRY, max(REGISTRY.variants, key=len))
    files = kind("my-better-idea", base, HERE, REGISTRY).files  # type: ignore[operator]
    lines = [line for path, text in files.items() if path.suffix == ".py" for line in text.splitlines()]
    assert [line for line in lines if len(line) > 88] == []


def test_what_to_do_next_fits_a_terminal() -> None:
    """At most 80 columns, some steps for each kind; where it is not here, the folder to go to is the first."""
    ideas = Path("ideas")
    for plan in (
        plans.variant("my-idea", None, ideas, REGISTRY),
        plans.package("my-idea", None, ideas, REGISTRY),
        plans.scenario("my-load", ideas, REGISTRY),
        plans.race("my-race", ideas, REGISTRY),
    ):
        assert plan.next[1].startswith("  cd ideas")
        assert plan.next[0] == "Next:"
        assert len(plan.next) >= 4
        assert [line for line in plan.next if len(line) > 80] == []

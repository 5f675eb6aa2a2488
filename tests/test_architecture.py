"""The walls of the house: imports point one way, the core knows no variant, files stay short."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from spfvar.plugins.registry import load_registry

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "spfvar").rglob("*.py"))

#: Lowest first; a package may import itself and what stands before it.
LAYERS = (
    {"errors"},
    {"units", "atomic", "toml_input"},
    {"ops"},
    {"automata"},
    {"transition"},
    {"mm"},
    {"plugins"},
    {"scenario"},
    {"simulate"},
    {"comparison"},
    {"matrix"},
    {"report"},
    {"api"},
    {"cli"},
)
RANK = {package: i for i, layer in enumerate(LAYERS) for package in layer}


def package_of(path: Path) -> str:
    """The package or module directly below spfvar/."""
    return path.relative_to(ROOT / "spfvar").parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Packages below spfvar that a module imports when it runs."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            if parts[0] == "spfvar" and len(parts) > 1 and parts[1] in RANK:
                found.add(parts[1])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    """A module imports nothing that stands above its own package."""
    package = package_of(path)
    if package == "__init__":
        pytest.skip("the facade imports the API when it is called")
    assert package in RANK
    assert {other for other in imported(path) if RANK[other] > RANK[package]} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_knows_no_variant(path: Path) -> None:
    """No shipped variant's name stands in a string, except in examples within docstrings."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    strings = [
        node.value for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]  # fmt: skip
    names = load_registry().variants
    assert [text for text in strings if any(name in text for name in names)] == []


@pytest.mark.parametrize("folder", ["spfvar", "variants", "tests", "benchmarks"])
def test_files_stay_short(folder: str) -> None:
    """No Python file has more than 600 lines."""
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert {path: n for path, n in lengths.items() if n > 600} == {}

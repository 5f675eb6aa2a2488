"""The shape of the house: imports point one way, the core knows no variant, files stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "spfvar"
MAX_LINES = 600

#: From the bottom up; a part may import parts of lower layers, and itself, never its neighbours.
LAYERS: list[set[str]] = [
    {"errors", "cpus", "limits", "caches", "shown", "threads"},
    {"apart"},
    {"units", "atomic", "reading", "toml_places", "store"},
    {"model_errors"},
    {"toml_input", "ops", "comparison"},
    {"structs"},
    {"automata", "transition"},
    {"mm"},
    {"plugins", "scenario"},
    {"simulate", "explore"},
    {"export", "faultpaths", "generator", "litmus", "timing"},
    {"matrix", "kernel"},
    {"csource"},
    {"conformance", "scaffold", "validation"},
    {"render"},
    {"review", "calibration"},
    {"pages"},
    {"api", "diagnosis", "draft"},
    {"cli", "testing"},
]
#: Parts whose docstrings are the user's help, with examples that name variants.
HELP = {"cli", "api"}
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """The module's path for test ids."""
    return str(path.relative_to(ROOT))


def part_of(path: Path) -> str:
    """The layer's part that a module belongs to: the first name below spfvar."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    """The parsed module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Every part of spfvar that is imported anywhere, except for types only.

    Imports inside functions count: they point the same way, only later.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imported(ast.Module(node.orelse, []))
        elif isinstance(node, ast.Import):
            yield from (n.name.split(".")[1] for n in node.names if n.name.startswith("spfvar."))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they point"
            module = (node.module or "").split(".")
            if module == ["spfvar"]:
                yield from (n.name for n in node.names if n.name in LEVEL)
            elif module[0] == "spfvar":
                yield module[1]
        else:
            yield from imported(node)


def test_every_part_has_a_layer() -> None:
    """A new package or module below spfvar has to say where it belongs."""
    assert {part_of(path) for path in MODULES} - {"__init__"} == set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_downwards(path: Path) -> None:
    """cli -> api -> review -> render -> matrix -> simulate -> transition, automata -> ops, comparison."""
    here = part_of(path)
    level = LEVEL.get(here, len(LAYERS))  # spfvar/__init__.py may import all
    wrong = {part for part in imported(tree_of(path)) if part != here and LEVEL[part] >= level}
    assert wrong == set()


def test_the_check_sees_an_import_that_points_upwards() -> None:
    """In a function, of a package, of a module, and not under TYPE_CHECKING."""
    source = (
        "import spfvar.cli.main\nfrom spfvar import api\nif TYPE_CHECKING:\n    import spfvar.render\n"
        "else:\n    import spfvar.mm\ndef f():\n    from spfvar.simulate.engine import run\n"
    )
    assert sorted(imported(ast.parse(source))) == ["api", "cli", "mm", "simulate"]


@cache
def variant_names() -> set[str]:
    """The names in every VARIANTS list below variants/."""
    names = set()
    for path in (ROOT / "variants").glob("*.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Variant":
                names |= {
                    k.value.value
                    for k in node.keywords
                    if k.arg == "name" and isinstance(k.value, ast.Constant)
                }
    return {str(name) for name in names}


def docstrings(tree: ast.Module) -> set[ast.AST]:
    """The nodes of a module's docstrings."""
    return {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
    }  # fmt: skip


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_core_names_no_variant(path: Path) -> None:
    """No string, no docstring; only the help of the outermost layer gives examples."""
    names = variant_names()
    assert {"mmap-lock", "spf-do-fault"} <= names
    tree = tree_of(path)
    help_texts = docstrings(tree) if part_of(path) in HELP else set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in help_texts:
            assert not [name for name in names if name in node.value], f"line {node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_core_imports_no_variant(path: Path) -> None:
    """Variants are found as plugins, never imported by name."""
    source = path.read_text(encoding="utf-8")
    assert "import variants" not in source
    assert "from variants" not in source
    assert "from spfvar.variants" not in source


@pytest.mark.parametrize(
    "path",
    sorted(
        p
        for folder in ("spfvar", "variants", "tests", "benchmarks", "docs")
        for p in (ROOT / folder).rglob("*.py")
    ),
    ids=name_of,
)
def test_no_file_is_too_long_to_read(path: Path) -> None:
    """At most MAX_LINES lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize(
    "path", sorted(p for folder in ("spfvar", "variants") for p in (ROOT / folder).rglob("*.py")), ids=name_of
)
def test_every_module_says_what_it_is(path: Path) -> None:
    """A docstring that begins with a sentence or a heading of its own."""
    text = ast.get_docstring(tree_of(path))
    assert text
    assert text.split("\n\n")[0].rstrip().endswith((".", ":"))

"""What the package exports: typed, documented, lazily, and under names that nothing takes away."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import spfvar

FUNCTIONS = [name for name in spfvar.__all__ if inspect.isfunction(getattr(spfvar, name))]
VERBS = {
    "compare", "check", "ablate", "hunt", "coverage", "bisect", "report", "replay", "validate", "why", "load", "save",
}  # fmt: skip


def test_importing_it_loads_nothing() -> None:
    """Neither pandas nor anything else of the package: what is exported is loaded when it is asked for."""
    code = (
        "import sys; before = set(sys.modules); import spfvar; dir(spfvar)\n"
        "print(sorted(m for m in set(sys.modules) - before if m.split('.')[0] not in sys.stdlib_module_names))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "['spfvar']\n"


def test_every_verb_is_exported() -> None:
    """And nothing under two names."""
    assert set(FUNCTIONS) >= VERBS
    assert sorted(set(spfvar.__all__)) == sorted(spfvar.__all__)
    assert set(spfvar.__all__) <= set(dir(spfvar))
    with pytest.raises(AttributeError, match="has no attribute 'compair'"):
        spfvar.compair  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", spfvar.__all__)
def test_no_module_has_the_name_of_an_export(name: str) -> None:
    """Or whoever imports that module replaces the function by it (spfvar.variants is such a package)."""
    assert importlib.util.find_spec("spfvar.variants") is not None
    assert importlib.util.find_spec(f"spfvar.{name}") is None


def test_checkers_see_what_there_is_at_run_time() -> None:
    """The imports for type checkers are the table of exports, module by module."""
    source = ast.parse(Path(spfvar.__file__).read_text(encoding="utf-8"))
    typed = next(node for node in source.body if isinstance(node, ast.If))
    imports = [node for node in typed.body if isinstance(node, ast.ImportFrom)]
    assert {node.module: {one.name for one in node.names} for node in imports} == {
        module: set(names) for module, names in spfvar._EXPORTS.items()
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_signatures_that_can_be_read(name: str) -> None:
    """No ``**options``; types resolve when the program runs; a docstring ends every first sentence."""
    function = getattr(spfvar, name)
    parameters = inspect.signature(function).parameters.values()
    assert inspect.Parameter.VAR_KEYWORD not in [parameter.kind for parameter in parameters]
    if not name.startswith("plot_"):  # Axes of a library that need not be there
        hints = typing.get_type_hints(function)
        assert set(hints) == {parameter.name for parameter in parameters} | {"return"}
    assert (inspect.getdoc(function) or "").split("\n\n")[0].rstrip().endswith((".", "?", "!"))

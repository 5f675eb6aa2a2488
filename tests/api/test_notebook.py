"""The notebook in examples/: every cell runs, and what it shows can be shown."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook" / "first-look.ipynb"

PRE = '<pre style="max-height: 60em; overflow: auto">'


def cells(kind: str) -> Iterator[dict[str, Any]]:
    """The notebook's cells of a kind, in order."""
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    yield from (cell for cell in content["cells"] if cell["cell_type"] == kind)


def run_cell(source: str, names: dict[str, Any]) -> object:
    """Execute a cell; the value of its last expression, as a notebook shows it."""
    tree = ast.parse(source)
    last = tree.body[-1]
    value: object = None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    exec(compile(tree, "cell", "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    return value


def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From top to bottom, in an empty folder; frames and answers have HTML, and pictures can be drawn."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [run_cell("".join(cell["source"]), names) for cell in cells("code")]
    pages = [value._repr_html_() for value in shown if hasattr(value, "_repr_html_")]
    assert pages[1].startswith(PRE + "SIMULATED on skylake-2s56c")
    assert "P4" in pages[-3] or any("munmap-anon: reproduced" in page for page in pages)
    pictures = [value for value in shown if hasattr(value, "get_figure")]
    assert len(pictures) == 2
    for number, axes in enumerate(pictures):
        axes.get_figure().savefig(tmp_path / f"{number}.png")
    assert (tmp_path / "first-look.jsonl").stat().st_size > 0


def test_the_notebook_holds_no_results() -> None:
    """They would be those of another model; each cell has an id of its own."""
    code = list(cells("code"))
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    ids = [cell["id"] for cell in [*code, *cells("markdown")]]
    assert len(set(ids)) == len(ids)

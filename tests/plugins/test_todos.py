"""TODOs: steps that run and change nothing, and are found in a plugin's source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spfvar.ops import codes
from spfvar.ops.todo import is_todo, todo
from spfvar.plugins.registry import load_registry
from spfvar.plugins.todos import draft_remark, draft_remarks, is_draft, todos_of

TEXT = '''"""A variant with something to do."""

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops.op import Steps
from spfvar.ops.todo import todo
from spfvar.plugins.variant import Variant


class Unfinished:
    """It asks what nobody knows."""

    @hookimpl
    def fault_dirty_shared_page(self, vmf: VmFault) -> Steps:
        yield todo("look")
        if (yield todo("is it done", False, True)):
            return VMFault.COMPLETED
        return VMFault.RETRY


VARIANTS = [Variant(name="unfinished", title="t", kernel="v5.12", source="s", patches=(Unfinished,))]
'''


def test_a_todo_has_no_effect_or_is_an_open_outcome() -> None:
    """A step, or a choice of whatever there is; both say what they are."""
    assert (todo("x").code, todo("x").outcomes) == (codes.NOP, (None,))
    assert (todo("x", 1, 2, 3).code, todo("x", 1, 2, 3).outcomes) == (codes.CHOOSE, (1, 2, 3))
    assert todo("x").name == "TODO: x"
    assert is_todo(todo("x", False, True))


def test_todos_are_found_with_file_and_line(tmp_path: Path) -> None:
    """By the source, in order."""
    file = tmp_path / "unfinished.py"
    file.write_text(TEXT)
    registry = load_registry([str(file)])
    variant = registry["unfinished"]
    lines = [number for number, line in enumerate(TEXT.split("\n"), 1) if "yield todo" in line]
    assert [(one.what, one.where) for one in todos_of(variant)] == [
        ("look", f"{file}:{lines[0]}"),
        ("is it done", f"{file}:{lines[1]}"),
    ]
    assert is_draft(variant)
    assert draft_remark(variant).startswith("unfinished is a DRAFT with 2 TODOs: where a test is open")
    read = replace(variant, draft="1.patch", patches=())
    assert draft_remarks([read, registry["mmap-lock"]]) == (draft_remark(read),)
    assert draft_remark(read).startswith("unfinished is a DRAFT with 0 TODOs, drafted from 1.patch: nobody")


def test_no_shipped_variant_has_any() -> None:
    """Nor says that it is a draft."""
    registry = load_registry()
    assert not any(is_draft(variant) for variant in registry.variants.values())

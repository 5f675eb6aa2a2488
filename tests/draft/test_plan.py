"""What is written and what is said of it: a module that is tidy and runs, a table, errors that say where."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from spfvar.draft.plan import draft
from spfvar.errors import InputError
from spfvar.ops.todo import is_todo
from spfvar.plugins.registry import sample_texts
from spfvar.plugins.todos import todos_of
from spfvar.plugins.variant import Stack
from spfvar.scaffold.plans import find_base
from tests.draft.made import REGISTRY, drafted, hunk, loaded, patch_of

#: An unknown test and an unknown statement in the middle of a function, and a long condition.
OPEN = hunk(
    "vm_fault_t finish_fault(struct vm_fault *vmf)",
    """
     earlier(vmf);
    +if (is_frobnicated(vmf->vma) && unlikely(has_a_rather_long_name(vmf->vma, 1)) && !is_odd(vmf->address)) {
    +    frobnicate(vmf->vma);
    +    return VM_FAULT_RETRY;
    +}
     later(vmf);
    """,
)
WRITER = hunk(
    "void vm_area_free(struct vm_area_struct *vma)",
    """
     int x;
    +smp_wmb();
     later(vma);
    """,
    file="kernel/fork.c",
)
NOWHERE = hunk("int frobnicate(int a)", " \tint x;\n+\tb(a);\n \tc(a);", file="lib/frob.c")


@pytest.mark.parametrize("on", ["spf@23", "mmap-lock", "per-vma-6.12", "spf-do-fault-posted", None])
def test_a_draft_loads_and_runs_on_any_stack(tmp_path: Path, on: str | None) -> None:
    """Its texts are extracted, with the TODOs in the automata, and it stacks on the base's patches."""
    made = drafted([patch_of(OPEN, WRITER)], tmp_path, on)
    variant = loaded(tmp_path)
    assert variant.draft == "made.patch"
    assert variant.patches[:-1] == (REGISTRY[on].patches if on is not None else ())
    stack = Stack(variant)
    found = {
        op.name for name, text in sample_texts() for op in stack.automaton(name, text).ops() if is_todo(op)
    }
    # Three tests, a statement, and whether the function gets there.
    assert len(made.sketches[0].todos) == len(todos_of(variant)) == 5
    assert len(found) == 5


def test_a_written_module_is_tidy(tmp_path: Path) -> None:
    """For ruff, as it checks and as it formats, at the usual 88 columns, and for mypy, strictly."""
    drafted([patch_of(OPEN, WRITER)], tmp_path)
    file = str(tmp_path / "drafted.py")
    rules = ["--isolated", "--line-length", "88"]
    for arguments, folder in (
        (["ruff", "check", "--select", "E,F,W,I,B,UP,C4,SIM,RUF,D1", "--ignore", "D102", *rules], tmp_path),
        (["ruff", "format", "--check", *rules], tmp_path),
        (["mypy", "--strict"], Path()),
    ):
        command = [sys.executable, "-m", *arguments, file]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        assert done.returncode == 0, done.stdout


def test_each_patch_of_a_series_is_a_class(tmp_path: Path) -> None:
    """In the order of the files, each with its own title."""
    drafted([patch_of(OPEN, subject="one"), patch_of(WRITER, subject="two")], tmp_path)
    tree = ast.parse((tmp_path / "drafted.py").read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert [ast.get_docstring(one) for one in classes] == ["mm: one.", "mm: two."]
    names = [patch.__name__ for patch in loaded(tmp_path).patches[-2:]]
    assert names == [one.name for one in classes]


def test_what_is_said_counts_and_names_every_todo(tmp_path: Path) -> None:
    """A row for each function, those without a hook point too; lines fit a terminal."""
    made = drafted([patch_of(OPEN, NOWHERE)], tmp_path)
    text = "\n".join(made.told)
    assert "mm/memory.c:100 finish_fault" in text
    assert "lib/frob.c:100 frobnicate" in text
    assert "1 of 2 hunks" in text
    assert text.count("TODO line") == 5
    assert made.told[-2].endswith("5 TODOs")
    assert [line for line in made.plan.next if len(line) > 80] == []


def test_a_patch_of_other_things_is_an_error_that_names_them() -> None:
    """There is nothing to draft."""
    with pytest.raises(
        InputError, match="no hunk changes a function that the model has a hook point for: frobnicate"
    ):
        drafted([patch_of(NOWHERE)], Path())


def test_what_the_stack_does_already_is_no_file() -> None:
    """The same call by another name."""
    body = " \tint x;\n-\tspin_lock(vmf->ptl);\n+\tif (!pte_spinlock(vmf))\n+\t\treturn VM_FAULT_RETRY;\n \tnext(vmf);"
    made = drafted([patch_of(hunk("vm_fault_t do_numa_page(struct vm_fault *vmf)", body))], Path())
    assert made.plan.files == {}
    assert "nothing to write" in made.plan.next[0]


def test_a_subject_cannot_break_out_of_its_string(tmp_path: Path) -> None:
    """Whatever a mail has there, the module is Python that does nothing but what it should."""
    drafted([patch_of(WRITER, subject='a """ and \\ and {x}\t" #1')], tmp_path)
    title = loaded(tmp_path).title
    assert '"""' not in title
    assert title.endswith("#1")


def test_quoted_c_with_a_hash_is_no_comment(tmp_path: Path) -> None:
    """What stands behind it on the line is imported all the same: VMFault, on the same line as the TODO."""
    body = ' \tint x;\n \n+\tret = odd("#") ? VM_FAULT_OOM : VM_FAULT_SIGBUS;\n+\treturn ret;\n \tnext(vmf);'
    drafted([patch_of(hunk("vm_fault_t finish_fault(struct vm_fault *vmf)", body))], tmp_path)
    stack = Stack(loaded(tmp_path))
    found = {op.name for name, text in sample_texts() for op in stack.automaton(name, text).ops()}
    assert "TODO: odd('#')" in found


@pytest.mark.parametrize("file", ["a\\x.patch", 'a"""b.patch', 'a"""\nimport os\n"""', "\\"])
def test_nor_can_the_name_of_a_file(tmp_path: Path, file: str) -> None:
    """It stands in the docstring and in the Variant, which is a draft whatever the name."""
    base = find_base(REGISTRY, "spf@23")
    made = draft("drafted", [patch_of(WRITER)], file, base, tmp_path, REGISTRY)
    for path, text in made.plan.files.items():
        path.write_text(text)
        assert not any(isinstance(node, ast.Import) for node in ast.parse(text).body)
    assert loaded(tmp_path).draft

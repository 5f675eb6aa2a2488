"""The table of drafts: every entry is Python that a text may have, of names that there are."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from spfvar.csource import words
from spfvar.csource.words import Words, WordsFile
from spfvar.draft.known import Known
from spfvar.draft.words import draft_words, normal, words_near
from spfvar.mm.hookspecs import HOOKS
from tests.draft.made import REGISTRY

KNOWN = Known(REGISTRY["mmap-lock"])
TABLE = draft_words()
#: What a method of a draft has besides: its arguments, and a variable of the walk.
LOCAL = {"vmf", "vma", "hooks", "o", "pte"}


def entries() -> Iterator[tuple[str, str]]:
    """C, and the Python for it."""
    for c, python in [*TABLE.calls.items(), *TABLE.caches.items()]:
        yield c, f"(yield {python})"
    yield from [*TABLE.facts.items(), *TABLE.conditions.items(), *TABLE.flags.items()]
    for c, python in TABLE.statements.items():
        yield c, python.partition(" = ")[2].replace("yield ", "")
    for values in TABLE.truths.values():
        yield from (("truth", value) for value in values)


@pytest.mark.parametrize(("c", "python"), list(entries()))
def test_an_entry_is_python_of_known_names(c: str, python: str) -> None:
    """It parses, and each of its names is imported from somewhere."""
    tree = ast.parse(f"def f():\n    x = {python.replace('{vma}', 'vma')}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id != "x":
            assert node.id in LOCAL or KNOWN.source_of(node.id) is not None, (c, node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "hooks":
            assert node.attr in HOOKS


def test_hook_points_of_the_table_exist() -> None:
    """Functions and calls lead to hook points of the core or of a shipped series."""
    named = {
        *TABLE.functions.values(),
        *TABLE.hooks.values(),
        *TABLE.letters.values(),
        *TABLE.truths,
        *TABLE.returns,
    }
    assert named <= set(HOOKS)


def test_c_that_says_the_same_is_looked_up_once() -> None:
    """The fault's VMA, its mm and its flags have several spellings."""
    assert normal("vmf->vma->anon_vma") == normal("vma->anon_vma") == "vma->anon_vma"
    assert normal("atomic_read(&vmf->vma->vm_mm->mm_users)") == "atomic_read(&mm->mm_users)"
    assert normal("vmf.flags & FAULT_FLAG_WRITE") == normal("mm_flags & FAULT_FLAG_WRITE")


@pytest.mark.parametrize(
    ("kernel", "of"), [("v5.12 + RFC", "6.1"), ("v6.6", "6.1"), ("v6.12", "6.12"), ("v6.17", "6.12")]
)
def test_a_kernel_has_the_words_of_the_last_release_before_it(kernel: str, of: str) -> None:
    """Or the first ones, if it is older than all."""
    assert words_near(kernel) is words_near(f"v{of}")


def test_a_new_file_of_words_reaches_drafts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Releases are those that files say; 6.6 is between 6.1 and 6.12, though its file comes last."""
    added = {line: Words(WordsFile(kernels=[line])) for line in ("6.1", "6.12", "6.6")}
    monkeypatch.setattr(words, "_tables", lambda: added)
    assert words_near("v6.7") is added["6.6"]
    assert words_near("v6.12") is added["6.12"]
    assert words_near("v5.12") is added["6.1"]

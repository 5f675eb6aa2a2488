"""Text and C, function by function: made-up C that agrees, and C that does not, on either side."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

import spfvar.mm.merge
from spfvar.csource.audit import Audit, Auditor, Tree, audit, audit_with
from spfvar.csource.between import between
from spfvar.csource.units import ExceptionEntry, Exemption, Unit, Units
from spfvar.csource.words import words_for
from spfvar.errors import InputError
from tests.csource.small import LOCK, UNLOCK, tree
from tests.explore.checking import registry

WORDS = words_for("6.1")
UNIT, OTHER = (Unit(c=name, text=name) for name in ("maybe_unlock_mmap_for_io", "lock_folio_maybe_drop_mmap"))
UNITS = Units(kernels=["6.1"], files=["mm/memory.c", "mm/internal.h", "mm/filemap.c"], unit=[UNIT, OTHER])


MERGE = spfvar.mm.merge.__file__


@cache
def texts(root: Path) -> Auditor:
    """Extracted once: v6.1's texts."""
    return Auditor(registry().any_variant("mmap-lock-6.1"), Tree(tree(root), WORDS, UNITS), WORDS, UNITS)


@pytest.fixture(scope="module")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    """Beside made-up C that agrees."""
    return texts(tmp_path_factory.mktemp("agrees"))


def beside(
    auditor: Auditor, root: Path, unlock: str = UNLOCK, lock: str = LOCK, *entries: ExceptionEntry
) -> Audit:
    """The same texts beside other C, with exceptions."""
    units = UNITS.model_copy(update={"exception": list(entries)})
    made = auditor.on(Tree(tree(root, unlock, lock), WORDS, units), units)
    return audit_with(made, "mmap-lock-6.1", "6.1", units)


def told(found: Audit) -> set[tuple[str, str, str]]:
    """Function, side, path."""
    return {
        (one.function, one.direction.removeprefix("only in the "), " > ".join(one.path))
        for one in found.differences
    }


def test_c_that_does_the_same_has_no_difference(auditor: Auditor, tmp_path: Path) -> None:
    """Two functions; calls without a word (tried_before) are silent, and told."""
    found = beside(auditor, tmp_path)
    assert found.agrees
    assert [one.unit.c for one in found.compared] == [UNIT.c, OTHER.c]
    assert found.unknown == {"tried_before": "mm/internal.h:5"}


def test_another_order_is_told_with_lines_of_both_sides(auditor: Auditor, tmp_path: Path) -> None:
    """The file is had behind the unlock: lines 7 and 8 of the C; the text has it the other way round."""
    swapped = (
        UNLOCK.replace("fpin = get_file(vmf->vma->vm_file);", "@")
        .replace("mmap_read_unlock(vmf->vma->vm_mm);", "fpin = get_file(vmf->vma->vm_file);")
        .replace("@", "mmap_read_unlock(vmf->vma->vm_mm);")
    )
    found = beside(auditor, tmp_path, swapped)
    first = found.differences[0]
    assert (first.function, first.path, first.direction) == (UNIT.c, ("up_read mmap_lock",), "only in the C")
    assert (first.where, first.guard) == ("mm/internal.h:7", False)
    assert first.text_line.rpartition(":")[0].endswith("mm/filemap.py")
    assert "get_file" in [edge.letter for edge in first.instead]


def test_a_guard_that_only_the_c_has_comes_first(auditor: Auditor, tmp_path: Path) -> None:
    """A plain read, that no recording shows; and so does one that only the text has."""
    more = LOCK.replace("return 1;\n}", "if (!pte_same(a, b))\n\t\tput_page(p);\n\treturn 1;\n}")
    found = beside(auditor, tmp_path, lock=more)
    assert {(one.letter, one.direction) for one in found.differences if one.guard} == {
        ("pte_same = 0", "only in the C"), ("pte_same = 1", "only in the C"),
    }  # fmt: skip
    assert found.differences[0].guard
    less = LOCK.replace("if (folio_trylock(folio))\n\t\treturn 1;\n\t", "")
    found = beside(auditor, tmp_path, lock=less)
    assert (OTHER.c, "text", "folio_trylock = 0") in told(found)
    assert found.differences[0].guard
    assert found.differences[0].direction == "only in the text"


def test_an_exception_is_counted_and_one_without_use_is_told(auditor: Auditor, tmp_path: Path) -> None:
    """One that is needed, one whose condition is nowhere, one that changes nothing."""
    more = LOCK.replace(
        "__folio_lock(folio);", "if (never_mind)\n\t\trcu_read_lock();\n\t__folio_lock(folio);"
    )
    assert not beside(auditor, tmp_path, lock=more).agrees
    needed = ExceptionEntry(never=("never_mind",), why="is needed")
    nowhere = ExceptionEntry(never=("nowhere",), why="occurs nowhere")
    nothing = ExceptionEntry(always=("tried_before()",), functions=(OTHER.c,), why="is of another function")
    found = beside(auditor, tmp_path, UNLOCK, more, needed, nowhere, nothing)
    assert not found.differences
    assert [entry.why for entry in found.used] == ["is needed"]
    assert [entry.why for entry in found.stale] == ["occurs nowhere", "is of another function"]
    assert not found.agrees


def test_an_end_that_the_c_alone_has_may_be_excepted(auditor: Auditor, tmp_path: Path) -> None:
    """Of that function, and no other."""
    early = LOCK.replace("\tif (folio_trylock", "\tif (odd)\n\t\treturn 0;\n\tif (folio_trylock", 1)
    assert told(beside(auditor, tmp_path, UNLOCK, early)) == {(OTHER.c, "C", "end")}
    ends = [ExceptionEntry(functions=(unit.c,), c=("end",), why="odd") for unit in (OTHER, UNIT)]
    assert beside(auditor, tmp_path, UNLOCK, early, ends[0]).agrees
    assert not beside(auditor, tmp_path, UNLOCK, early, ends[1]).agrees


#: A part of a merge, and what get_user_pages alone calls.
DUP = """\
static int dup_anon_vma(struct vm_area_struct *dst, struct vm_area_struct *src)
{
	if (src->anon_vma && !dst->anon_vma) {
		dst->anon_vma = src->anon_vma;
		return anon_vma_clone(dst, src);
	}
	return 0;
}
"""
FAULTIN = """\
static int faultin_page(struct vm_area_struct *vma, unsigned long address)
{
	return handle_mm_fault(vma, address, 0, NULL) & VM_FAULT_RETRY;
}
"""


def test_merges_and_pins_are_compared_too(auditor: Auditor, tmp_path: Path) -> None:
    """Who sets an anon_vma without a look whether there is one is told, with the text's line of the look."""
    units = UNITS.model_copy(
        update={"unit": [Unit(c=name, text=name) for name in ("dup_anon_vma", "faultin_page")]}
    )
    for number, (dup, faultin) in enumerate([(DUP, FAULTIN), (DUP.replace(" && !dst->anon_vma", ""), "")]):
        made = auditor.on(Tree(tree(tmp_path / str(number), faultin, dup), WORDS, units), units)
        found = audit_with(made, "mmap-lock-6.1", "6.1", units)
        if number == 0:
            assert found.agrees
            assert len(found.compared) == 2
        else:
            assert found.untold == ("faultin_page",)
            assert {one.letter for one in found.differences if one.guard} == {"anon_vma = 0", "anon_vma = 1"}
            assert all(one.text_line.startswith(MERGE) for one in found.differences if one.guard)


def test_a_function_that_a_tree_lacks_is_told(auditor: Auditor, tmp_path: Path) -> None:
    """It is not compared, rather than passed over."""
    found = beside(auditor, tmp_path, lock="")
    assert found.untold == (OTHER.c,)
    assert [one.unit.c for one in found.compared] == [UNIT.c]


def test_a_comparison_of_nothing_is_refused(auditor: Auditor, tmp_path: Path) -> None:
    """Neither function is there: that is no agreement; nor is the one that was asked for."""
    with pytest.raises(InputError, match=r"no such function.*maybe_unlock_mmap_for_io, lock_folio") as said:
        beside(auditor, tmp_path, "", "")
    assert (said.value.file, said.value.key) == (str(tmp_path), "--tree")
    made = auditor.on(Tree(tree(tmp_path, lock=""), WORDS, UNITS))
    with pytest.raises(InputError, match="no such function") as said:
        audit_with(made, "mmap-lock-6.1", "6.1", UNITS, [OTHER.c])
    assert said.value.key == "--function"


def test_c_that_could_not_be_read_does_not_agree(auditor: Auditor, tmp_path: Path) -> None:
    """The letters are the same, but what stands in the broken part is not known."""
    found = beside(auditor, tmp_path, UNLOCK.replace("return fpin;\n}", "@@ put(;\n\treturn fpin;\n}"))
    assert not found.differences
    assert found.unread == {UNIT.c: "mm/internal.h:1"}
    assert not found.agrees


def test_an_exception_of_use_is_the_same_in_each_run(auditor: Auditor) -> None:
    """Two hide one letter: the first by name is of use, however the set that they are in is ordered."""
    for number in range(8):
        two = [Exemption("text", "get_file", (), f"{number}{one}") for one in ("b", "a")]
        used: set[Exemption] = set()
        auditor.texts.nfa(UNIT, frozenset(two), used)
        assert [entry.why for entry in used] == [f"{number}a"]


def test_one_function_may_be_asked_for(auditor: Auditor) -> None:
    """By its name in the kernel or the text's; exceptions of others are not missed then."""
    units = UNITS.model_copy(update={"exception": [ExceptionEntry(never=("nowhere",), why="occurs nowhere")]})
    found = audit_with(auditor, "mmap-lock-6.1", "6.1", units, [OTHER.c])
    assert [one.unit.c for one in found.compared] == [OTHER.c]
    assert found.agrees
    with pytest.raises(InputError, match="did you mean 'lock_folio_maybe_drop_mmap'"):
        audit_with(auditor, "mmap-lock-6.1", "6.1", units, ["lock_folio_maybe_drop_map"])


def test_a_place_that_is_no_kernel_is_refused(tmp_path: Path) -> None:
    """No directory, or one without the files."""
    with pytest.raises(InputError, match="no such directory"):
        Tree(tmp_path / "none", WORDS, UNITS)
    with pytest.raises(InputError, match=r"no kernel's source tree; expected mm/memory\.c in it"):
        Tree(tmp_path, WORDS, UNITS)


def test_two_trees_differ_in_what_was_written_otherwise(tmp_path: Path) -> None:
    """Letters, source alone, or nothing; a function that is gone."""
    first = tree(tmp_path / "first")
    same = tree(tmp_path / "same", UNLOCK.replace("if (fpin)", "/* had it */ if (fpin)"))
    assert between(first, same, "6.1").touched == ()  # a comment
    second = tree(
        tmp_path / "second",
        UNLOCK.replace("if (fpin)", "if (fpin != NULL)"),
        LOCK.replace("__folio_lock(", "rcu_read_lock(); __folio_lock("),
    )
    found = {one.unit.c: one for one in between(first, second, "6.1").touched}
    assert {name: one.how for name, one in found.items()} == {UNIT.c: "source", OTHER.c: "letters"}
    (gap,) = found[OTHER.c].gaps
    assert (gap.left, gap.letter, gap.word[-1].where) == (False, "rcu_read_lock", "mm/filemap.c:6")
    gone = tree(tmp_path / "gone", lock="")
    assert [(one.unit.c, one.how) for one in between(first, gone, "6.1").touched] == [(OTHER.c, "gone")]
    assert [(one.unit.c, one.how) for one in between(gone, first, "6.1").touched] == [(OTHER.c, "new")]
    assert between(gone, first, "6.1").compared == 2  # what one of them has
    assert between(gone, gone, "6.1").compared == 1


def test_two_trees_without_any_function_are_refused(tmp_path: Path) -> None:
    """They have the files, and nothing in them: "nothing is touched" would be no answer."""
    empty = tree(tmp_path, "", "")
    with pytest.raises(InputError, match="none of the functions that texts are compared with") as said:
        between(empty, empty, "6.1")
    assert said.value.key == "--between"


@pytest.mark.skipif(
    not os.environ.get("SPFVAR_LINUX_TREES"), reason="no kernel's source: SPFVAR_LINUX_TREES=6.1=DIR,6.12=DIR"
)
@pytest.mark.parametrize(("design", "release"), [("mmap-lock-6.1", "6.1"), ("per-vma-6.12", "6.12")])
def test_shipped_designs_are_their_kernels_but_for_exceptions(design: str, release: str) -> None:
    """No difference, no exception without use, at most one for three lines: each test, call and letter."""
    trees = dict(pair.split("=", 1) for pair in os.environ["SPFVAR_LINUX_TREES"].split(","))
    if release not in trees:
        pytest.skip(f"no tree of {release}")
    found = audit(registry().any_variant(design), trees[release])
    assert found.agrees, (told(found), [entry.told for entry in found.stale])
    assert not found.untold
    assert 3 * len(found.used) <= found.lines

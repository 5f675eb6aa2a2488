"""spfvar audit: both sides of a difference, exit codes, forms, messages."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest import mock

import pytest

from tests.cli.running import spfvar
from tests.csource.small import LOCK, UNLOCK, tree

FUNCTIONS = ("--function", "maybe_unlock_mmap_for_io", "--function", "lock_folio_maybe_drop_mmap")


def run(root: Path, *more: str) -> tuple[int, str, str]:
    """Two functions of v6.1's design beside a made-up tree."""
    answer = spfvar("audit", "mmap-lock-6.1", "--tree", str(root), *FUNCTIONS, *more)
    return answer.code, answer.out, answer.err


def test_a_table_tells_both_sides_in_eighty_columns(tmp_path: Path) -> None:
    """A guard that only the C has: its line there, and what the text has in its place."""
    more = LOCK.replace("__folio_lock(folio);", "__folio_lock(folio);\n\tif (!pte_same(a, b))\n\t\treturn 0;")
    code, out, err = run(tree(tmp_path, lock=more), "--exceptions")
    assert code == 1, err
    assert max(len(line) for line in out.splitlines() if not line.startswith("Reproduce:")) <= 80
    assert out.startswith("mmap-lock-6.1 beside the C of v6.1: 2 functions ")
    assert "\nGUARD only in the C: pte_same = 0, lock_folio_maybe_drop_mmap\n" in out
    assert "mm/filemap.c:7 pte_same = 0\n" in out
    assert "barriers.\n" in out
    assert f"Reproduce: spfvar audit mmap-lock-6.1 --tree {tmp_path}" in out.replace("\n", " ")


def test_c_that_agrees_is_exit_code_0(tmp_path: Path) -> None:
    """In markdown, too."""
    code, out, err = run(tree(tmp_path), "--format", "markdown")
    assert code == 0, err
    assert "no difference" in out
    assert "|" not in out
    assert "\n* calls without a word, taken as silent: 1\n" in out  # tried_before


def test_what_was_not_compared_is_told_in_each_form(tmp_path: Path) -> None:
    """A function that the tree lacks, and one that is no C in part: exit code 1, as nobody knows what is there."""
    broken = UNLOCK.replace("return fpin;\n}", "@@ put(;\n\treturn fpin;\n}")
    root = tree(tmp_path, broken, "")
    unread = "not all of it could be read: maybe_unlock_mmap_for_io (mm/internal.h:1)"
    for form, mark in (("table", ""), ("markdown", "* ")):
        code, out, err = run(root, "--format", form)
        assert code == 1, err
        assert f"{mark}{unread}" in out.replace("\n  ", " ")
        assert f"\n{mark}not compared: lock_folio_maybe_drop_mmap\n" in out
    code, out, _ = run(root, "--format", "json")
    assert code == 1
    assert json.loads(out)["not_read"] == {"maybe_unlock_mmap_for_io": "mm/internal.h:1"}


def test_json_has_the_fields_that_readers_go_by(tmp_path: Path) -> None:
    """Function, file, lines of both sides, direction, letters; counts."""
    less = UNLOCK.replace("fpin = get_file(vmf->vma->vm_file);", "fpin = vmf->vma->vm_file;")
    code, out, err = run(tree(tmp_path, less), "--format", "json")
    assert code == 1, err
    found = json.loads(out)
    (one,) = [one for one in found["differences"] if one["letters"][-1] == "get_file"]
    assert (one["function"], one["file"], one["line"]) == ("maybe_unlock_mmap_for_io", "mm/internal.h", 8)
    assert one["text_line"].rpartition(":")[0].endswith("filemap.py")
    assert one["direction"] == "only in the text"
    assert "exception" not in one  # a difference is what no exception is about
    assert found["counts"]["functions"] == 2
    assert found["counts"]["differences"] == len(found["differences"])
    assert set(found["counts"]) == {
        "functions", "read", "not_compared", "differences", "guards", "exceptions", "excepted", "reasons",
        "lines_of_text",
    }  # fmt: skip


def test_two_trees_need_no_variant(tmp_path: Path) -> None:
    """Exit code 1: a text may have to follow."""
    first, second = tree(tmp_path / "a"), tree(tmp_path / "b", lock=LOCK.replace("NULL", "0"))
    answer = spfvar("audit", "--between", str(first), str(second), "--kernel", "6.1")
    assert answer.code == 1, answer.err
    assert "lock_folio_maybe_drop_mmap (hook point lock_folio_maybe_drop_mmap): source\n" in answer.out
    same = spfvar("audit", "--between", str(first), str(first), "--kernel", "6.1", "--format", "json")
    assert same.code == 0, same.err
    assert json.loads(same.out)["touched"] == []
    marked = spfvar("audit", "--between", str(first), str(second), "--kernel", "6.1", "--format", "markdown")
    assert "| lock_folio_maybe_drop_mmap | lock_folio_maybe_drop_mmap | source |" in marked.out


def test_two_trees_that_cannot_be_read_are_not_the_same(tmp_path: Path) -> None:
    """The same source twice, a part of which is no C: exit code 1, in each form."""
    root = str(tree(tmp_path, UNLOCK.replace("return fpin;\n}", "@@ put(;\n\treturn fpin;\n}")))
    for form in ("table", "markdown", "json"):
        answer = spfvar("audit", "--between", root, root, "--kernel", "6.1", "--format", form)
        assert answer.code == 1, answer.err
        if form == "json":
            assert json.loads(answer.out)["not_read"] == {
                "maybe_unlock_mmap_for_io": f"{root}/mm/internal.h:1"
            }
        else:
            assert "not all of it could be read: maybe_unlock_mmap_for_io (" in answer.out.replace(
                "\n  ", " "
            )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no variant given; expected a variant, or --between TREE1 TREE2"),
        (("mmap-lock-6.1",), "--tree: no source tree given; expected the directory of a kernel's source"),
        (
            ("mmap-lock-6.1", "--tree", "nowhere"),
            "nowhere: --tree: no such directory; expected a kernel's source tree",
        ),
        (("mmap-lock-6.1", "--tree", "."), "this is no kernel's source tree; expected mm/memory.c in it"),
        (
            ("spf-do-fault", "--tree", "."),
            "--kernel: unknown release 'v5.12-rc5 + RFC 1-35'; known: 6.1, 6.12",
        ),
        (("mmap-lok", "--tree", "."), "did you mean 'mmap-lock'?"),
        (("--between", ".", "."), "--kernel: whose words?; expected a release that has some"),
        (("mmap-lock", "--between", ".", "."), "two trees are compared, not a variant; expected no variant"),
        (("--between", ".", ".", "--kernel", "7.9"), "--kernel: unknown release '7.9'; known: 6.1, 6.12"),
        (("--between", "nowhere", ".", "--kernel", "6.1"), "nowhere: --between: no such directory"),
        (("--between", ".", ".", "--kernel", "6.1"), "--between: this is no kernel's source tree"),
        (
            ("--between", ".", ".", "--tree", "."),
            "--tree: two trees are compared, not a variant; expected --between",
        ),
        (("--between", ".", ".", "--function", "f"), "--function: two trees are compared"),
        (("--between", ".", ".", "--exceptions"), "--exceptions: two trees are compared"),
        (("--between", ".", ".", "--plugin", "p.py"), "--plugin: two trees are compared"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What, where, and what was expected; exit code 2."""
    monkeypatch.chdir(tmp_path)
    answer = spfvar("audit", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_function_that_is_not_compared_has_a_nearest_name(tmp_path: Path) -> None:
    """Of those that are."""
    answer = spfvar("audit", "mmap-lock-6.1", "--tree", str(tree(tmp_path)), "--function", "do_wp_pages")
    assert answer.code == 2
    assert "did you mean 'do_wp_page'" in answer.err


def test_without_tree_sitter_the_command_says_how_to_get_it(tmp_path: Path) -> None:
    """It is an extra, and nothing else needs it."""
    with mock.patch.dict(sys.modules, {"tree_sitter": None}):
        code, _, err = run(tree(tmp_path))
    assert code == 2
    assert "reading C needs tree-sitter; expected pip install 'spfvar[audit]'" in err

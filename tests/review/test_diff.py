"""Reading unified diffs: exact ones to the letter, mangled and cut ones by their counts."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.review.diff import FileChange, parse_diff

#: Anything that can stand in a line, with a liking for what looks like the diff's own marks.
LINES = st.lists(
    st.one_of(
        st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=8),
        st.sampled_from(["", "-", "+", "- ", "-- ", "---", "--", "++ b/x", "@@ -1 +1 @@", "\\ No", "2.20.1"]),
    ),
    max_size=12,
)


def diff_of(text: str) -> tuple[tuple[FileChange, ...], tuple[str, ...]]:
    """Parse a diff given as one text."""
    return parse_diff(text.splitlines(), file="a.patch")


def applied(change: FileChange, old: list[str]) -> list[str]:
    """The old lines with the hunks applied; asserts that each hunk fits exactly where it says."""
    new: list[str] = []
    at = 0
    for hunk in change.hunks:
        begin = hunk.old_start - 1 if hunk.old_count else hunk.old_start
        new += old[at:begin]
        at = begin
        for line in hunk.lines:
            if line.kind != "+":
                assert line.old == at + 1
                assert line.text == old[at]
                at += 1
            if line.kind != "-":
                assert line.new == len(new) + 1
                new.append(line.text)
    return new + old[at:]


@given(LINES, LINES, st.integers(0, 3))
def test_a_diff_turns_the_old_file_into_the_new_one(old: list[str], new: list[str], context: int) -> None:
    """Whatever the lines hold, with any context: difflib's diff applied gives the new lines."""
    assume(old != new)
    lines = list(difflib.unified_diff(old, new, "a/f", "b/f", n=context, lineterm=""))
    (change,), warnings = parse_diff(lines)
    assert warnings == ()
    assert (change.path, change.change) == ("f", "modified")
    assert applied(change, old) == new
    assert change.added - change.removed == len(new) - len(old)


@given(LINES, LINES)
def test_a_hunk_written_out_is_read_the_same(old: list[str], new: list[str]) -> None:
    """`Hunk.text` is a diff again."""
    assume(old != new)
    (change,), _ = parse_diff(list(difflib.unified_diff(old, new, "a/f", "b/f", lineterm="")))
    text = "--- a/f\n+++ b/f\n" + "".join(hunk.text() for hunk in change.hunks)
    assert parse_diff(text.removesuffix("\n").split("\n")) == ((change,), ())


def test_several_files_and_hunks_in_order() -> None:
    """git's headers say what happened to each file; text between the diffs is left out."""
    files, warnings = diff_of(
        "diff --git a/one.c b/one.c\n"
        "new file mode 100644\n"
        "index 0000000..1111111\n"
        "--- /dev/null\n"
        "+++ b/one.c\n"
        "@@ -0,0 +1,2 @@\n"
        "+first\n"
        "+second\n"
        "\\ No newline at end of file\n"
        "diff --git a/two.c b/two.c\n"
        "deleted file mode 100644\n"
        "--- a/two.c\n"
        "+++ /dev/null\n"
        "@@ -1 +0,0 @@\n"
        "-gone\n"
        "diff --git a/old.c b/new name.c\n"
        "similarity index 90%\n"
        "rename from old.c\n"
        "rename to new name.c\n"
        "diff --git a/bin.dat b/bin.dat\n"
        "index 1..2 100644\n"
        "Binary files a/bin.dat and b/bin.dat differ\n"
        "Some text that is no diff.\n"
        'diff --git "a/\\303\\274.c" "b/\\303\\274.c"\n'
        "old mode 100644\n"
        "new mode 100755\n"
        "-- \n"
        "2.20.1\n"
    )
    assert warnings == ()
    assert [(f.path, f.old_path, f.change, f.binary, f.added, f.removed) for f in files] == [
        ("one.c", "one.c", "added", False, 2, 0),
        ("two.c", "two.c", "deleted", False, 0, 1),
        ("new name.c", "old.c", "renamed", False, 0, 0),
        ("bin.dat", "bin.dat", "modified", True, 0, 0),
        ("ü.c", "ü.c", "modified", False, 0, 0),
    ]
    assert [line.newline for line in files[0].hunks[0].lines] == [True, False]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("a/mm/memory.c", "b/mm/memory.c", "mm/memory.c"),
        ("mm/memory.c", "mm/memory.c", "mm/memory.c"),
        ("linux.orig/mm/memory.c\t2021-04-06 10:00", "linux/mm/memory.c\t2021-04-06 10:01", "mm/memory.c"),
    ],
)
def test_paths_are_those_below_the_source_tree(old: str, new: str, path: str) -> None:
    """With git's prefixes, without any, or below two trees that diff(1) was given, with times."""
    (change,), _ = diff_of(f"--- {old}\n+++ {new}\n@@ -1 +1 @@\n-x\n+y\n")
    assert change.path == path


MANGLED = """\
--- a/mm/memory.c
+++ b/mm/memory.c
@@ -10,6 +10,7 @@ static int first(void)
int a;

- b();
-
+ if (x)
+
+ c();
}

"""


def test_context_without_its_blank_is_counted() -> None:
    """Old: int a; blank, b(); -, }, blank = 6; new: int a; blank, if, +, c(); }, blank = 7."""
    (change,), warnings = diff_of(MANGLED)
    (hunk,) = change.hunks
    assert warnings == ()
    assert (hunk.mangled, hunk.whole, hunk.added, hunk.removed) == (True, True, 3, 2)
    assert [line.text for line in hunk.lines if line.kind == " "] == ["int a;", "", "}", ""]
    assert hunk.function == "static int first(void)"


def test_a_removed_line_of_two_dashes_is_no_signature() -> None:
    """The counts say that "-- " is a removed line "- "; a signature is followed by git's version."""
    (change,), warnings = diff_of("--- a/f\n+++ b/f\n@@ -1,2 +1 @@\n-- \n x\n-- \n2.20.1\n")
    assert warnings == ()
    assert [(line.kind, line.text) for line in change.hunks[0].lines] == [("-", "- "), (" ", "x")]


@pytest.mark.parametrize(
    "end", ["", "@@ -9 +9 @@\n-x\n+y\n", "-- \n2.20.1\n", "diff --git a/g b/g\nindex 1..2\n"]
)
def test_a_hunk_that_ends_too_soon_is_a_warning(end: str) -> None:
    """The warning names the line of its header and both counts; what follows is read."""
    files, warnings = diff_of("--- a/f\n+++ b/f\n@@ -1,5 +1,5 @@\n x\n-y\n+z\n" + end)
    assert warnings == ("line 3: the hunk of f should have 5 old and 5 new lines, has 2 old and 2 new lines",)
    assert not files[0].hunks[0].whole
    assert len(files[0].hunks) + len(files) == 2 + end.startswith("@@") + end.startswith("diff")


def test_a_hunk_that_goes_on_is_a_warning() -> None:
    """A changed line behind the last one that the header counts."""
    (change,), warnings = diff_of("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n+y\n+z\n")
    assert warnings == ("line 6: the hunk of f goes on after the lines that its @@ line counts",)
    assert change.added == 1


def test_a_header_that_cannot_be_read_is_an_error() -> None:
    """It names file, line and what was expected."""
    with pytest.raises(InputError, match=r"^a\.patch:3: .*expected @@ -LINE,COUNT \+LINE,COUNT @@$"):
        diff_of("--- a/f\n+++ b/f\n@@ -1,x +1 @@\n x\n")


@pytest.mark.parametrize(
    ("old", "new", "path", "change"),
    [
        ("a/mm/memory.c~mm-name", "a/mm/memory.c", "mm/memory.c", "modified"),
        ("a/mm/memory.c~mm-name\tTue Apr  6 2021", "a/mm/memory.c\tTue Apr  6 2021", "mm/memory.c", "modified"),
        ("mm/memory.c~", "mm/memory.c", "mm/memory.c", "modified"),
        ("mm/memory.c.orig", "mm/memory.c", "mm/memory.c", "modified"),
        ("linux.orig/mm/memory.c", "linux/mm/memory.c", "mm/memory.c", "modified"),
        ("linux.orig/mm/memory.c  2021-04-06 18:52:34.0 -0700", "linux/mm/memory.c  2021-04-06 18:52:34.0 -0700",
         "mm/memory.c", "modified"),
        ("/dev/null", "a/mm/new.c", "mm/new.c", "added"),
        ("a/mm/old.c~mm-name", "/dev/null", "mm/old.c", "deleted"),
        ("a/mm/memory.c", "b/mm/memory.c", "mm/memory.c", "modified"),
    ],
)  # fmt: skip
def test_paths_of_quilt_and_diff_are_below_the_source_tree(
    old: str, new: str, path: str, change: str
) -> None:
    """However the copy that was compared is called."""
    (found,), _ = diff_of(f"Index: linux/{path}\n=====\n--- {old}\n+++ {new}\n@@ -1 +1 @@\n-a\n+b\n")
    assert (found.path, found.change) == (path, change)

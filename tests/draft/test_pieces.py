"""Hunks cut at functions: no line is lost or moved, and each knows where it is in the patch."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.draft.fragment import fragment
from spfvar.draft.pieces import pieces_of
from spfvar.draft.tree import statements_of
from spfvar.review.patchmail import parse_patches
from tests.draft.made import hunk, mail, patch_of

NAMES = st.sampled_from(["do_wp_page", "do_swap_page", "finish_fault", "__do_fault"])
SIMPLE = st.sampled_from(["x = y;", "f(x);", "lock(&vmf->ptl);", "goto out;", "return 0;", "x++;"])


@st.composite
def blocks(draw: st.DrawFn, depth: int = 0) -> list[str]:
    """Lines of statements, some of them ifs and loops with blocks of their own."""
    found: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.integers(0, 5 if depth < 2 else 1))
        if kind < 3:
            found.append(draw(SIMPLE))
            continue
        head = ["if (a) {", "while (b) {", "if (c(d)) {"][kind - 3]
        found += [head, *draw(blocks(depth + 1)), "}"]
    return found


@st.composite
def functions(draw: st.DrawFn) -> list[tuple[str, list[tuple[str, str]]]]:
    """Functions, of each its name and its body's lines with the sign that a diff gives them."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for _ in range(draw(st.integers(1, 3))):
        name = f"{draw(NAMES)}_{len(found)}"
        found.append((name, [(draw(st.sampled_from(" +-")), line) for line in draw(blocks())]))
    return found


def as_hunk(made: list[tuple[str, list[tuple[str, str]]]]) -> str:
    lines = []
    for name, body in made:
        lines += [f" int {name}(struct vm_fault *vmf)", " {"]
        lines += [f"{sign}\t{text}" for sign, text in body]
        lines += [" }", ""]
    return hunk("", "\n".join(lines))


@given(functions())
@settings(deadline=None, max_examples=60)
def test_every_changed_line_is_in_the_piece_of_its_function(
    made: list[tuple[str, list[tuple[str, str]]]],
) -> None:
    """The pieces have exactly the changed lines, in order, each under the function it was written in."""
    data = mail(as_hunk(made))
    pieces = pieces_of(parse_patches(data, file="made.patch")[0])
    found = [
        (piece.function, line.kind, line.text.strip())
        for piece in pieces
        for line in piece.lines
        if line.kind != " "
    ]
    wanted = [(name, sign, text) for name, body in made for sign, text in body if sign != " "]
    assert found == wanted
    lines = data.decode().split("\n")
    for piece in pieces:
        for line in piece.lines:
            assert lines[line.at - 1] == f"{line.kind}{line.text}" or not line.text


@given(functions(), st.integers(0, 6), st.integers(0, 6))
@settings(deadline=None, max_examples=60)
def test_a_hunk_that_is_cut_anywhere_still_parses(
    made: list[tuple[str, list[tuple[str, str]]]], front: int, back: int
) -> None:
    """Context that begins and ends in the middle of blocks: no statement is taken for an error."""
    name, body = made[0]
    cut = [f"{sign}\t{text}" for sign, text in body][front : len(body) - back]
    if not any(line[0] != " " for line in cut):
        return
    for piece in pieces_of(patch_of(hunk(f"int {name}(struct vm_fault *vmf)", "\n".join(cut)))):
        for lines in (piece.before(), piece.after()):
            signs = "".join("{" * line.text.count("{") + "}" * line.text.count("}") for line in lines)
            if "do_" in signs:
                continue
            for statement in statements_of(fragment(lines)):
                assert all(inner.kind != "other" for inner in statement.below())


def test_an_option_that_a_hunk_asks_for_is_on() -> None:
    """The draft is of what the patch does, so the other branch and the directives are not there."""
    [piece] = pieces_of(
        patch_of(
            hunk(
                "int finish_fault(struct vm_fault *vmf)",
                " \ta();\n+#ifdef CONFIG_NEW_LOCK\n+\tb();\n+#else\n+\tc();\n+#endif\n \td();",
            )
        )
    )
    assert [statement.text for statement in statements_of(fragment(piece.after()))] == [
        "a();",
        "b();",
        "d();",
    ]


def test_a_renamed_function_keeps_its_old_hook_point() -> None:
    """The definition that goes and the one that comes in its place are the same function."""
    [piece] = pieces_of(
        patch_of(
            hunk(
                "",
                "-int finish_fault(struct vm_fault *vmf)\n+int do_finish_fault(struct vm_fault *vmf)\n {\n+\ta();\n \tb();\n }",
            )
        )
    )
    assert (piece.function, piece.whole) == ("finish_fault", False)


def test_comments_that_a_hunk_cuts_off_are_no_statements() -> None:
    """Their first or last lines may be missing."""
    body = " * the end of a comment\n */\n \ta();\n+\t/* one\n+\t * of b(); */\n+\tb();\n \t/* the begin\n \t * of c();"
    [piece] = pieces_of(
        patch_of(hunk("int finish_fault(struct vm_fault *vmf)", body.replace("\n */", "\n  */")))
    )
    assert [one.text for one in statements_of(fragment(piece.after()))] == ["a();", "b();"]

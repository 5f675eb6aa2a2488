"""A gap is a word that one graph has and the other lacks; equal graphs have none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.csource.nfa import END, Comparison, Nfa, build
from spfvar.kernel.texts import Edge
from tests.csource.machines import words_up_to


def of_words(*words: str) -> Nfa:
    """A graph with these words alone, a letter each character."""
    made = Nfa([0], [[]], [[]])
    for word in words:
        state = 0
        for number, letter in enumerate(word):
            to = made.add()
            made.edges[state].append(Edge(letter, to, "f", f"f.c:{number + 1}"))
            state = to
        made.ends.add(state)
    return made


def gaps(left: Nfa, right: Nfa) -> set[tuple[str, str]]:
    """Who has it ("<" the left one), and the word."""
    return {
        ("<" if gap.left else ">", "".join("." if edge.letter == END else edge.letter for edge in gap.word))
        for gap in Comparison(left, right).gaps()
    }


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (("ab",), ("ab",), set()),
        (("ab", "ac"), ("ac", "ab"), set()),
        (("abc",), ("ac",), {("<", "ab")}),  # a letter more: told once, and what is behind it fits
        (("ac",), ("abc",), {(">", "ab")}),
        (("ab", "a"), ("ab",), {("<", "a.")}),  # it may end where the other goes on
        (("ab",), ("ac",), {("<", "ab"), (">", "ac")}),
        (("abc",), ("acb",), {("<", "ab"), (">", "acb")}),  # another order: as the first side has it, first
        (("axbyc",), ("abc",), {("<", "ax"), ("<", "axby")}),  # one does not hide the next
    ],
)
def test_gaps_are_told_by_a_shortest_way(
    left: tuple[str, ...], right: tuple[str, ...], expected: set[tuple[str, str]]
) -> None:
    """Written by hand."""
    assert gaps(of_words(*left), of_words(*right)) == expected


def test_letters_that_explain_each_other_are_told() -> None:
    """ad, bc beside ca, db: a stands behind c, c behind b, b behind d, d behind a.  The first side's are told."""
    found = Comparison(of_words("ad", "bc"), of_words("ca", "db")).gaps()
    assert [(gap.left, gap.letter) for gap in found if not gap.behind] == [(True, "a"), (True, "b")]


def test_a_gap_has_both_sides() -> None:
    """The step, and what the other graph has there."""
    (gap,) = [gap for gap in Comparison(of_words("ab"), of_words("ac")).gaps() if gap.left]
    assert (gap.letter, gap.word[-1].where, [edge.letter for edge in gap.instead]) == ("b", "f.c:2", ["c"])


def test_what_leads_to_no_end_is_no_path() -> None:
    """A path that is cut does not count."""
    dead = of_words("ab")
    stuck = dead.add()
    dead.edges[0].append(Edge("z", stuck, "f", "f.c:9"))
    dead.silent[stuck].append(stuck)
    assert gaps(dead, of_words("ab")) == set()


def test_a_graph_that_is_too_large_is_given_up() -> None:
    """Rather than built for ever."""
    assert build([0], lambda n: iter([(None, n + 1)]), 50) is None


WORDS = st.lists(st.text("abcd", min_size=1, max_size=4), min_size=1, max_size=4, unique=True)


@settings(max_examples=200, deadline=None)
@given(WORDS, WORDS)
def test_there_is_a_gap_exactly_where_languages_differ(left: list[str], right: list[str]) -> None:
    """And a gap on whose way is no other is a beginning of a word of its own side alone."""
    one, other = of_words(*left), of_words(*right)
    found = Comparison(one, other).gaps()
    assert bool(found) == (words_up_to(one, 4) != words_up_to(other, 4))
    for gap in found:
        if gap.behind:
            continue
        word = "".join(edge.letter for edge in gap.word if edge.letter != END)
        mine, yours = (left, right) if gap.left else (right, left)
        if gap.letter == END:
            assert word in mine
            assert word not in yours
        else:
            assert any(whole.startswith(word) for whole in mine)
            assert not any(whole.startswith(word) for whole in yours)

"""The graph of a function has the paths of the function: every one, and no other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from spfvar.csource.words import WordsFile
from tests.csource.machines import machine, words_up_to
from tests.csource.programs import bodies, text_of, words_of

#: Every call of a made-up program is a letter.
NAMES = [f"{kind}{number}" for kind in "ct" for number in range(10)] + ["done"]
WORDS = WordsFile(calls={name: name for name in NAMES})


@settings(max_examples=150, deadline=None)
@given(bodies())
def test_paths_are_those_that_a_reader_finds(body: tuple[object, ...]) -> None:
    """An enumerator of its own walks the tree of statements; loops go round twice there, and as often as
    they fit here.  So its paths are the graph's, and the graph's short ones are its.

    A path of at most ROUNDS = 2 letters goes round no loop more than twice, unless a round calls nothing; a round
    of a loop calls its test.
    """
    _, nfa = machine(text_of(body), WORDS)
    expected = words_of(body)
    longest = max(map(len, expected), default=0)
    graph = words_up_to(nfa, min(longest, 9))
    assert {word for word in expected if len(word) <= 9} <= graph
    assert {word for word in graph if len(word) <= 2} <= expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("c0(); return c1() ? c2() : c3();", {"c0 c1 c2", "c0 c1 c3"}),
        ("if (!c0() || (x = c1())) c2();", {"c0 c2", "c0 c1 c2", "c0 c1"}),
        ("for (i = c0(); c1(); c2()) c3();", {"c0 c1", "c0 c1 c3 c2 c1"}),
        (
            "switch (c0()) { case 1: c1(); case 2: c2(); break; default: c3(); }",
            {"c0 c1 c2", "c0 c2", "c0 c3"},
        ),
        ("switch (c0()) { case 1: c1(); }", {"c0 c1", "c0"}),
        ("c0(c1(), c2(c3()));", {"c1 c3 c2 c0"}),
        ("if (likely(c0() == 0)) c1(); else c2();", {"c0 c1", "c0 c2"}),
        ("again: c0(); if (c1()) goto again;", {"c0 c1", "c0 c1 c0 c1"}),
        ("while (1) { if (c0()) break; c1(); }", {"c0", "c0 c1 c0", "c0 c1 c0 c1 c0"}),
        ("int y = c0(); y = c1() + c2();", {"c0 c1 c2"}),
        ("if (IS_ENABLED(CONFIG_A)) c0(); else c1();", {"c1"}),
        # GNU's a ?: b evaluates a once.
        ("return c0() ?: c1();", {"c0", "c0 c1"}),
        ("x = c0() ?: c1(); c2();", {"c0 c2", "c0 c1 c2"}),
        ("if (c0() ?: c1()) c2();", {"c0 c2", "c0 c1 c2", "c0 c1"}),
    ],
)
def test_c_is_evaluated_in_the_order_of_c(body: str, expected: set[str]) -> None:
    """Words of at most five letters, read off the statement."""
    _, nfa = machine(f"int f(void) {{ {body} }}", WORDS)
    assert {" ".join(word) for word in words_up_to(nfa, 5)} == expected

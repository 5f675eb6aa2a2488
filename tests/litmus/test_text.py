"""What is written reads back: text and test are two forms of one thing."""

from __future__ import annotations

import pytest
from hypothesis import example, given

from spfvar.litmus import ast
from spfvar.litmus.parse import parse
from spfvar.litmus.text import clause_text, expression_text, litmus_text
from tests.litmus import arbitrary
from tests.litmus.cycles import Cycle, cycles, to_test


@given(arbitrary.tests)
def test_the_text_of_a_test_reads_as_the_test(test: ast.Test) -> None:
    """Also what nobody would write."""
    assert parse(litmus_text(test)) == test


@given(cycles())
def test_the_text_of_a_cycle_reads_as_the_cycle(cycle: Cycle) -> None:
    """Generated tests can be handed to any tool that reads the format."""
    test = to_test(cycle)
    assert parse(litmus_text(test)) == test


R0 = ast.Register("r0")
ONE = ast.Number(1)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (ast.Binary("-", ast.Binary("-", R0, ONE), ONE), "r0 - 1 - 1"),
        (ast.Binary("-", R0, ast.Binary("-", R0, ONE)), "r0 - (r0 - 1)"),
        (ast.Binary("==", ast.Binary("&", R0, ONE), ONE), "(r0 & 1) == 1"),
        (ast.Binary("&", R0, ast.Binary("==", ONE, ONE)), "r0 & 1 == 1"),
        (ast.Unary("!", ast.Binary("+", R0, ONE)), "!(r0 + 1)"),
        (ast.Unary("-", ast.Number(1)), "-(1)"),
        (ast.Number(-1), "-1"),
    ],
)
def test_parentheses_are_where_c_needs_them(expression: ast.Expression, text: str) -> None:
    """``&`` binds less tightly than ``==``; all operators associate to the left."""
    assert expression_text(expression) == text


def test_a_clause_is_written_in_herds_language() -> None:
    """A bare name is the word's value on the left and its address on the right."""
    word, address = ast.FinalWord("x"), ast.Address("x")
    clause = ast.And(
        (ast.Equal(word, ONE), ast.Or((ast.Equal(word, word), ast.Not(ast.Equal(word, address)))))
    )
    assert clause_text(clause) == r"x=1 /\ (x=[x] \/ ~(x=&x))"


@example(ast.Test("T", (), (ast.Thread((), ()),), "exists", ast.And(())))
@given(arbitrary.tests)
def test_every_test_asks_something(test: ast.Test) -> None:
    """The quantifier is on a line of its own, the last one."""
    assert litmus_text(test).splitlines()[-1].startswith(f"{test.quantifier} (")

"""Read what is not C in a litmus test: initial values, conditions on the end, locations to print."""

from __future__ import annotations

from typing import Final

from spfvar.litmus.ast import (
    Address,
    And,
    Clause,
    Equal,
    FinalRegister,
    FinalWord,
    Initial,
    Not,
    Number,
    Or,
    Term,
    Value,
)
from spfvar.litmus.cursor import Cursor
from spfvar.litmus.tokens import number

_DEEPEST: Final = 60
Place = FinalWord | FinalRegister


def initial(cursor: Cursor) -> tuple[Initial, ...]:
    """Read ``{ x=1; int *p = &x; 0:r1=x; spinlock_t lock; }``; a word that is only declared holds 0."""
    found: dict[Place, Initial] = {}
    cursor.expect("{")
    while not cursor.accept("}"):
        if cursor.accept(";"):
            continue
        start = cursor.token
        while cursor.at("*") or (
            cursor.token.kind == "name" and cursor.ahead(1).text not in ("=", ";", "}", "[")
        ):
            cursor.take()
        place = _place(cursor)
        if cursor.at("["):
            raise cursor.unsupported("an array")
        value = _value(cursor) if cursor.accept("=") else Number(0)
        if place in found:
            raise cursor.wrong("this has two initial values", start)
        found[place] = Initial(place, value)
        if not cursor.at("}"):
            cursor.expect(";", '";", "=" or "}"')
    return tuple(found.values())


def locations(cursor: Cursor) -> tuple[Place, ...]:
    """Read ``[0:r1; x;]``."""
    found: list[Place] = []
    cursor.expect("[")
    while not cursor.accept("]"):
        if not cursor.accept(";"):
            found.append(_place(cursor))
            if not cursor.at("]"):
                cursor.expect(";", '";" or "]"')
    return tuple(found)


def clause(cursor: Cursor, depth: int = 0) -> Clause:
    r"""Read clauses joined by ``/\``, ``\/`` and ``=>``, from the tightest to the loosest."""
    left = _join(cursor, depth)
    if cursor.accept("=>"):
        return Or((Not(left), clause(cursor, depth + 1)))
    return left


def _join(cursor: Cursor, depth: int) -> Clause:
    clauses = [_conjunction(cursor, depth)]
    while cursor.accept("\\/"):
        clauses.append(_conjunction(cursor, depth))
    return clauses[0] if len(clauses) == 1 else Or(tuple(clauses))


def _conjunction(cursor: Cursor, depth: int) -> Clause:
    clauses = [_single(cursor, depth)]
    while cursor.accept("/\\"):
        clauses.append(_single(cursor, depth))
    return clauses[0] if len(clauses) == 1 else And(tuple(clauses))


def _single(cursor: Cursor, depth: int) -> Clause:
    if depth > _DEEPEST:
        raise cursor.wrong("nested too deeply", cursor.token, f"at most {_DEEPEST} levels")
    if cursor.accept("~", "not"):
        return Not(_single(cursor, depth + 1))
    if cursor.accept("("):
        inner = clause(cursor, depth + 1)
        cursor.expect(")", r'"/\", "\/" or ")"')
        return inner
    if cursor.accept("true"):
        return And(())
    if cursor.accept("false"):
        return Or(())
    left = _place(cursor) if cursor.token.kind == "name" or cursor.ahead(1).text == ":" else _term(cursor)
    if cursor.accept("=", "=="):
        return Equal(left, _term(cursor))
    if cursor.accept("!="):
        return Not(Equal(left, _term(cursor)))
    if cursor.at("<", "<=", ">", ">="):
        raise cursor.unsupported(f'"{cursor.token.text}" in a condition')
    raise cursor.error('"=" and a value')


def _term(cursor: Cursor) -> Term:
    """A value on the right of ``=``, where a word's bare name is its address."""
    if cursor.at("[", "*") or cursor.ahead(1).text == ":":
        return _place(cursor)
    return _value(cursor)


def _place(cursor: Cursor) -> Place:
    """``x``, ``[x]``, ``*x`` or ``0:r1``."""
    if cursor.accept("["):
        word = cursor.expect_kind("name", "the name of a shared word")
        cursor.expect("]")
        return FinalWord(word.text)
    cursor.accept("*")
    if cursor.token.kind == "number":
        thread = number(cursor.take().text)
        cursor.expect(":", '":" and a register, as in 0:r1')
        return FinalRegister(thread, cursor.expect_kind("name", "the name of a register").text)
    return FinalWord(cursor.expect_kind("name", "a shared word such as x, or a register such as 0:r1").text)


def _value(cursor: Cursor) -> Value:
    """A number, or the address of a word: ``-1``, ``ATOMIC_INIT(1)``, ``x``, ``&x``."""
    if cursor.at("ATOMIC_INIT") and cursor.ahead(1).text == "(":
        cursor.take()
        cursor.take()
        value = _value(cursor)
        cursor.expect(")")
        return value
    sign = -1 if cursor.accept("-") else 1
    if cursor.token.kind == "number":
        return Number(sign * number(cursor.take().text))
    if cursor.at("{"):
        raise cursor.unsupported("a structure or an array")
    cursor.accept("&")
    if sign < 0 or cursor.token.kind != "name":
        raise cursor.error("a number or the name of a shared word")
    name = cursor.take().text
    return Number(0) if name == "NULL" else Address(name)

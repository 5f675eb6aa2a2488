"""Primitives on operands of the wrong kind: each is refused, at the line of the text that yields it."""

from __future__ import annotations

from typing import Any

import pytest

from spfvar.automata.extract import Extractor, StrategyError
from spfvar.automata.vocabulary import Vocabulary
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops import primitives as p
from spfvar.ops.op import Op, Steps
from spfvar.ops.places import Field, Line, ObjectClass, Place, Register

MINE = ObjectClass("mine")


@pytest.mark.parametrize(
    ("op", "says"),
    [
        (Op(999, "x"), "x: there is no opcode 999 that a text may yield"),
        (Op(c.END, "x"), "no opcode 12 that a text may yield"),
        (p.choose("x", 1, 2, 3, 4, 5), "x has 5 outcomes, at most 4"),
        (p.choose("x"), "x has 0 outcomes, at most 4"),
        (p.choose("x", [], 1), "x has an outcome or operand that is not hashable"),
        (p.choose("x", 1, 1), "x has an outcome twice"),
        (p.work(3), "name, cost or event is no string"),  # type: ignore[arg-type]
        (p.set_register(o.scratch, 1 << 31), "has the number 2147483648, expected a whole one of 32 bits"),
        (p.set_register(o.scratch, 0.5), "has the number 0.5"),  # type: ignore[arg-type]
        (p.set_register(Register("vma"), 1), "two registers are called 'vma': of a vma and of a number"),
        (p.equals(p.at(o.mm, Field(o.MM, "mmap_lock")), 1), "two fields are called mm->mmap_lock, of unlike"),
        (
            p.equals(Place(Register("r", MINE), Field(MINE, "f")), 1),
            "r->f): mine->f is a field of objects of class 'mine', which the model does not have",
        ),
        (p.set_null(Register("r", MINE)), "register r refers to"),
        (p.down_read(p.at(o.mm, o.MM_USERS)), "mm->mm_users is no rwsem, which has 4 words"),
        (p.spin_lock(p.at(o.mm, o.MMAP_LOCK)), "mm->mmap_lock is no spinlock, which has 3 words"),
        (p.find_vma(o.address), "register address is of a number, expected one of a vma"),
        (
            p.store_ref(p.at(o.vma, o.VM_POLICY), o.scratch),
            "register scratch is of a number, expected one of an object",
        ),
        (Op(c.NOP, "x", line=Line(o.mm, o.MM_USERS, "write")), "x has the cache line Line("),
        (Op(c.NOP, "x", place="mm"), "x acts on 'mm', expected a place"),  # type: ignore[arg-type]
        (Op(c.NOP, "x", dst="mm"), "x: 'mm' is no register"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_operand_is_told(op: Any, says: str) -> None:
    """In the words of the author, not of the transition function."""
    assert says in (Vocabulary().wrong(op) or "")


def no_hook(name: str, args: Any) -> Steps:
    raise AssertionError(name)


def test_the_line_is_that_of_the_text() -> None:
    """Not of the constructor, whose own errors are told so too."""

    def wrong_class() -> Steps:
        yield p.work("local")
        yield p.equals(p.at(o.mm, o.VM_START), 1)

    def wrong_lock() -> Steps:
        yield p.down_read(p.at(o.mm, o.MM_USERS))

    for text, line, says in (
        (wrong_class, 2, "cannot be reached through register mm"),
        (wrong_lock, 1, "no rwsem"),
    ):
        with pytest.raises(StrategyError) as caught:
            Extractor(no_hook).automaton("t", text)
        assert str(caught.value).startswith(f"{__file__}:{text.__code__.co_firstlineno + line}: ")
        assert says in str(caught.value)

"""Running a text: what it raises, however it ends, is told at its line; what was not yielded has no outcome."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spfvar.automata.extract import Extractor, StrategyError
from spfvar.ops.op import Call, NotYieldedError, Steps, again, loop
from spfvar.ops.primitives import choose, find_vma, work


def failure(text: Callable[[], Steps]) -> str:
    """What the extraction of a text says."""
    with pytest.raises(StrategyError) as caught:
        Extractor(lambda name, args: text()).automaton("t", text)
    return str(caught.value)


@pytest.mark.parametrize("error", [ValueError, GeneratorExit, SystemExit, BaseException])
def test_whatever_a_text_raises_is_its_error(error: type[BaseException]) -> None:
    """An exit too: it must not end the run of the others."""

    def text() -> Steps:
        yield work("local")
        raise error("no")

    assert failure(text) == f"{__file__}:{text.__code__.co_firstlineno + 2}: t fails: {error.__name__}: no"


def test_an_interrupt_is_the_users() -> None:
    """It is passed on."""

    def text() -> Steps:
        yield work("local")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Extractor(lambda name, args: text()).automaton("t", text)


def test_a_text_has_to_let_itself_be_left() -> None:
    """It is left where it goes round: nothing more may be yielded then, and nothing raised."""

    def yields() -> Steps:
        yield loop("again")
        try:
            yield again("again")
        finally:
            yield work("local")

    def raises() -> Steps:
        yield loop("again")
        try:
            yield again("again")
        finally:
            raise ValueError("no")

    for text in (yields, raises):
        assert f"{__file__}:{text.__code__.co_firstlineno + 3}: t goes on when it is left here" in failure(
            text
        )


def test_what_a_text_does_at_its_end_is_part_of_it() -> None:
    """A ``finally`` that is come to by itself is text like any other."""

    def text() -> Steps:
        try:
            if (yield choose("x", False, True)):
                yield work("local", "inside")
        finally:
            yield work("local", "at the end")

    automaton = Extractor(lambda name, args: text()).automaton("t", text)
    assert [op.name for op in automaton.ops()] == ["x", "at the end", "inside", "exit"]


def test_what_was_not_yielded_has_no_outcome() -> None:
    """Its truth, and a comparison with an outcome, are the mistake of a forgotten yield; hashing is none."""
    op, call = find_vma(), Call("do_fault", ())
    asked: list[Callable[[], object]] = [
        lambda: bool(op), lambda: op == "none", lambda: op != True, lambda: op == None,  # noqa: E711, E712
    ]  # fmt: skip
    for ask in asked:
        with pytest.raises(NotYieldedError, match=r"find_vma is .*, but was not yielded"):
            ask()
    with pytest.raises(NotYieldedError, match=r"do_fault\(\) is taken for its result, but was not run"):
        bool(call)
    with pytest.raises(NotYieldedError, match="yielded without 'from'"):
        list(op)
    assert op == find_vma()
    assert op != call
    assert len({op, find_vma(), call}) == 2


def test_a_forgotten_yield_is_told_at_the_texts_line() -> None:
    """Wherever the primitive was made."""

    def text() -> Steps:
        found = find_vma()
        yield work("local")
        if found:
            yield work("local")

    assert failure(text).startswith(
        f"{__file__}:{text.__code__.co_firstlineno + 3}: t: find_vma is taken for its outcome"
    )

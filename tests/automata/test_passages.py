"""Passages: helpers that are run once, and whose trees become part of their caller's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spfvar.automata.extract import Extractor, StrategyError
from spfvar.ops.op import Call, Steps, again, loop, passage
from spfvar.ops.primitives import work
from tests.automata.test_extract import Text, ask, extract, no_hooks


def _helped(helper: Callable[[int], Steps]) -> Text:
    """A text that goes by a helper's result, twice in a loop, with two primitives that are equal but for their line."""

    def text() -> Steps:
        yield loop("round")
        if (yield from helper(3)) == 2:
            yield work("same")
            return
        yield ask("between")
        if (yield from helper(2)):
            yield again("round")
        yield work("same")

    return text


def _counting(runs: list[int]) -> Callable[[int], Steps]:
    def helper(outcomes: int) -> Steps:
        runs.append(outcomes)
        yield loop("wait")
        if (yield ask("busy")):
            yield again("wait")
        found = yield ask("found", outcomes)
        yield work("same" if found else "other")
        return found

    return helper


def test_a_passage_is_the_callers_text_but_run_once() -> None:
    """Same nodes, functions and lines as the helper itself gives; its paths are not those of what is before it.

    A passage is run once per path of its own: 4 for 3 outcomes (busy, and each result), 3 for 2.
    """
    plain: list[int] = []
    once: list[int] = []
    helper = _counting(plain)
    expected = extract(_helped(helper))
    found = extract(_helped(passage(_counting(once))))
    assert found == expected
    assert [op.where for op in found.ops()] == [op.where for op in expected.ops()]
    assert (once.count(3), once.count(2)) == (4, 3)
    assert len(plain) > 7


def test_a_passage_in_a_passage() -> None:
    """The inner one's primitives, too, are those of the function that yields both."""

    def inner() -> Steps:
        return (yield ask("inner"))

    def outer(helper: Callable[[], Steps]) -> Steps:
        if (yield from helper()):
            yield work("yes")
        return (yield ask("outer"))

    def text(outer: Callable[..., Steps], inner: Callable[[], Steps]) -> Text:
        def whole() -> Steps:
            if (yield from outer(inner)):
                yield work("end")

        return whole

    found = extract(text(passage(outer), passage(inner)))
    assert found == extract(text(outer, inner))
    assert {op.function for op in found.ops() if op.name != "exit"} == {"text"}


def test_what_calls_of_a_passage_return_is_known_of_its_caller() -> None:
    """They are what its text depends on, whoever yields them."""

    def callee() -> Steps:
        return (yield ask("callee"))

    @passage
    def helper() -> Steps:
        return (yield Call(callee, ()))

    def caller() -> Steps:
        yield from helper()

    extractor = Extractor(no_hooks)
    assert extractor.callees(Call(caller, ())) == [Call(callee, ())]


def test_a_passage_that_comes_to_itself_never_ends() -> None:
    """It is told by its name."""

    @passage
    def helper() -> Steps:
        yield work("a")
        yield from helper()

    def text() -> Steps:
        yield from helper()

    with pytest.raises(StrategyError, match="helper never ends: it calls itself"):
        extract(text)


def test_a_passages_arguments_are_hashable() -> None:
    """Or it could not be known again."""

    @passage
    def helper(numbers: list[int]) -> Steps:
        yield work("a")

    def text() -> Steps:
        yield from helper([1])

    with pytest.raises(StrategyError, match="helper: an argument is not hashable"):
        extract(text)


def test_a_passage_again_goes_to_no_loop_of_its_caller() -> None:
    """Its text ends where its caller's goes on."""

    @passage
    def helper() -> Steps:
        yield again("round")

    def text() -> Steps:
        yield loop("round")
        yield from helper()

    with pytest.raises(StrategyError, match="inside no such loop"):
        extract(text)

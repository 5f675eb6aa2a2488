"""Extraction: every outcome explored, equal suffixes shared, calls spliced, bad texts refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import Extractor, StrategyError
from spfvar.ops.op import Call, Steps, again, loop
from spfvar.ops.primitives import choose, work

Text = Callable[[], Steps]


def extract(text: Text, **hooks: Callable[..., Steps]) -> Automaton:
    """Extract with hooks given by name."""
    return Extractor(lambda name, args: hooks[name](*args)).automaton("thread", text)


def walk(automaton: Automaton, outcomes: list[int]) -> list[str]:
    """Names of the ops along a sequence of outcomes, up to the thread's end."""
    names, here, choices = [], 0, iter(outcomes)
    while automaton.nodes[here].op.name != "exit":
        node = automaton.nodes[here]
        names.append(node.op.name)
        here = node.successors[next(choices) if len(node.successors) > 1 else 0]
    return names


def test_branches_join_where_they_are_equal() -> None:
    """a, then b or c, then d: four ops, the choice and the end are six nodes, for d is shared."""

    def text() -> Steps:
        yield work("a")
        yield work("b" if (yield choose("?", False, True)) else "c")
        yield work("d")

    automaton = extract(text)
    assert len(automaton) == 6
    assert walk(automaton, [0]) == ["a", "?", "c", "d"]
    assert walk(automaton, [1]) == ["a", "?", "b", "d"]


def test_a_loop_is_one_body() -> None:
    """Going round leads back to the same node, however often."""

    def text() -> Steps:
        yield loop("round")
        yield work("body")
        if (yield choose("more?", False, True)):
            yield again("round")

    automaton = extract(text)
    assert len(automaton) == 3  # body, the choice, the end
    assert walk(automaton, [1, 1, 1, 0]) == ["body", "more?"] * 4


def test_a_call_returns_its_value_to_each_caller() -> None:
    """One callee, two callers with different continuations."""

    def callee() -> Steps:
        return (yield choose("answer", "yes", "no"))

    def text() -> Steps:
        first = yield Call("callee", ())
        yield work(f"first {first}")
        second = yield Call("callee", ())
        yield work(f"second {second}")

    automaton = extract(text, callee=callee)
    assert walk(automaton, [0, 1]) == ["answer", "first yes", "answer", "second no"]


Tree = Any  # a name, or (name, tree, tree, ...)


def text_of(tree: Tree) -> Text:
    """A text that works through a tree of names, one child per outcome."""

    def text() -> Steps:
        node = tree
        while isinstance(node, tuple):
            branch = yield choose(node[0], *range(len(node) - 1))
            node = node[1 + branch]
        yield work(node)

    return text


LEAVES = st.sampled_from(["x", "y", "z"])
TREES = st.recursive(
    LEAVES,
    lambda child: (
        st.tuples(st.sampled_from("abc"), child, child)
        | st.tuples(st.sampled_from("abc"), child, child, child)
    ),
    max_leaves=12,
)


@given(TREES, st.data())
def test_the_automaton_does_what_the_text_does(tree: Tree, data: st.DataObject) -> None:
    """Along any outcomes, the automaton's ops are those that the generator yields."""
    automaton = extract(text_of(tree))
    names, outcomes, node = [], [], tree
    while isinstance(node, tuple):
        outcome = data.draw(st.integers(0, len(node) - 2))
        names.append(node[0])
        outcomes.append(outcome)
        node = node[1 + outcome]
    assert walk(automaton, outcomes) == [*names, node]


def no_op() -> Steps:
    """Yields something that is no op."""
    yield 42


def endless() -> Steps:
    """Never ends."""
    while True:
        yield work("again and again")


def recursive() -> Steps:
    """Calls itself."""
    yield Call("recursive", ())


def raising() -> Steps:
    """Fails half-way."""
    yield work("fine")
    raise KeyError("oops")


def unhashable() -> Steps:
    """Returns a list."""
    yield work("fine")
    return [1]


def outside() -> Steps:
    """Goes round where there is no loop."""
    yield again("nowhere")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (no_op, "no op"), (endless, "never ends"), (recursive, "never ends"), (raising, "KeyError"),
        (unhashable, "not hashable"), (outside, "no such loop"),
    ],
)  # fmt: skip
def test_a_bad_text_is_refused_by_file_and_line(text: Text, what: str) -> None:
    """The message says what is wrong, and names this file."""
    with pytest.raises(StrategyError, match=what) as caught:
        extract(lambda: iter_call(text), **{text.__name__: text})
    assert "test_extract.py:" in str(caught.value)


def iter_call(text: Text) -> Steps:
    """A thread that calls the text as a hook."""
    yield Call(text.__name__, ())


def test_a_text_that_changes_its_mind_is_refused() -> None:
    """A second run that yields other ops is noticed."""
    runs = iter(range(100))

    def moody() -> Steps:
        yield work(f"run {next(runs)}")
        if (yield choose("?", False, True)):
            yield work("more")

    with pytest.raises(StrategyError, match="behaves differently on a second run"):
        extract(moody)

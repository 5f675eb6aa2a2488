"""Extraction: every outcome once, equal suffixes shared, calls spliced, bad texts named by line."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import MAX_PATH, Extractor, StrategyError
from spfvar.ops import codes
from spfvar.ops.op import Call, Op, Steps, again, loop
from spfvar.ops.primitives import choose, work

Text = Callable[[], Steps]


def no_hooks(name: str, args: tuple[Any, ...]) -> Steps:
    """A resolver for texts that call no hook."""
    raise AssertionError(f"{name}{args}")


def extract(text: Text) -> Automaton:
    """The automaton of a text without hooks."""
    return Extractor(no_hooks).automaton("text", text)


def ask(name: str, outcomes: int = 2) -> Op:
    """An op with this many outcomes: 0, 1, ..."""
    return choose(name, *range(outcomes))


def names(automaton: Automaton) -> list[str]:
    """The ops' names in node order."""
    return [op.name for op in automaton.ops()]


def test_a_straight_text_becomes_a_chain_that_ends() -> None:
    """Ops in order, then "exit", which leads to itself."""

    def text() -> Steps:
        yield work("a")
        yield work("b")

    automaton = extract(text)
    assert names(automaton) == ["a", "b", "exit"]
    assert [node.successors for node in automaton.nodes] == [(1,), (2,), (2,)]


def test_an_empty_text_ends_at_once() -> None:
    """The entry is "exit"."""

    def text() -> Steps:
        return
        yield

    assert names(extract(text)) == ["exit"]


def test_each_outcome_is_explored_and_equal_suffixes_are_shared() -> None:
    """If a then b else c, then d: nodes a, b, c, one d, exit = 5 and not 6."""

    def text() -> Steps:
        if (yield ask("a")):
            yield work("b")
        else:
            yield work("c")
        yield work("d")

    automaton = extract(text)
    assert sorted(names(automaton)) == ["a", "b", "c", "d", "exit"]
    a = automaton.nodes[0]
    branches = [automaton.nodes[s] for s in a.successors]
    assert [node.op.name for node in branches] == ["c", "b"]  # outcome 0, outcome 1
    assert branches[0].successors == branches[1].successors


def test_a_fact_remembered_over_a_shared_stretch_keeps_the_nodes_apart() -> None:
    """After a, m is the same op on both ways but leads elsewhere: a, m, m, b, c, exit = 6 nodes."""

    def text() -> Steps:
        first = yield ask("a")
        yield work("m")
        yield work("b" if first else "c")

    assert sorted(names(extract(text))) == ["a", "b", "c", "exit", "m", "m"]


def test_k_questions_in_a_row_need_k_nodes_although_they_have_2_to_the_k_paths() -> None:
    """Nine binary questions whose answers are forgotten: 9 nodes and the exit."""

    def text() -> Steps:
        for i in range(9):
            yield ask(f"q{i}")

    assert len(extract(text)) == 10


def test_all_outcomes_of_an_op_with_four_of_them_are_explored() -> None:
    """Each of the four successors is another op."""

    def text() -> Steps:
        yield work("abcd"[(yield ask("which", 4))])

    automaton = extract(text)
    assert [automaton.nodes[s].op.name for s in automaton.nodes[0].successors] == list("abcd")


def test_outcomes_are_sent_as_the_op_declares_them() -> None:
    """The text gets the declared values, not their numbers."""
    seen = []

    def text() -> Steps:
        seen.append((yield choose("x", "ok", None, True)))

    extract(text)
    assert set(seen) == {"ok", None, True}


def test_a_loop_goes_back_to_its_head() -> None:
    """head, body, question; "again" leads to the head's first op: 3 nodes and the exit."""

    def text() -> Steps:
        yield work("before")
        yield loop("retry")
        yield work("body")
        if (yield ask("more?")):
            yield again("retry")

    automaton = extract(text)
    assert names(automaton) == ["before", "body", "more?", "exit"]
    assert automaton.nodes[2].successors == (3, 1)


def test_again_goes_to_the_nearest_loop_of_its_name() -> None:
    """In nested loops of two names each "again" finds its own; of one name, the inner."""

    def text() -> Steps:
        yield loop("outer")
        yield work("o")
        yield loop("inner")
        yield work("i")
        which = yield ask("which", 3)
        if which == 1:
            yield again("inner")
        if which == 2:
            yield again("outer")

    automaton = extract(text)
    assert names(automaton) == ["o", "i", "which", "exit"]
    assert automaton.nodes[2].successors == (3, 1, 0)

    def same() -> Steps:
        yield loop("l")
        yield work("o")
        yield loop("l")
        if (yield ask("more?")):
            yield again("l")

    assert extract(same).nodes[1].successors == (2, 1)


# --- calls -------------------------------------------------------------------------------------


def test_a_call_is_spliced_and_its_return_value_decides_what_follows() -> None:
    """The callee's two returns lead to two continuations of the caller."""

    def callee(name: str) -> Steps:
        return "yes" if (yield ask(name)) else "no"

    def text() -> Steps:
        yield work((yield Call(callee, ("q",))))

    automaton = extract(text)
    assert [automaton.nodes[s].op.name for s in automaton.nodes[0].successors] == ["no", "yes"]
    assert automaton.nodes[0].op.function == "text"  # a function of one primitive is shown as its caller's
    assert automaton.nodes[1].op.function == "text"


def test_a_callee_with_the_same_arguments_is_run_once_and_spliced_twice() -> None:
    """Two calls, one extraction (a straight text is run once), but both are in the automaton."""
    runs = []

    def callee(tag: int) -> Steps:
        runs.append(tag)
        yield work("c")

    def text() -> Steps:
        yield Call(callee, (1,))
        yield Call(callee, (1,))

    assert names(extract(text)) == ["c", "c", "exit"]
    assert runs == [1]


def test_loops_do_not_leak_through_a_call() -> None:
    """A callee cannot go back to its caller's loop: it is inside no such loop."""

    def callee() -> Steps:
        yield work("c")
        yield again("caller's")

    def text() -> Steps:
        yield loop("caller's")
        yield Call(callee, ())

    with pytest.raises(StrategyError, match="inside no such loop"):
        extract(text)


def test_nothing_follows_a_call_that_never_returns() -> None:
    """The caller is not resumed with a made-up value: the callee's loop is all there is."""

    def forever() -> Steps:
        yield loop("l")
        yield work("round")
        yield again("l")

    def text() -> Steps:
        yield work("before")
        value = yield Call(forever, ())
        raise AssertionError(f"resumed with {value}")

    automaton = extract(text)
    assert names(automaton) == ["before", "round"]
    assert automaton.nodes[1].successors == (1,)


def test_a_hook_is_found_by_the_resolver() -> None:
    """A call by name goes to the resolver with its arguments."""

    def resolve(name: str, args: tuple[Any, ...]) -> Steps:
        yield work(f"{name}{args}")

    def text() -> Steps:
        yield Call("do_fault", (1, "x"))

    assert names(Extractor(resolve).automaton("t", text))[0] == "do_fault(1, 'x')"


# --- texts that are none -----------------------------------------------------------------------


def broken_yield() -> Steps:
    yield work("fine")
    yield 42  # LINE broken_yield


def broken_raise() -> Steps:
    if (yield ask("q")):
        raise KeyError("oops")  # LINE broken_raise


def broken_endless() -> Steps:
    while True:
        yield work("again")  # LINE broken_endless


def broken_endless_question() -> Steps:
    while not (yield ask("found?")):  # LINE broken_endless_question
        pass


def broken_paths() -> Steps:
    for i in range(20):
        yield ask(f"q{i}")  # LINE broken_paths


def broken_recursion(depth: int = 0) -> Steps:
    yield work("deeper")
    yield Call(broken_recursion, (0,))  # LINE broken_recursion


def broken_growing_recursion(depth: int = 0) -> Steps:
    yield work("deeper")
    yield Call(broken_growing_recursion, (depth + 1,))  # LINE broken_growing_recursion


MEMORY: list[int] = []


def broken_second_run() -> Steps:
    MEMORY.append(1)
    yield work(f"run {len(MEMORY)}")  # LINE broken_second_run
    yield ask("q")


def broken_return() -> Steps:  # LINE broken_return
    yield work("fine")
    return ["a", "list"]


def broken_again() -> Steps:
    yield loop("there")
    yield again("elsewhere")  # LINE broken_again


def broken_argument() -> Steps:
    yield Call(broken_yield, ([],))  # LINE broken_argument


def broken_plain() -> Steps:  # LINE broken_plain
    return 3  # type: ignore[return-value]


def broken_inner() -> Steps:
    yield from broken_yield()


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (broken_yield, "broken_yield", "yields 42, which is no op"),
        (broken_inner, "broken_yield", "yields 42, which is no op"),
        (broken_raise, "broken_raise", "fails: KeyError: 'oops'"),
        (broken_endless, "broken_endless", "never ends"),
        (broken_endless_question, "broken_endless_question", "never ends"),
        (broken_paths, "broken_paths", "more than 5000 paths"),
        (broken_recursion, "broken_recursion", "never ends"),
        (broken_growing_recursion, "broken_growing_recursion", "never ends"),
        (broken_second_run, "broken_second_run", "differently on a second run"),
        (broken_return, "broken_return", "not hashable"),
        (broken_again, "broken_again", "inside no such loop"),
        (broken_argument, "broken_argument", "not hashable"),
        (broken_plain, "broken_plain", "returns 3, not a generator"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_an_error_names_function_file_and_line(text: Text, line: str, says: str) -> None:
    """The message leads to the line of the text that is wrong, and says what is."""
    with pytest.raises(StrategyError) as caught:
        Extractor(no_hooks).automaton(text.__name__, text)
    with open(__file__, encoding="utf-8") as source:
        number = next(i for i, row in enumerate(source, 1) if row.rstrip().endswith(f"# LINE {line}"))
    message = str(caught.value)
    assert f"{__file__}:{number}" in message
    assert says in message
    # A call that cannot be made is named after its callee.
    assert {broken_argument: "broken_yield"}.get(text, text.__name__) in message


def test_an_op_with_too_many_outcomes_is_refused() -> None:
    """The program table has four successors per node."""

    def text() -> Steps:
        yield ask("five", 5)

    with pytest.raises(StrategyError, match="five has 5 outcomes, at most 4"):
        extract(text)


def test_a_loop_without_an_op_is_refused() -> None:
    """It would spin without the scheduler noticing."""

    def text() -> Steps:
        yield loop("l")
        yield again("l")

    with pytest.raises(StrategyError, match="never ends"):
        extract(text)


def test_the_longest_allowed_text_is_extracted() -> None:
    """The limit that a text may reach is within what extraction can do (no RecursionError)."""

    def text() -> Steps:
        for i in range(MAX_PATH - 1):
            yield work(f"w{i}")

    assert len(extract(text)) == MAX_PATH


# --- the property ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Return:
    """The text ends with this value."""

    value: int


@dataclass(frozen=True)
class Ask:
    """An op with one child per outcome."""

    name: str
    children: tuple[Tree, ...]


@dataclass(frozen=True)
class Repeat:
    """A loop's head, an op, and the body."""

    name: str
    op: str
    body: Tree


@dataclass(frozen=True)
class Back:
    """Back to the nearest loop of this name."""

    name: str


@dataclass(frozen=True)
class Subroutine:
    """A call, and one child per return value 0, 1, 2."""

    callee: Tree
    children: tuple[Tree, ...]


Tree = Return | Ask | Repeat | Back | Subroutine


def text_of(tree: Tree) -> Steps:
    """The strategy that a tree describes."""
    while True:
        if isinstance(tree, Return):
            return tree.value
        if isinstance(tree, Back):
            yield again(tree.name)
            raise AssertionError("a text goes on after again()")
        if isinstance(tree, Ask):
            tree = tree.children[(yield ask(tree.name, len(tree.children)))]
        elif isinstance(tree, Repeat):
            yield loop(tree.name)
            yield work(tree.op)
            tree = tree.body
        else:
            tree = tree.children[(yield Call(text_of, (tree.callee,)))]


def run(tree: Tree, outcomes: Iterator[int]) -> Iterator[str]:
    """The op names along a sequence of outcomes, by interpreting the tree: the oracle.

    ``outcomes`` gives a number that is reduced modulo the outcomes of the op at hand.
    """

    def interpret(tree: Tree) -> Generator[str, None, int]:
        heads: dict[str, tuple[Repeat, Any]] = {}  # each with the loops around it
        while not isinstance(tree, Return):
            if isinstance(tree, Ask):
                yield tree.name
                tree = tree.children[next(outcomes) % len(tree.children)]
            elif isinstance(tree, Repeat):
                heads = {**heads, tree.name: (tree, heads)}
                yield tree.op
                next(outcomes)
                tree = tree.body
            elif isinstance(tree, Back):
                tree, heads = heads[tree.name]
            else:
                value = yield from interpret(tree.callee)
                tree = tree.children[value]
        return tree.value

    yield from interpret(tree)
    yield "exit"


def trees(depth: int, loops: tuple[str, ...] = ()) -> st.SearchStrategy[Tree]:
    """Random trees; ``loops`` are those that can be gone back to."""
    leaves: list[st.SearchStrategy[Tree]] = [st.builds(Return, st.integers(0, 2))]
    leaves += [st.builds(Back, st.just(name)) for name in loops]
    if depth == 0:
        return st.one_of(leaves)
    name = st.sampled_from("abcd")
    below = st.deferred(lambda: trees(depth - 1, loops))
    nodes: list[st.SearchStrategy[Tree]] = [
        st.builds(Ask, name, st.lists(below, min_size=1, max_size=3).map(tuple)),
        st.builds(Repeat, st.just("l"), name, st.deferred(lambda: trees(depth - 1, (*loops, "l")))),
        st.builds(Repeat, st.just("k"), name, st.deferred(lambda: trees(depth - 1, (*loops, "k")))),
        st.builds(Subroutine, st.deferred(lambda: callees(depth - 1)), st.tuples(below, below, below)),
    ]
    return st.one_of(leaves[:1] + nodes)


def callees(depth: int) -> st.SearchStrategy[Tree]:
    """Trees that return on some path: what never returns has no return value to go on with."""
    return trees(depth).filter(_returns)


def _returns(tree: Tree) -> bool:
    if isinstance(tree, Return):
        return True
    if isinstance(tree, Repeat):
        return _returns(tree.body)
    if isinstance(tree, Subroutine):
        return any(_returns(child) for child in tree.children)
    return isinstance(tree, Ask) and any(_returns(child) for child in tree.children)


def walk(automaton: Automaton, outcomes: Iterator[int]) -> Iterator[str]:
    """The op names along a sequence of outcomes, by walking the automaton."""
    node = automaton.nodes[0]
    while node.op.code != codes.END:
        yield node.op.name
        node = automaton.nodes[node.successors[next(outcomes) % len(node.successors)]]
    yield "exit"


def taken(steps: Iterator[str], limit: int = 40) -> list[str]:
    """At most the first ``limit`` names."""
    return [name for _, name in zip(range(limit), steps, strict=False)]


@settings(max_examples=150, deadline=None)
@given(trees(4), st.lists(st.lists(st.integers(0, 5), min_size=41, max_size=41), min_size=1, max_size=5))
def test_walking_the_automaton_is_running_the_text(tree: Tree, sequences: list[list[int]]) -> None:
    """Along any outcomes the automaton does what the text does: ops, loops and calls alike."""
    automaton = extract(lambda: text_of(tree))
    for sequence in sequences:
        assert taken(walk(automaton, iter(sequence))) == taken(run(tree, iter(sequence)))


@settings(max_examples=100, deadline=None)
@given(trees(4))
def test_an_automaton_is_closed_reachable_and_holds_nothing_twice(tree: Tree) -> None:
    """Successors exist, one per outcome; every node is reached; no two have the same op and successors."""
    nodes = extract(lambda: text_of(tree)).nodes
    assert all(len(node.successors) == len(node.op.outcomes) for node in nodes)
    reached, queue = {0}, [0]
    for number in queue:
        for successor in nodes[number].successors:
            if successor not in reached:
                reached.add(successor)
                queue.append(successor)
    assert reached == set(range(len(nodes)))
    assert len(set(nodes)) == len(nodes)


@settings(max_examples=50, deadline=None)
@given(trees(3))
def test_extraction_is_repeatable(tree: Tree) -> None:
    """The same text gives the same automaton, node for node."""
    assert extract(lambda: text_of(tree)) == extract(lambda: text_of(tree))


def test_the_texts_of_called_functions_keep_their_own_lines() -> None:
    """An automaton shows a function of one primitive at its caller's line; its text is elsewhere."""

    def callee() -> Steps:
        yield work("inside")

    def text() -> Steps:
        yield Call(callee, ())

    extractor = Extractor(no_hooks)
    (shown, _) = extractor.automaton("text", text).ops()
    (own,) = extractor.texts()
    assert shown.name == own.name == "inside"
    assert own.function == "callee"
    line = callee.__code__.co_firstlineno + 1
    assert own.where.endswith(f":{line}")
    assert shown.where != own.where


def called_twice() -> Steps:
    """A helper that two functions call."""

    def helper() -> Steps:
        yield work("lock")
        yield work("mark")

    def one() -> Steps:
        yield Call(helper, ())

    def other() -> Steps:
        yield work("first")
        yield Call(helper, ())

    if (yield ask("which")):
        yield Call(one, ())
    else:
        yield Call(other, ())


def test_callers_keep_the_calls_of_a_function_apart() -> None:
    """Equal text behind equal ends is one automaton; with callers, each call has its own, and says whose."""
    extractor = Extractor(no_hooks)
    plain = extractor.automaton("text", called_twice)
    marked = extractor.automaton("text", called_twice, callers=True)
    assert names(plain).count("lock") == 1
    callers = [op.caller for op in marked.ops() if op.name == "lock"]
    assert sorted(caller.function for caller in callers if caller is not None) == ["one", "other"]
    assert all(op.caller is None for op in plain.ops())


def test_what_a_thread_begins_with_has_no_caller() -> None:
    """A system call is no use of a shared function; what it calls is."""
    marked = Extractor(no_hooks).automaton("text", called_twice, callers=True)
    assert [op.caller for op in marked.ops() if op.name == "which" or op.name == "first"] == [None, None]

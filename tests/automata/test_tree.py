"""Functions that another stack has extracted: taken where they are what would be extracted, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from spfvar.automata import extract
from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import Extractor, StrategyError
from spfvar.kernel.texts import Marked
from spfvar.ops import objects as o
from spfvar.ops.op import Call, Op, Steps
from spfvar.ops.places import Register
from spfvar.ops.primitives import choose, set_register, work
from spfvar.plugins.registry import load_registry, sample_texts
from spfvar.plugins.variant import Stack

#: Every fifth of the designs, in the order of the list: of most families one, of some two.
VARIANTS = list(load_registry().variants)[:: 1 if os.environ.get("SPFVAR_FULL") else 5]


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract, "_KNOWN", {})
    monkeypatch.setattr(extract, "_SHARED", {})


def shown(automaton: Automaton) -> list[tuple[Op, str, tuple[int, ...]]]:
    """The nodes, with the lines that equality leaves out."""
    return [(node.op, node.op.where, node.successors) for node in automaton.nodes]


def extracted(stack: Stack) -> tuple[dict[str, object], list[Call]]:
    """The faults and writers of a stack, and the calls that it has met, in their order."""
    return {name: shown(stack.automaton(name, text)) for name, text in sample_texts()}, stack.calls()


def test_a_stack_has_the_same_automata_whatever_others_have_extracted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every design behind all those before it; the order of its calls does not tell either."""
    behind = {name: extracted(Stack(load_registry()[name])) for name in VARIANTS}
    monkeypatch.setattr(Stack, "_origin", lambda stack, call: None)
    for name in VARIANTS:
        assert extracted(Stack(load_registry()[name])) == behind[name]


def outer() -> Steps:
    if (yield Call("inner", ())):
        yield work("taken")
    yield work("end")


def extractor(inner: Callable[[], Steps], runs: list[str]) -> Extractor:
    """One whose hook "outer" comes from the package, and whose "inner" is its own."""

    def resolve(name: str, args: tuple[Any, ...]) -> Steps:
        runs.append(name)
        return outer() if name == "outer" else inner()

    return Extractor(resolve, lambda call: "package" if call.target == "outer" else None)


def begins() -> Steps:
    yield Call("outer", ())


def returning(*outcomes: bool) -> Callable[[], Steps]:
    """A text that returns one of these, whichever comes out."""

    def inner() -> Steps:
        return (yield choose("which", *outcomes)) if len(outcomes) > 1 else outcomes[0]
        yield

    return inner


@pytest.mark.parametrize(
    ("outcomes", "again"), [((True, False), 0), ((False,), 1), ((True,), 1), ((False, True), 2)]
)
def test_a_function_is_run_again_where_what_it_calls_returns_something_else(
    outcomes: tuple[bool, ...], again: int
) -> None:
    """As often as it has paths; in another order, the outcomes of its call are others, too."""
    runs: list[str] = []
    extractor(returning(True, False), runs).automaton("t", begins)
    runs.clear()
    found = extractor(returning(*outcomes), runs).automaton("t", begins)
    assert runs.count("outer") == again
    assert ("taken" in [op.name for op in found.ops()]) == (True in outcomes)


def test_automata_are_shared_where_every_function_below_is() -> None:
    """Also where the thread itself calls none that differs: what it calls may."""

    def of(origin: str | None, *outcomes: bool) -> Automaton:
        def resolve(name: str, args: tuple[Any, ...]) -> Steps:
            return outer() if name == "outer" else returning(*outcomes)()

        origins = {"outer": "package", "inner": origin}
        return Extractor(resolve, lambda call: origins[str(call.target)]).automaton("t", begins)

    first = of("one", True)
    assert of("one", True) is first
    assert of("other", False) is not first
    assert shown(of("other", False)) != shown(first)
    assert of(None, True) is not first  # a plugin's: it may be anything the next time
    assert shown(of(None, True)) == shown(first)


def test_a_text_that_calls_a_register_otherwise_is_refused_all_the_same() -> None:
    """The vocabulary of a stack has the words of functions that it did not extract itself."""

    def outer_text() -> Steps:
        yield set_register(Register("mine"), 0)

    def inner() -> Steps:
        yield set_register(Register("mine", o.VMA), 0)

    def text() -> Steps:
        yield Call("outer", ())
        yield Call("inner", ())

    def resolve(name: str, args: tuple[Any, ...]) -> Steps:
        return outer_text() if name == "outer" else inner()

    for _ in range(2):
        both = Extractor(resolve, lambda call: "package" if call.target == "outer" else None)
        with pytest.raises(StrategyError, match="two registers are called 'mine'"):
            both.automaton("t", text)


def test_a_stack_that_makes_something_else_of_its_hook_points_shares_none() -> None:
    """Its automata are its own behind those of a plain one, and the plain one's behind its."""
    variant = load_registry()[VARIANTS[0]]
    name, text = next(iter(sample_texts()))
    plain = shown(Stack(variant).automaton(name, text))
    marked = shown(Marked(variant).automaton(name, text))
    assert marked != plain
    assert shown(Stack(variant).automaton(name, text)) == plain
    extract._KNOWN.clear()
    extract._SHARED.clear()
    assert shown(Marked(variant).automaton(name, text)) == marked
    assert shown(Stack(variant).automaton(name, text)) == plain

"""Outlines: a reader who follows the lines takes the automaton's paths; functions read like their text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.automata.extract import Extractor
from spfvar.automata.outline import Step, automaton_steps, outline
from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import PMD_NONE, Mapping, VMFault, VmFault, spell
from spfvar.ops.op import Call, Steps, again, loop
from spfvar.ops.primitives import choose, work
from spfvar.plugins.registry import load_registry, sample_texts
from spfvar.plugins.variant import Stack

LONGEST_WALK = 60


# --- a reader of outlines ------------------------------------------------------------------------


@dataclass
class Sentence:
    """A line of an outline, its arms by outcome, and the line to go on with."""

    text: str
    arms: dict[str, Sentence | None] = field(default_factory=dict)
    behind: Sentence | None = None


def understood(lines: Sequence[str]) -> Sentence | None:
    """The first sentence of an outline, linked as a person would read it."""
    rows = [((len(line) - len(line.lstrip())) // 2, line.strip()) for line in lines]
    labels: dict[str, Sentence | None] = {}
    jumps: list[Sentence] = []

    def block(at: int, depth: int, behind: Sentence | None) -> tuple[Sentence | None, int]:
        """The sentences from a row on at a depth, and the row after them."""
        parts: list[tuple[list[str], str, list[tuple[str, int]], int]] = []
        names: list[str] = []
        while at < len(rows) and rows[at][0] >= depth:
            text = rows[at][1]
            if text.startswith("L") and text.endswith(":"):
                names.append(text[:-1])
                at += 1
                continue
            arms: list[tuple[str, int]] = []
            begin, at = at, at + 1
            while at < len(rows) and rows[at][0] > depth:
                if rows[at][0] == depth + 1:
                    arms.append((rows[at][1].split(":")[0], at))
                at += 1
            parts.append((names, text, arms, begin))
            names = []
        following = behind
        for names, text, arms, _ in reversed(parts):
            sentence = Sentence(text, behind=following)
            for outcomes, row in arms:
                first = arm(row, depth + 1, following)
                sentence.arms |= dict.fromkeys(outcomes.split(", "), first)
            labels.update(dict.fromkeys(names, sentence))
            if text.startswith("goto "):
                jumps.append(sentence)
            following = sentence
        return following, at

    def arm(row: int, depth: int, behind: Sentence | None) -> Sentence | None:
        rest = rows[row][1].split(":", 1)[1].strip()
        if not rest:
            return block(row + 1, depth + 1, behind)[0]
        sentence = Sentence(rest, behind=behind)
        if rest.startswith("goto "):
            jumps.append(sentence)
        return sentence

    first, end = block(0, 0, None)
    assert end == len(rows)
    for jump in jumps:
        jump.behind = labels[jump.text.removeprefix("goto ")]
    return first


def read_along(lines: Sequence[str], steps: Sequence[Step], outcomes: Sequence[int]) -> list[str]:
    """The texts that a reader sees; at a fork with n ways the next outcome, modulo n, is taken."""
    forks = {step.text: [name for name, _ in step.branches] for step in steps if len(step.branches) > 1}
    seen: list[str] = []
    choices = list(outcomes)
    sentence = understood(lines)
    while sentence is not None and len(seen) < LONGEST_WALK:
        if not sentence.text.startswith("goto "):
            seen.append(sentence.text)
        if sentence.text in ("exit", "return"):
            break
        if sentence.text in forks:
            names = forks[sentence.text]
            outcome = names[choices.pop(0) % len(names) if choices else 0]
            sentence = sentence.arms.get(outcome, sentence.behind)
        else:
            sentence = sentence.behind
    return seen


def walk_along(steps: Sequence[Step], outcomes: Sequence[int]) -> list[str]:
    """The texts on the steps' own path with the same outcomes."""
    seen: list[str] = []
    choices = list(outcomes)
    at = 0
    while len(seen) < LONGEST_WALK:
        seen.append(steps[at].text)
        branches = steps[at].branches
        if not branches:
            break
        at = branches[(choices.pop(0) % len(branches) if choices else 0) if len(branches) > 1 else 0][1]
    return seen


@st.composite
def graphs(draw: st.DrawFn) -> list[Step]:
    """Steps with names of their own, one to three outcomes, any successors; the last one is an end."""
    size = draw(st.integers(1, 9))
    steps = []
    for i in range(size):
        targets = draw(st.lists(st.integers(0, size), min_size=1, max_size=3))
        names = [""] if len(targets) == 1 else ["a", "b", "c"]
        steps.append(Step(f"step {i}", tuple(zip(names, targets, strict=False))))
    return [*steps, Step("exit")]


@given(graphs(), st.lists(st.integers(0, 2), max_size=LONGEST_WALK))
def test_a_reader_takes_the_path_of_the_graph(steps: list[Step], outcomes: list[int]) -> None:
    """For any graph, with loops and paths that never meet, and any outcomes."""
    assert read_along(outline(steps), steps, outcomes) == walk_along(steps, outcomes)


@given(graphs())
def test_every_step_that_can_be_reached_is_written(steps: list[Step]) -> None:
    """And none that cannot."""
    reachable, queue = {0}, [0]
    for at in queue:
        new = [target for _, target in steps[at].branches if target not in reachable]
        reachable |= set(new)
        queue += list(dict.fromkeys(new))
    texts = {line.strip().split(": ")[-1] for line in outline(steps)}
    for index, step in enumerate(steps):
        assert (step.text in texts) == (index in reachable)


@cache
def real_fault(name: str) -> tuple[list[Step], list[str]]:
    """A fault of hundreds of nodes and its outline; each node's number is its text, for several are alike."""
    stack = Stack(load_registry()["spf-do-fault"])
    steps = [
        Step(
            f"step {i}" if step.branches else "exit",
            tuple((str(n), target) for n, (_, target) in enumerate(step.branches)),
        )
        for i, step in enumerate(automaton_steps(stack.automaton(name, dict(sample_texts())[name])))
    ]
    return steps, outline(steps)


@pytest.mark.parametrize("name", ["write fault, anonymous", "read fault, private file"])
@settings(deadline=None, max_examples=50)
@given(outcomes=st.lists(st.integers(0, 3), min_size=20, max_size=LONGEST_WALK))
def test_a_reader_takes_the_path_of_a_real_fault(name: str, outcomes: list[int]) -> None:
    """Deep branches, shared endings, loops."""
    steps, lines = real_fault(name)
    assert len(steps) > 200
    assert read_along(lines, steps, outcomes) == walk_along(steps, outcomes)


# --- functions -----------------------------------------------------------------------------------


def resolve(name: str, args: tuple[Any, ...]) -> Steps:
    """Two functions to call: one that returns 0 to 2, one that returns a bool."""
    if name == "callee":
        return (yield choose("pick", 0, 1, 2))
    if not (yield choose("test", False, True)):
        yield work("undo")
        return False
    return True


def callee() -> Steps:
    """Call the one."""
    return (yield Call("callee", ()))


def check() -> Steps:
    """Call the other."""
    return (yield Call("check", ()))


def lines_of(text: Any) -> list[str]:
    """The outline of a function's own text."""
    return outline(*Extractor(resolve).steps(Call(text, ())))


def test_a_result_that_is_only_passed_on_has_a_name() -> None:
    """Whichever value it has; what is returned at once needs no name."""

    def passes_on() -> Steps:
        yield work("before")
        ret = yield from callee()
        yield work("after")
        return ret

    def at_once() -> Steps:
        return (yield from callee())

    assert lines_of(passes_on) == ["before", "ret = callee()", "after", "return ret"]
    assert lines_of(at_once) == ["return callee()"]


def test_results_that_lead_to_the_same_text_share_a_branch() -> None:
    """0 is returned as 7; 1 and 2 as they are, behind a step."""

    def some() -> Steps:
        ret = yield from callee()
        if not ret:
            return 7
        yield work("a")
        return ret

    assert lines_of(some) == ["ret = callee()", "  0: return 7", "  1, 2:", "    a", "    return ret"]


def test_a_check_that_fails_stands_before_the_rest() -> None:
    """The arm with branches of its own goes on unindented, as after an early return."""

    def guarded() -> Steps:
        if not (yield from check()):
            yield work("give up")
            return False
        if (yield from check()):
            yield work("more")
        return True

    assert lines_of(guarded) == [
        "check()",
        "  no:",
        "    give up",
        "    return no",
        "check()",
        "  yes: more",
        "return yes",
    ]


def test_loops_are_named_as_in_the_text() -> None:
    """With the place that "goto" goes to."""

    def loops() -> Steps:
        yield loop("retry")
        if (yield from check()):
            yield work("wait")
            yield again("retry")

    assert lines_of(loops) == ["retry:", "check()", "  no: return", "  yes:", "    wait", "    goto retry"]


def test_a_text_without_a_step_returns() -> None:
    """An outline is never empty, and "return" at the end of one with steps is left out."""

    def nothing() -> Steps:
        return
        yield

    def one() -> Steps:
        yield work("a")

    assert lines_of(nothing) == ["return"]
    assert lines_of(one) == ["a"]


def test_a_hook_point_is_read_under_the_stack() -> None:
    """The core's __do_fault is one call; the results of a fault are spelled as the kernel does."""
    vmf = VmFault(False, Mapping(anonymous=False))
    core = Stack(load_registry()["mmap-lock"])
    core.automaton("fault", lambda: hooks.do_user_addr_fault(vmf))
    (call,) = {call for call in core.calls() if call.name == "do_fault" and call.args == (vmf,)}
    assert core.outline(call) == ["return filemap_fault()"]
    retry = next(call for call in core.calls() if call.name == "fault_with_mmap_lock" and call.args == (vmf,))
    assert "  VM_FAULT_MAJOR|VM_FAULT_RETRY, VM_FAULT_RETRY: return retry_fault()" in core.outline(retry)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (VMFault.NONE, "0"),
        (VMFault.RETRY | VMFault.MAJOR, "VM_FAULT_MAJOR|VM_FAULT_RETRY"),
        ((VMFault.NOPAGE, VmFault(False, Mapping())), "VM_FAULT_NOPAGE"),
        ((VMFault.NONE, VmFault(False, Mapping(), frozenset({PMD_NONE}))), "0, no page table"),
        (True, "yes"),
        ("write-protected", "write-protected"),
        (None, ""),
    ],
)
def test_values_are_spelled(value: Any, text: str) -> None:
    """Results by their kernel names; facts only where they tell outcomes apart."""
    assert spell(value) == text

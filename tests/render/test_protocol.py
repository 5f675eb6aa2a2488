"""A variant's protocol: sections by hook point, what is the core's own, two texts beside each other, graphs."""

from __future__ import annotations

import re
from dataclasses import asdict, replace

import pytest

from spfvar.automata.automaton import Automaton, Node
from spfvar.errors import InputError
from spfvar.faultpaths.kinds import FAULT_KINDS
from spfvar.faultpaths.small import small_race
from spfvar.mm.hookspecs import HOOKS
from spfvar.mm.vmf import VmFault
from spfvar.ops.primitives import choose, end_thread, work
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.render.dot import dot
from spfvar.render.protocol import FAULTS, WRITERS, call_named, own_sections, sections
from spfvar.render.sidebyside import MIN_COLUMN, align, side_by_side

REGISTRY = load_registry()
#: One line of a DOT file as it is written here: a statement whose strings are quoted.
STRING = r'"(?:[^"\\\n]|\\.)*"'
ATTRIBUTE = rf"(?:[a-z]+=(?:{STRING}|\w+))"
STATEMENT = re.compile(
    rf"\s*(?:digraph {STRING} \{{|subgraph cluster_\d+ \{{|\}}|{ATTRIBUTE};"
    rf"|(?:\w+|n\d+ -> n\d+)(?: \[{ATTRIBUTE}(?:, {ATTRIBUTE})*\])?;)"
)


@pytest.mark.parametrize("name", REGISTRY.variants)
def test_every_fault_and_writer_can_be_told(name: str) -> None:
    """Each kind has sections, of hook points that exist, the first one being the call itself."""
    stack = Stack(REGISTRY[name])
    for call in (*FAULTS.values(), *WRITERS.values()):
        told = sections(stack, call)
        assert told[0].hook == call.name
        assert {section.hook for section in told} <= set(HOOKS)
        assert len(set(told)) == len(told)


def facts_of(fault: VmFault) -> dict[str, object]:
    """What a text may branch on, by name."""
    return {"write": fault.write, "user": fault.user, **asdict(fault.mapping)}


def test_whatever_makes_a_kind_of_fault_can_be_shown() -> None:
    """Each fact that coverage's kinds differ in is a fact of some kind that is told here; windows are any above 1."""
    shown = [facts_of(call.args[0]) for call in FAULTS.values() if isinstance(call.args[0], VmFault)]
    for kind in FAULT_KINDS:
        race = small_race([kind.file] if kind.file else [], [kind.vma], kind.fault)
        mapping = replace(race.mapping(kind.vma), **dict(kind.fault.extra))
        facts = facts_of(VmFault(kind.fault.write, mapping, user=kind.fault.user))
        window = facts.pop("fault_around")
        assert all(any(one[name] == value for one in shown) for name, value in facts.items()), kind.name
        assert any((one["fault_around"] == 1) == (window == 1) for one in shown)


def test_a_kind_of_fault_is_told_by_its_own_steps() -> None:
    """Swap, NUMA hints and the monitor of a userfaultfd have hook points that the plain kinds do not go through."""
    stack = Stack(REGISTRY["mmap-lock"])
    hooks = {name: {section.hook for section in sections(stack, call)} for name, call in FAULTS.items()}
    plain = hooks["anon-read"] | hooks["anon-write"]
    assert "do_swap_page" in hooks["swap-read"] - plain
    assert "do_numa_page" in hooks["numa-read"] - plain
    assert "handle_userfault" in hooks["userfault-write"] - plain


def test_callers_come_before_what_they_call() -> None:
    """Each hook point, the first apart, is called by a section before the first one of its own."""
    told = sections(Stack(REGISTRY["mmap-lock"]), FAULTS["file-read"])
    hooks = list(dict.fromkeys(section.hook for section in told))
    for place, hook in enumerate(hooks[1:], 1):
        before = [line for section in told if section.hook in hooks[:place] for line in section.lines]
        assert any(f"{hook}()" in line for line in before), hook


def test_what_is_not_the_cores_is_what_the_patches_do() -> None:
    """v6.12's munmap marks and counts; the core's own steps of freeing page tables are not repeated.

    Where a hook point's steps depend on flags, the section says on which.
    """
    stack = Stack(REGISTRY["per-vma-6.12"])
    own = {section.hook: section for section in own_sections(stack, WRITERS["munmap"])}
    assert own["vma_mark_detached"].lines == ("store 1(vma->detached)",)
    assert own["vma_mark_detached"].patches == ("PerVmaWriter",)
    assert "mmap_write_lock" in own
    assert "free_pgtables" not in own
    locks = [s for s in sections(stack, FAULTS["anon-write"]) if s.hook == "anon_vma_prepare"]
    assert len(locks) == 2
    assert [fact for section in locks for fact in section.facts if "VMA_LOCK" in fact]
    assert len(own_sections(Stack(REGISTRY["mmap-lock"]), WRITERS["munmap"])) > len(own)


def test_an_unknown_kind_gets_the_nearest_name() -> None:
    """Both tables have names of their own."""
    with pytest.raises(InputError, match="unknown kind of fault 'anonwrite': did you mean 'anon-write'"):
        call_named("fault", "anonwrite")
    with pytest.raises(InputError, match="unknown writer 'munmp': did you mean 'munmap'"):
        call_named("writer", "munmp")


def test_lines_pair_up_and_none_is_lost() -> None:
    """One changed, one equal, one added: each line of both texts stands once, in order."""
    left, right = ["a", "same", "b"], ["A", "same", "b", "c"]
    rows = align(left, right)
    assert rows == [("!", "a", "A"), (" ", "same", "same"), (" ", "b", "b"), (">", "", "c")]


@pytest.mark.parametrize("width", [2 * MIN_COLUMN + 3, 140])
def test_two_columns_keep_to_the_width(width: int) -> None:
    """No line is longer than the terminal; a long line goes on further in, with all its words."""
    long = "    " + " ".join(f"word{i}" for i in range(40))
    lines = side_by_side([([long], ["x"]), (["same"], ["same"])], ("left", "right"), width)
    assert max(len(line) for line in lines) <= width
    assert all(f"word{i}" in "\n".join(lines) for i in range(40))
    assert lines[0].startswith("left ")
    assert re.match(r"same +\| same$", lines[-1])


@pytest.mark.parametrize("width", [None, 80])
def test_without_a_wide_terminal_there_is_one_column_with_signs(width: int | None) -> None:
    """A pipe, or 80 columns: "-" and "+" before what differs, a blank before what does not."""
    lines = side_by_side([(["a", "same"], ["b", "same"])], ("left", "right"), width)
    assert lines == ["--- left", "+++ right", "", "-a", "+b", " same"]


@pytest.mark.parametrize("kind", ["anon-write", "file-read"])
def test_a_graph_has_every_step_and_every_outcome(kind: str) -> None:
    """Each line is a DOT statement; nodes are the automaton's, edges its successors, an edge per pair."""
    call = FAULTS[kind]

    def text():  # type: ignore[no-untyped-def]
        yield call

    automaton = Stack(REGISTRY["spf-do-fault"]).automaton(kind, text)
    lines = dot(automaton, "title").splitlines()
    assert [line for line in lines if not STATEMENT.fullmatch(line)] == []
    nodes = [line for line in lines if re.match(r" +n\d+ \[", line)]
    edges = {(int(a), int(b)) for a, b in re.findall(r"n(\d+) -> n(\d+)", "\n".join(lines))}
    assert len(nodes) == len(automaton)
    ends = {number for number, node in enumerate(automaton.nodes) if node.op == end_thread()}
    pairs = {(n, s) for n, node in enumerate(automaton.nodes) if n not in ends for s in node.successors}
    assert edges == pairs


def test_names_in_a_graph_are_escaped() -> None:
    """Quotes, backslashes and line breaks in names of primitives and outcomes."""
    awkward = 'a "b" \\ c\nd'
    nodes = (
        Node(choose(awkward, awkward, "x"), (1, 1)),
        Node(work("w", awkward), (2,)),
        Node(end_thread(), (2,)),
    )
    lines = dot(Automaton(awkward, nodes), awkward).splitlines()
    assert [line for line in lines if not STATEMENT.fullmatch(line)] == []
    assert sum('a \\"b\\" \\\\ c\\nd' in line for line in lines) == 5  # name, title, two nodes, an edge

"""What other tracers print: the same fault, in their lines."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.kernel.layouts import as_graph
from spfvar.kernel.letters import LOCK_PROBES, RCU_PROBES, Projection, letters_for
from spfvar.kernel.recording import events, segments
from tests.kernel import traces as t

PROBES = frozenset({*LOCK_PROBES, *RCU_PROBES})
V61 = letters_for("6.1")

#: A read of a present page in v6.1, marked; the ptl is one because it lies where a pmd's lock lay.
WORD = [
    "down_read_trylock mmap_lock = 1", "find_vma", "handle_mm_fault()", "spin_lock ptl",
    "ptep_set_access_flags", "spin_unlock ptl", "up_read mmap_lock",
]  # fmt: skip


def trace_cmd(event: str, rest: str) -> str:
    """A line of trace-cmd report."""
    return f"        pf-1     [000]   100.000001: {event + ':':22} {rest}"


def perf(event: str, rest: str) -> str:
    """A line of perf script."""
    return f"pf               1 [000]   100.000001: {event}: {rest}"


def probed(name: str, by: str, lock: int) -> tuple[str, str]:
    """A probe's event, as both print it."""
    return name, f"(ffffffff81000000) lock={lock:#x} by={by}"


TRACE_CMD = [
    "cpus=2",
    trace_cmd("print", "tracing_mark_write: BEGIN one 0x0"),
    trace_cmd("page_fault_user", "address=0x7f00 ip=0x401000 error_code=0x4"),
    trace_cmd("funcgraph_entry", "                  |  lock_mm_and_find_vma() {"),
    trace_cmd("mmap_lock_start_locking", f"mm={t.MM:#x} memcg_path=/ write=false"),
    trace_cmd(*probed("down_read_trylock", "arch_rethook_trampoline+0x0", t.MMAP_LOCK)),
    trace_cmd("ret_down_read_trylock", "(lock_mm_and_find_vma+0x24 <- down_read_trylock) ret=1"),
    trace_cmd("funcgraph_entry", "   0.300 us       |    find_vma();"),
    trace_cmd("funcgraph_exit", " + 12.100 us      |  }"),
    trace_cmd("funcgraph_entry", "                  |  handle_mm_fault() {"),
    trace_cmd(*probed("_raw_spin_lock", "pmd_install+0x10", t.PMD_LOCK)),
    trace_cmd(*probed("_raw_spin_unlock", "pmd_install+0x20", t.PMD_LOCK)),
    trace_cmd(*probed("_raw_spin_lock", "__handle_mm_fault+0x10", t.PTL)),
    trace_cmd("funcgraph_entry", "   0.100 us       |    ptep_set_access_flags();"),
    trace_cmd(*probed("_raw_spin_unlock", "__handle_mm_fault+0x20", t.PTL)),
    trace_cmd("funcgraph_exit", "   9.000 us       |  }"),
    trace_cmd(*probed("up_read", "do_user_addr_fault+0x30", t.MMAP_LOCK)),
    trace_cmd("print", "tracing_mark_write: END one"),
]

#: Functions are probes there, and callers are addresses: what is around a primitive tells whose it is.
PERF = [
    perf("exceptions:page_fault_user", "address=0x7f00 ip=0x401000 error_code=0x4"),
    perf("probe:lock_mm_and_find_vma", "(ffffffff81200000)"),
    perf("mmap_lock:mmap_lock_start_locking", f"mm={t.MM:x} memcg_path=/ write=false"),
    perf("probe:down_read_trylock", f"(ffffffff81000000) lock={t.MMAP_LOCK:#x} by=0xffffffff81200024"),
    perf("probe:down_read_trylock__return", "(ffffffff81200024 <- ffffffff81000000) ret=0x1"),
    perf("probe:find_vma", "(ffffffff81210000)"),
    perf("probe:lock_mm_and_find_vma__return", "(ffffffff81300000 <- ffffffff81200000)"),
    perf("probe:handle_mm_fault", "(ffffffff81220000)"),
    perf("probe:pmd_install", "(ffffffff81220000)"),
    perf("probe:_raw_spin_lock", f"(ffffffff81000000) lock={t.PMD_LOCK:#x} by=0xffffffff81220024"),
    perf("probe:_raw_spin_unlock", f"(ffffffff81000000) lock={t.PMD_LOCK:#x} by=0xffffffff81220024"),
    perf("probe:pmd_install__return", "(ffffffff81300000 <- ffffffff81220000)"),
    perf("probe:_raw_spin_lock", f"(ffffffff81000000) lock={t.PTL:#x} by=ffffffff81220024"),
    perf("probe:ptep_set_access_flags", "(ffffffff81230000)"),
    perf("probe:_raw_spin_unlock", f"(ffffffff81000000) lock={t.PTL:#x} by=18446744071581073444"),
    perf("probe:handle_mm_fault__return", "(ffffffff81300000 <- ffffffff81220000)"),
    perf("probe:up_read", f"(ffffffff81000000) lock={t.MMAP_LOCK:#x} by=0xffffffff81300010"),
    perf("exceptions:page_fault_user", "address=0x7f00 ip=0x401000 error_code=0x4"),
]


def word(lines: list[str]) -> list[str]:
    """The first fault's letters, without those of the page table that was allocated on the way."""
    found = segments(events(as_graph(lines, PROBES, "trace"), "trace"), V61.fault_roots)
    letters = Projection(V61, found).letters(found[0])
    return [letter.text for letter in letters if not letter.text.endswith("pmd_lock")]


@pytest.mark.parametrize("lines", [TRACE_CMD, PERF], ids=["trace-cmd report", "perf script"])
def test_the_same_fault_has_the_same_letters_whoever_printed_it(lines: list[str]) -> None:
    """Locks, a trylock's outcome, functions and their ends."""
    assert word(lines) == WORD


def test_lines_are_counted_as_in_the_file() -> None:
    """A drift names the line of what the user has, and the first line is no event."""
    found = segments(events(as_graph(TRACE_CMD, PROBES, "trace"), "trace"), V61.fault_roots)
    assert found[0].kind == "one"
    assert TRACE_CMD[found[0].events[0].line - 1].endswith("error_code=0x4")


def test_a_mark_is_found_behind_an_address() -> None:
    """perf prints a number where it does not know the function that wrote the mark."""
    lines = [
        perf("ftrace:print", "ffffffff81250000: BEGIN one"),
        *PERF,
        perf("ftrace:print", "0xffffffff81250000 END one"),
    ]
    found = segments(events(as_graph(lines, PROBES, "trace"), "trace"), V61.fault_roots)
    assert {segment.kind for segment in found} == {"one"}


def test_what_function_graph_printed_is_left_as_it_is() -> None:
    """Line by line."""
    lines = ["# tracer: function_graph", *t.read_of_present_page()]
    assert list(as_graph(lines, PROBES, "trace")) == lines


def test_a_file_of_no_tracer_is_refused_with_those_that_are_known() -> None:
    """By its first lines."""
    with pytest.raises(InputError, match=r"mine.*trace-cmd report"):
        list(as_graph(["hello", "world: 1"], PROBES, "mine"))

"""ftrace's text: which task did what, inside which functions, and where a fault begins and ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.kernel.recording import Event, events, segments
from tests.kernel import traces as t

ROOTS = {"lock_mm_and_find_vma", "handle_mm_fault", "do_user_addr_fault"}


def read(lines: list[str]) -> list[Event]:
    """The events without their tasks."""
    return [event for _, event in events(lines, "trace")]


def test_a_graph_line_is_read_with_or_without_durations_and_tasks() -> None:
    """As the tracer prints it under its options; what a caller is, the braces say."""
    for begin, end in (
        (" 0)   pf-1   |  do_fault() {", " 0)   pf-1   |  } /* do_fault */"),
        (" 0)               |  do_fault() {", " 0)   1.234 us    |  }"),
        (" 0)   pf-1   |               |  do_fault() {", " 0)   pf-1   | + 12.345 us  |  } /* do_fault */"),
    ):
        found = read([begin, end])
        assert [(event.kind, event.name, event.depth) for event in found] == [
            ("call", "do_fault", 0),
            ("return", "do_fault", 0),
        ]


def test_who_calls_through_a_trampoline_is_the_function_around_it() -> None:
    """The return address of a tail call is the tracer's own; then the graph knows."""
    found = read([t.line("pmd_install() {"), t.probe("_raw_spin_unlock", "return_to_handler", t.PMD_LOCK)])
    assert [(event.name, event.by) for event in found] == [
        ("pmd_install", ""),
        ("_raw_spin_unlock", "pmd_install"),
    ]


def test_a_return_that_was_lost_does_not_move_the_rest() -> None:
    """The brace of an outer function closes what is inside it."""
    found = read([t.line("a() {"), t.line("b() {"), t.line("} /* a */"), t.line("c();")])
    assert found[-1].depth == 0


def test_tasks_are_told_apart_on_one_cpu_and_across_cpus() -> None:
    """A switch line says who runs; a task's functions stay its own."""
    lines = [
        " 0)   pf-1   |  a() {", " ------------------------------------------", " 0)   pf-1   =>   pf-2  ",
        " 0)   pf-2   |  b();", " 1)   pf-1   |  c();",
    ]  # fmt: skip
    assert [(task, event.name, event.by) for task, event in events(lines, "trace")] == [
        ("pf-1", "a", ""),
        ("pf-2", "b", ""),
        ("pf-1", "c", "a"),
    ]


def test_numbers_are_read_as_the_kernel_writes_them() -> None:
    """0x-prefixed, bare hexadecimal of a pointer, decimal; what is no number is none."""
    [event] = read([t.line("/* e: a=0x10 b=ff11 c=12 d=false */")])
    assert [event.number(name) for name in "abcd"] == [16, 0xFF11, 12, None]
    assert event.number("e") is None


def test_a_fault_ends_with_its_mark_with_the_next_one_or_where_the_handler_is_left() -> None:
    """What a system call does behind a fault is not the fault's."""
    after = [t.line("vm_mmap_pgoff() {"), t.probe("down_write_killable", "vm_mmap_pgoff", t.MMAP_LOCK)]
    lines = [
        *t.marked("one", t.read_of_present_page()), *t.read_of_present_page(), *t.read_of_present_page(), *after,
    ]  # fmt: skip
    found = segments(events(lines, "trace"), ROOTS)
    assert [segment.kind for segment in found] == ["one", "", ""]
    assert {len([e for e in segment.events if e.name == "up_read"]) for segment in found} == {1}
    assert all(event.name != "down_write_killable" for segment in found for event in segment.events)


def test_a_fault_that_the_recording_cuts_off_is_left_out() -> None:
    """Nobody knows how it went on."""
    lines = [*t.read_of_present_page(), *t.read_of_present_page()[:4]]
    assert len(segments(events(lines, "trace"), ROOTS)) == 1


def test_a_fault_in_a_marked_system_call_is_cut_out_of_it() -> None:
    """A monitor whose source page is missing: the call goes on where the fault ends."""
    call = [t.line("mcopy_atomic();"), *t.read_of_present_page(), t.line("tlb_finish_mmu();")]
    fault, copy = sorted(
        segments(events(t.marked("sys-uffd-copy", call), "trace"), ROOTS), key=lambda found: found.is_writer
    )
    assert (fault.kind, fault.events[0].name) == ("", "page_fault_user")
    assert copy.kind == "sys-uffd-copy"
    assert [event.name for event in copy.events] == ["mcopy_atomic", "tlb_finish_mmu"]


def test_a_fault_of_the_kernels_own_mode_ends_where_only_the_users_would_begin() -> None:
    """lock_vma_under_rcu is the call's own look for its VMA, behind the fault."""
    call = [*t.read_of_present_page(), t.line("lock_vma_under_rcu();")]
    roots = ROOTS | {"lock_vma_under_rcu"}
    for where, inside in (("kernel", []), ("user", ["lock_vma_under_rcu"])):
        lines = t.marked("sys-uffd-copy", [t.fault(where=where), *call[1:]])
        found = segments(events(lines, "trace"), roots, {"lock_vma_under_rcu"})
        faults = [event.name for segment in found if not segment.is_writer for event in segment.events]
        assert [name for name in faults if name == "lock_vma_under_rcu"] == inside


def test_the_call_that_nobody_comes_back_from_ends_with_the_recording() -> None:
    """Another one that is cut off is left out."""
    for kind, segments_found in (("sys-exit", 1), ("sys-munmap", 0)):
        lines = [t.line(f"/* BEGIN {kind} 0 */"), t.line("exit_mmap();")]
        assert len(segments(events(lines, "trace"), ROOTS)) == segments_found


def test_what_is_no_recording_is_refused_with_its_last_line() -> None:
    """Not one event: the wrong file."""
    with pytest.raises(InputError, match="no line is an event; the last one is 'hello'"):
        list(events(["hello"], "notes.txt"))


@given(
    st.lists(st.sampled_from([*t.read_of_present_page(), *t.TABLE_IS_ALLOCATED, "garbage", ""]), max_size=60)
)
def test_any_order_of_lines_is_read_or_refused(lines: list[str]) -> None:
    """A buffer that wrapped around begins anywhere; depth is never negative."""
    try:
        found = list(events(lines, "trace"))
    except InputError:
        return
    assert all(event.depth >= 0 for _, event in found)
    segments(found, ROOTS)

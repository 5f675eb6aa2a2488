"""The same recording as different tracers print it: a table is allocated, then a marked read of a present page."""

from __future__ import annotations

from tests.kernel import traces as t

#: Where a function of the kernel is; who called it is a number to perf.
TEXT = "ffffffff81220024"


def trace_cmd(event: str, rest: str) -> str:
    """A line of trace-cmd report."""
    return f"        pf-1     [000]   100.000001: {event + ':':22} {rest}"


def perf(event: str, rest: str) -> str:
    """A line of perf script."""
    return f"pf               1 [000]   100.000001: {event}: {rest}"


def bpftrace(event: str, rest: str) -> str:
    """A line that a script of bpftrace prints."""
    return f"pf-1 [000] 100.000001: {event}: {rest}"


def _probed(name: str, lock: int, by: str) -> tuple[str, str]:
    return name, f"(ffffffff81000000) lock={lock:#x} by={by}"


#: function_graph under trace-cmd: functions are entries and exits of the graph; callers are symbols, or a
#: trampoline where the graph has replaced them.
TRACE_CMD = [
    "cpus=2",
    trace_cmd("page_fault_user", "address=0x7f00 ip=0x401000 error_code=0x6"),
    trace_cmd("funcgraph_entry", "                  |  handle_mm_fault() {"),
    trace_cmd("funcgraph_entry", "                  |    pmd_install() {"),
    trace_cmd(*_probed("_raw_spin_lock", t.PMD_LOCK, "pmd_install+0x10")),
    trace_cmd(*_probed("_raw_spin_unlock", t.PMD_LOCK, "return_to_handler+0x0")),
    trace_cmd("funcgraph_exit", "   1.000 us       |    }"),
    trace_cmd("funcgraph_exit", "   9.000 us       |  }"),
    trace_cmd("print", "tracing_mark_write: BEGIN one 0x0"),
    trace_cmd("page_fault_user", "address=0x7f00 ip=0x401000 error_code=0x4"),
    trace_cmd("funcgraph_entry", "                  |  lock_mm_and_find_vma() {"),
    trace_cmd("mmap_lock_start_locking", f"mm={t.MM:#x} memcg_path=/ write=false"),
    trace_cmd(*_probed("down_read_trylock", t.MMAP_LOCK, "arch_rethook_trampoline+0x0")),
    trace_cmd("ret_down_read_trylock", "(lock_mm_and_find_vma+0x24 <- down_read_trylock) ret=1"),
    trace_cmd("funcgraph_entry", "   0.300 us       |    find_vma();"),
    trace_cmd("funcgraph_exit", " + 12.100 us      |  }"),
    trace_cmd("funcgraph_entry", "                  |  handle_mm_fault() {"),
    trace_cmd(*_probed("_raw_spin_lock", t.PTL, "__handle_mm_fault+0x10")),
    trace_cmd("funcgraph_entry", "   0.100 us       |    ptep_set_access_flags();"),
    trace_cmd(*_probed("_raw_spin_unlock", t.PTL, "__handle_mm_fault+0x20")),
    trace_cmd("funcgraph_exit", "   9.000 us       |  }"),
    trace_cmd(*_probed("up_read", t.MMAP_LOCK, "do_user_addr_fault+0x30")),
    trace_cmd("print", "tracing_mark_write: END one"),
]

#: Functions are probes there, and callers are numbers: what is around a primitive tells whose it is.
PERF = [
    perf("exceptions:page_fault_user", "address=0x7f00 ip=0x401000 error_code=0x6"),
    perf("probe:handle_mm_fault", f"({TEXT})"),
    perf("probe:pmd_install", f"({TEXT})"),
    perf(*_probed("probe:_raw_spin_lock", t.PMD_LOCK, f"0x{TEXT}")),
    perf(*_probed("probe:_raw_spin_unlock", t.PMD_LOCK, f"0x{TEXT}")),
    perf("probe:pmd_install__return", f"(ffffffff81300000 <- {TEXT})"),
    perf("probe:handle_mm_fault__return", f"(ffffffff81300000 <- {TEXT})"),
    perf("ftrace:print", "ffffffff81250000: BEGIN one"),
    perf("exceptions:page_fault_user", "address=0x7f00 ip=0x401000 error_code=0x4"),
    perf("probe:lock_mm_and_find_vma", "(ffffffff81200000)"),
    perf("mmap_lock:mmap_lock_start_locking", f"mm={t.MM:x} memcg_path=/ write=false"),
    perf(*_probed("probe:down_read_trylock", t.MMAP_LOCK, f"0x{TEXT}")),
    perf("probe:down_read_trylock__return", f"({TEXT} <- ffffffff81000000) ret=0x1"),
    perf("probe:find_vma", "(ffffffff81210000)"),
    perf("probe:lock_mm_and_find_vma__return", "(ffffffff81300000 <- ffffffff81200000)"),
    perf("probe:handle_mm_fault", f"({TEXT})"),
    perf(*_probed("probe:_raw_spin_lock", t.PTL, TEXT)),
    perf("probe:ptep_set_access_flags", "(ffffffff81230000)"),
    perf(*_probed("probe:_raw_spin_unlock", t.PTL, "18446744071581073444")),
    perf("probe:handle_mm_fault__return", f"(ffffffff81300000 <- {TEXT})"),
    perf(*_probed("probe:up_read", t.MMAP_LOCK, "0xffffffff81300010")),
    perf("ftrace:print", "0xffffffff81250000 END one"),
]

#: A script prints what it likes in front; functions and probes are told apart by their names, and ksym() has
#: no offset.
BPFTRACE = [
    "Attaching 152 probes...",
    "",
    bpftrace("page_fault_user", "error_code=0x6"),
    bpftrace("handle_mm_fault", ""),
    bpftrace("pmd_install", ""),
    bpftrace("_raw_spin_lock", f"lock={t.PMD_LOCK:#x} by=pmd_install"),
    bpftrace("_raw_spin_unlock", f"lock={t.PMD_LOCK:#x} by=pmd_install"),
    bpftrace("pmd_install__return", "(0x0 <- pmd_install)"),
    bpftrace("handle_mm_fault__return", "(0x0 <- handle_mm_fault)"),
    bpftrace("print", "BEGIN one"),
    bpftrace("page_fault_user", "error_code=0x4"),
    bpftrace("lock_mm_and_find_vma", ""),
    bpftrace("mmap_lock_start_locking", f"mm={t.MM:#x}"),
    bpftrace("down_read_trylock", f"lock={t.MMAP_LOCK:#x} by=lock_mm_and_find_vma"),
    bpftrace("down_read_trylock__return", "(0x0 <- down_read_trylock) ret=1"),
    bpftrace("find_vma", ""),
    bpftrace("lock_mm_and_find_vma__return", "(0x0 <- lock_mm_and_find_vma)"),
    bpftrace("handle_mm_fault", ""),
    bpftrace("_raw_spin_lock", f"lock={t.PTL:#x} by=__handle_mm_fault"),
    bpftrace("ptep_set_access_flags", ""),
    bpftrace("_raw_spin_unlock", f"lock={t.PTL:#x} by=__handle_mm_fault"),
    bpftrace("handle_mm_fault__return", "(0x0 <- handle_mm_fault)"),
    bpftrace("up_read", f"lock={t.MMAP_LOCK:#x} by=do_user_addr_fault"),
    bpftrace("print", "END one"),
    "",
]

TRACERS = {"trace-cmd report": TRACE_CMD, "perf script": PERF, "bpftrace": BPFTRACE}

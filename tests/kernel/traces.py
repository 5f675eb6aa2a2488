"""Small recordings, as the function_graph tracer would print them."""

from __future__ import annotations

from collections.abc import Sequence

#: An mm_struct, and locks in it and elsewhere.
MM = 0xFF11000000001000
MMAP_LOCK = MM + 0xA8
VM_LOCK = 0xFF11000000507708
PTL = 0xFFD40000001EB7A8
PMD_LOCK = 0xFFD40000001468A8
ZONE_LOCK = 0xFF1100003EA3C440


def line(text: str, cpu: int = 0, task: str = "pf-1") -> str:
    """A line of the trace."""
    return f" {cpu})   {task}   | {text}"


def probe(name: str, by: str, lock: int | None = None) -> str:
    """A kprobe on a primitive."""
    at = f" lock={lock:#x}" if lock is not None else ""
    return line(f"/* {name}: ({name}+0x4/0x30){at} by={by}+0x10/0x100 */")


def fault(code: int = 4, where: str = "user") -> str:
    """The tracepoint that begins one."""
    return line(f"/* page_fault_{where}: address=0x7f0000000000 ip=0x401000 error_code={code:#x} */")


def marked(kind: str, lines: Sequence[str]) -> list[str]:
    """Between two marks."""
    return [line(f"/* BEGIN {kind} 0x0 */"), *lines, line(f"/* END {kind} */")]


def trylock(lock: int, by: str, result: int = 1) -> list[str]:
    """down_read_trylock, whose caller only its return shows: the call's return address is a trampoline."""
    return [
        line(
            f"/* down_read_trylock: (down_read_trylock+0x4/0x70) lock={lock:#x} "
            "by=arch_rethook_trampoline+0x0/0x60 */"
        ),
        line(f"/* ret_down_read_trylock: ({by}+0x24/0x220 <- down_read_trylock) ret={result:#x} */"),
    ]


def read_of_present_page(result: int = 1) -> list[str]:
    """v6.1: a read of a page that is present; with an interrupt's lock and another section in between."""
    return [
        fault(),
        line("lock_mm_and_find_vma() {"),
        line(f"/* mmap_lock_start_locking: mm={MM:x} memcg_path=/ write=false */"),
        *trylock(MMAP_LOCK, "lock_mm_and_find_vma", result),
        line("  find_vma();"),
        line("} /* lock_mm_and_find_vma */"),
        probe("__rcu_read_lock", "handle_mm_fault"),
        probe("_raw_spin_lock", "scheduler_tick", ZONE_LOCK),
        probe("_raw_spin_unlock", "scheduler_tick", ZONE_LOCK),
        probe("__rcu_read_unlock", "handle_mm_fault"),
        line("handle_mm_fault() {"),
        probe("_raw_spin_lock", "__handle_mm_fault", PTL),
        line("  ptep_set_access_flags();"),
        probe("_raw_spin_unlock", "__handle_mm_fault", PTL),
        line("} /* handle_mm_fault */"),
        line(f"/* mmap_lock_released: mm={MM:x} memcg_path=/ write=false */"),
        probe("up_read", "do_user_addr_fault", MMAP_LOCK),
    ]


#: Who else took a page table's lock, so that it is known where such locks lie.
TABLE_IS_ALLOCATED = [
    fault(6), line("handle_mm_fault() {"), line("pmd_install() {"),
    probe("_raw_spin_lock", "pmd_install", PMD_LOCK), probe("_raw_spin_unlock", "return_to_handler", PMD_LOCK),
    line("} /* pmd_install */"), line("} /* handle_mm_fault */"),
]  # fmt: skip

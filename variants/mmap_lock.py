"""The baseline: every fault takes mmap_lock for reading (v5.12, the core's own paths)."""

from spfvar.plugins.variant import Variant

VARIANTS = [
    Variant(
        name="mmap-lock",
        title="mmap_lock for every fault",
        kernel="v5.12",
        source="arch/x86/mm/fault.c and mm/ as of v5.12",
    )
]

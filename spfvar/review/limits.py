"""What the model leaves out, a sentence each: the short of docs/design.md, for the end of a review."""

LIMITS = (
    "Memory is sequentially consistent: no missing barrier, acquire or release can show.",
    "A safe verdict is about each race's own threads, VMAs and pages, not about larger ones.",
    "There are no huge pages, no page tables above the last level, no swap and no NUMA hinting.",
    "VMAs merge only where a race asks for it, and fork copies one VMA.",
    "rwsems hand over in strict FIFO order: running writers steal no lock.",
    "File systems' own locks, MMU notifiers and readahead are not modelled.",
)

"""The memory-management paths that every design shares, as strategies over hook points."""

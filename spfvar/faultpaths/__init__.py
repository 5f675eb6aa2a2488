"""What a design handles without mmap_lock, and what writers do to it: read from its automata."""

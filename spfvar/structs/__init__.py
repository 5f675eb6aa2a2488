"""Where the members of kernel structs lie in memory, and which of them share a cache line."""

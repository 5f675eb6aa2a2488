"""Where the members of kernel structs lie, by kernel version: TOML files, read by name."""

"""Built-in hardware profiles: TOML files, read by name."""

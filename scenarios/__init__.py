"""Built-in scenarios: TOML files, read by name."""

"""Shipped races: each a TOML file, one subject per file."""

"""Scenarios and hardware profiles: TOML in, worlds and programs out."""

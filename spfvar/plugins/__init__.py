"""Patches, variants (stacks of patches), and where they come from."""

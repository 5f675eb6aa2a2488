"""Broken twins: published bugs, each a small patch over a design that does not have it."""

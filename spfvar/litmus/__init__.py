"""Litmus tests in the kernel's C format: read, written, and what they ask of a memory model."""

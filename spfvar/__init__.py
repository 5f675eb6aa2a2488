"""Comparator of kernel-patch variants for Linux page faults."""

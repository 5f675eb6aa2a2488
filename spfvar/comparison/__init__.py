"""Comparison of variants: metrics and the statistics over their samples."""

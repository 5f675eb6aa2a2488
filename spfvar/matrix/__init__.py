"""The matrix: which scenarios, axes, hardware and variants are run, and the runs themselves."""

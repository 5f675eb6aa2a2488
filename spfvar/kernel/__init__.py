"""The kernel that runs: what it was seen to do, beside what a design's text says that it does."""

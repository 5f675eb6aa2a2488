"""The timed scheduler: the earliest clock moves next, open outcomes are drawn."""

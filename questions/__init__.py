"""Questions that reviewers asked on the list, as TOML: which figures of a run answer them."""

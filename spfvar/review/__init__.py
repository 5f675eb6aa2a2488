"""The review of a variant: what the patch is, and what one run of compare, check and ablate says about it."""

"""A review of one variant: what one run of compare, check and ablate says about a patch."""

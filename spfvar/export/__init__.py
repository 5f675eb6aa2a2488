"""Export: a race under a variant as a model for another checker, stated in that checker's own terms."""

"""The explorer: every interleaving and every open outcome of a race, over the transition function."""

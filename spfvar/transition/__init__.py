"""The one transition function: what a primitive does to the state, for every scheduler."""

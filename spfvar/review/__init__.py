"""The review of a patch: what it is, which protocol steps it changes, and what would flip its verdict."""

"""Reports of a comparison: tables as data, and their layouts."""

"""What `spfvar new` writes: variants, loads, races and packages to start from."""

"""What `spfvar calibrate` does: measure this host, fit a profile with its ensemble, write it."""

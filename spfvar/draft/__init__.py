"""From a patch to a plugin: what `spfvar new variant --from-patch` writes."""

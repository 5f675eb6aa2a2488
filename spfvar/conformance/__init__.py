"""The conformance kit: checks that the variants of a plugin are well made."""

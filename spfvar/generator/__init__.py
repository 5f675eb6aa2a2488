"""Races that nobody wrote: small ones, enumerated smallest first, and what they break."""

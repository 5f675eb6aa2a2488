"""Results that were computed once, kept by what decides them."""

"""Verifying: whether a crate, anybody's, still is what it says of itself, and what was signed."""

"""Crates: what was staged and what ran, as RO-Crates that other tools read."""

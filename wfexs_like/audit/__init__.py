"""The audit: looking for what should be secret wherever this host lets us read. It knows no working directories."""

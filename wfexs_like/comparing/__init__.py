"""Compare: whether two runs are the same, which of their files differ, and where the first difference came from."""

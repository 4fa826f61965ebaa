"""The encrypted area of a working directory: made, opened while it is used, closed by its last user."""

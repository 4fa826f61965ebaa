"""Commands, one file a verb."""

"""wfexs-like: a lock file for science that can also run it, in the dark, and prove it."""

__version__ = "0.1.0"

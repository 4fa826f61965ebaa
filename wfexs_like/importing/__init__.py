"""Importing: a crate of ours becomes a working directory again, in which ``run`` gives what it gave.

The crate's lock is the plan. Every item's bytes come from the crate where they are there, else from where they were had
before; either way they go through the content store and are what the lock says, or nothing is made.
"""

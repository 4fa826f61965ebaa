"""What every engine's child script needs inside the namespaces: its request, its voice, its network and its walls.

These modules import the standard library and each other only: the interpreter may belong to another environment, and
the script makes this package importable by hand (see ``engines.cwltool.child.main``).
"""

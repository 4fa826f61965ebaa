"""What runs inside the child process, with cwltool, the standard library and ``engines.child``.

The interpreter may belong to another environment, so these modules import nothing else of ours.
"""

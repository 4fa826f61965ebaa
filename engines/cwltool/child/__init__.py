"""What runs inside the child process, with cwltool and the standard library and nothing else of ours.

The interpreter may belong to another environment, so these modules import each other and cwltool only.
"""

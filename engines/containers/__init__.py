"""Containers: the runtimes that steps run in, and the one door through which engines reach them."""

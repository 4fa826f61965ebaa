"""The cwltool adapter: the CWL reference runner, driven as a library in one child process."""

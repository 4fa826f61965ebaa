"""What is fetched, from where, and the proof that it is that. Imports neither ``engines`` nor ``wfexs_like``."""

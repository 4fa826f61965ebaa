"""Who really runs the workflow, and what they told us about it. May import ``staging``."""

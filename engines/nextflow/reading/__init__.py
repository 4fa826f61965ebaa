"""Reading Nextflow workflows before they run: what can be told of the text, and what the engine itself says."""

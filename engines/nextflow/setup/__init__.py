"""Setting Nextflow up: which version, on which Java, from where, and started how."""

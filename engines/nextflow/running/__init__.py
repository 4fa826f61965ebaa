"""Running Nextflow: what is laid out for it, what it tells meanwhile, and what is made of what it left."""

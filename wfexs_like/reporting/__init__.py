"""Reports: an account of a crate as a page that needs nothing else."""

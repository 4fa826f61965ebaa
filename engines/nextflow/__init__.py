"""The Nextflow adapter: real Nextflow of any version in its own Java, set up once and started without a network."""

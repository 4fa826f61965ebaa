"""Container images: their names, manifests and layouts, and how they are staged."""

"""Images of applications for clusters: layers for packages and files, on any registry's base."""

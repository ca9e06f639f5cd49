"""Container images: names, credentials, registries, layers, and a store of what was pulled."""

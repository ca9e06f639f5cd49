"""The kinds of eventing as types: models of the CRDs, defaults, validation, settings, names."""

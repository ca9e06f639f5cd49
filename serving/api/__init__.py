"""Serving's API: models of its kinds, settings, defaults, validation, keys."""

"""Builders of child objects: parent and settings in, object out. Pure."""

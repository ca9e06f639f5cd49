"""Carries out what ``hearth.keda.scaling`` decides: a daemon for each object."""

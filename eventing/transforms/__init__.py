"""Expressions that make one event into another. Pure; a library of its own does the work."""

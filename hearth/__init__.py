"""Hearth: what is beside serving, activator and eventing."""

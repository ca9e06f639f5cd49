"""Probes and lifecycle hooks: when to ask, how to ask, what the answers add up to."""

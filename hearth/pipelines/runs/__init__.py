"""Runs: what is to be done next, and the pods of scripts and jobs. Pure."""

"""Runtimes: what runs the containers of pods."""

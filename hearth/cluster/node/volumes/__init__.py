"""Volumes of pods on disk, and the ConfigMaps, Secrets and tokens that fill them."""

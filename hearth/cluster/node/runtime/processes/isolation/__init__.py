"""Opt-in isolation of processes (``hearth up --isolate``): bubblewrap, and limits by cgroups."""

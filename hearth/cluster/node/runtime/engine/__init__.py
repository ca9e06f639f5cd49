"""Containers by the engine that the machine has: Docker's API, and Podman's own where it is faster.

``sockets`` finds an engine without starting anything, ``service`` starts Podman's API where there
is only its command, ``client`` speaks HTTP, ``podman`` and ``docker`` are its dialects.
"""

"""Image names of this machine: the store, and ``hearth build`` that adds to it."""

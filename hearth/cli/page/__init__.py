"""``hearth ui``: opens the live page of this machine, or serves that of a cluster."""

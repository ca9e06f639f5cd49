"""The kind Route: what is made of one, and what its status says."""

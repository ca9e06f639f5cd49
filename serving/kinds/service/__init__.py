"""The kind Service: what is made of one, and what its status says."""

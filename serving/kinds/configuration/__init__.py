"""The kind Configuration: what is made of one, and what its status says."""

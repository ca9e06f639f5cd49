"""The kind Revision: what is made of one, and what its status says."""

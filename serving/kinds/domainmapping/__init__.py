"""The kind DomainMapping: what is made of one, and what its status says."""

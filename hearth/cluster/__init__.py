"""A Kubernetes for one machine: API server, controllers and a node."""

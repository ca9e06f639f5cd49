"""A client's view of Kubernetes: what every part needs to speak with an API server."""

"""The one-machine Kubernetes: API server, controllers and node; see README.md."""

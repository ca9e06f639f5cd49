"""The kind PodAutoscaler: what is made of one, and what its status says."""

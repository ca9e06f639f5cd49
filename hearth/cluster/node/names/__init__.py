"""In-cluster names inside containers: who answers for them, and what leads to where they point."""

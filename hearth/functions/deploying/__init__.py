"""What a deployment asks of a Service, and how far it has come: decisions over objects."""

"""The adapter of one IntegrationSource."""

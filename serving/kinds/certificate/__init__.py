"""The kind Certificate: who makes it come true, by its class."""

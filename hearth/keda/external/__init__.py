"""Scaling by requests: what activators count of the HTTP add-on's routes, as triggers see it."""

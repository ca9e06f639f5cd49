"""Serving the Knative way: kinds, traffic, autoscaler, admission."""

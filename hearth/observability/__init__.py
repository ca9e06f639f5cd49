"""Logs and metrics of every process of ours."""

"""Decisions about pods, all pure: the parsed spec, records, lifecycle, status, environment."""

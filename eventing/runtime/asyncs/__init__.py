"""Requests that are answered later: taken in, sent to their Service, results kept and told."""

"""Validation of serving's kinds: small checks that give field errors in Knative's words.

``kinds`` has one function per kind; the webhook calls those. Everything here is pure.
"""

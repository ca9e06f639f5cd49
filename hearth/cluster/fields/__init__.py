"""Managed fields: who owns which field of an object, and server-side apply.

``updates`` is the way in; ``fieldset``, ``atoms``, ``typed``, ``merging`` and ``entries`` are its
parts. Every write goes through it.
"""

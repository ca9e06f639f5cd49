"""Traces: which requests and events are sampled, and how their spans get to a collector.

Whoever makes spans has a ``Tracer``. Where traces are off it is a flag that says so, and nothing
of OpenTelemetry is imported.
"""

"""NATS JetStream behind the seam: a stream for each log, a durable consumer for each subscription.

``engine`` makes streams; ``log`` appends and keeps an eye on what is needed; ``consumer`` pulls and
acknowledges; ``asides`` is the second stream of a log, with notes and with what is set aside;
``reading`` looks. ``connection`` is the one connection of a process. ``config``, ``names`` and
``messages`` are pure, as is ``recent``: what several consumers are sent is kept once.
"""

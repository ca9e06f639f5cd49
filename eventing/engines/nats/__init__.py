"""NATS JetStream behind the seam: a stream for each log, a durable consumer for each subscription.

``engine`` makes streams; a ``log`` has ``appending``, the ``stream`` (how large it is, what of it
is needed) and its ``consumers``, of which ``moving`` moves one; a ``consumer`` pulls what is
``unsettled`` until it is acknowledged. ``asides`` is the second stream of a log, with notes and
with what is set aside; ``reading`` looks. ``connection`` asks, over the one ``session`` of a
process, on
``wire``; ``login`` says who we are there. ``config``, ``faults``, ``names`` and ``messages`` are
pure, as is ``recent``: what several consumers are sent is kept once.
"""

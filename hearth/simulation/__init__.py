"""Traces of requests through the real autoscaler and throttler, in simulated time.

The planning tool behind ``hearth simulate``. What decides is what decides in production:
``serving.autoscaler`` (windows, ``decide``, ``settle``) and ``activator`` (throttler, balancing,
statistics). What is simulated are requests, pods and time. Nothing here does I/O but ``traces``
(reads files) and ``fleet`` (several processes).

``exact`` goes from request to request; ``stepped``, for services with many, from second to second,
with averages for what happens within one. Both leave out moments at which nothing can change; that
changes no result (``rest`` says why, tests hold it against the plain loop).
"""

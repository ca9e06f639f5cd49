"""The data plane of eventing: addressables that take events in, subscriptions that deliver them.

``ingress`` takes events from producers, ``addressable`` joins a log with its subscriptions, and
``subscription`` is one Trigger's deliveries: ``reader`` takes events from the log, ``dispatcher``
attempts, retries and dead-letters, ``replies`` sees to answers, ``accounting`` counts what is held
in memory. ``main`` has the processes. Where events lie is the business of ``eventing.engines``.
"""

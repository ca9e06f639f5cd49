"""Spans of events: taken in, delivered, answered, dead.

An event carries its place in a trace where it always had it, in the ``traceparent`` among its
header lines: that is stored with it, so a trace outlives the process. Only events whose context
says that they are sampled cost more than a look at it.

=====================================  ========  =================================================
span                                   kind      from, to
=====================================  ========  =================================================
``broker:NAME.NAMESPACE`` (channel...)  SERVER    a request with events, its answer (on disk: 202)
``trigger:NAME.NAMESPACE``              CONSUMER  the event's arrival, the moment nobody needs it:
  (subscription...)                              the time in the log is before its first child
``send URL``                           CLIENT    one attempt, its answer
``broker:NAME.NAMESPACE``               PRODUCER  a reply, the moment it is on disk
=====================================  ========  =================================================

Names and attributes are those of Knative's broker, attributes of HTTP and messaging those of
OpenTelemetry's semantic conventions.
"""

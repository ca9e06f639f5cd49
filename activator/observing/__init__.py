"""Traces of requests, exemplars of their durations, and the request log.

``observer`` decides which requests are watched; ``spans`` and ``template`` (pure) make of a note
what is told, in the threads that tell it. Names are those of Knative's activator:

=================  ========  ====================================================================
span               kind      from, to
=================  ========  ====================================================================
``handle``         SERVER    the request's head, the response's last byte
``throttler_try``  INTERNAL  the head, the moment a pod was found for it
``scale``          INTERNAL  only without a ready pod: until there was one with an address
``probe``          INTERNAL  only without a ready pod: from there until one answered
``activator_proxy``  INTERNAL  a pod is found, the end
``METHOD PATH``    CLIENT    given to a connection, the end: what the application is a child of
=================  ========  ====================================================================
"""

"""CustomResourceDefinitions: the definitions themselves, and the kinds that come of them.

``kinds.kinds_of`` turns a definition into kinds that the request handlers serve like built-in
ones; ``definitions`` validates and completes definitions; ``names`` decides which names a
definition gets. ``validation``, ``shaping``, ``lists`` and ``rules`` do what schemas ask for.
All pure; ``cel`` loads the library for CEL expressions when the first rule needs it.
"""

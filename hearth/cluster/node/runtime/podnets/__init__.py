"""Network namespaces of pods on a bridge of this node's own, for runtimes that run as root.

Making one takes some milliseconds, without a program and without an engine's network plugins, and
an address is known before anything runs. ``addresses`` decides; ``podnets`` is the way in.
"""

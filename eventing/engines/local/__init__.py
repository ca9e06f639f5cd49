"""The default engine: one folder of segment files per log, durable before it is acknowledged.

``engine`` opens logs and owns the threads; ``log`` is group commit; ``consumer`` is a position in
a log; ``segments`` and ``cursorfile`` are the files, ``frames`` their format, ``cursor`` the
arithmetic of what is settled.
"""

"""Managed fields: who owns which field of an object, and server-side apply.

``updates`` is the way in; ``fieldset``, ``atoms``, ``typed``, ``merging`` and ``entries`` are its
parts, all pure. The request handlers call it on every write.
"""

from hearth.cluster.apiserver.managedfields.updates import (
    ApplyError,
    Conflict,
    apply,
    conflict_status,
    keep_times,
    reset_fields,
    track_update,
)

__all__ = [
    "ApplyError",
    "Conflict",
    "apply",
    "conflict_status",
    "keep_times",
    "reset_fields",
    "track_update",
]

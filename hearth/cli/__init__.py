"""The ``hearth`` command, and the supervisor behind ``hearth up``."""

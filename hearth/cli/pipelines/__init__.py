"""``hearth pipeline`` and ``hearth run``: scripts that events start, and their runs."""

"""``hearth init``, ``hearth validate``, ``hearth export``: files for those who want them."""

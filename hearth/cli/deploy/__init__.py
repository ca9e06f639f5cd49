"""``hearth deploy``, ``hearth rollout``: from a folder or an image to a URL."""

"""``hearth deploy --bind`` and ``hearth bindings``: what reaches an application by a word."""

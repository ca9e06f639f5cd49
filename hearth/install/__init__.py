"""``hearth install`` and ``hearth uninstall``: from files of ``config/`` to a cluster's objects."""

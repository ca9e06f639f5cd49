"""The object store: a revision log on disk, the current state and recent changes in memory."""

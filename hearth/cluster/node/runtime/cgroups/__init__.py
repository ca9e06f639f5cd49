"""Control groups of both versions: what a group uses, and limits where we may make groups."""

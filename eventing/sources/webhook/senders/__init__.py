"""The senders that are known, each in a module of its own. Pure."""

"""The built-in kinds: one module of rules for each family, all of them declared in ``catalog``."""

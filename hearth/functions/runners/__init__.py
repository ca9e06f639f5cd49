"""Programs that run in an application's own interpreter: the standard library only."""

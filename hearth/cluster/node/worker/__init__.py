"""Runs pods: one worker each, with its folder, its status writer and its events."""

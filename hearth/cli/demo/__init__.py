"""``hearth demo``: the tour that shows, and checks, the main job."""

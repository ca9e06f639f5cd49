"""``hearth doctor``: what stands in the way of a Hearth, and what to do about it."""

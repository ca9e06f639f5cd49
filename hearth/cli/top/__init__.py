"""``hearth top``: what services and pods do at the moment."""

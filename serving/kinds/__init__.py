"""The kinds of serving: a folder for each, and the controllers beside them."""

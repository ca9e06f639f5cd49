"""The HTTP face: from a request to its handler and from a result to its answer."""

"""One module for each family of verbs and resources; each handler turns a call into an answer."""

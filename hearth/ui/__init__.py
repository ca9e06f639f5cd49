"""The live page: what happens in one Hearth, or in a cluster, shown while somebody looks."""

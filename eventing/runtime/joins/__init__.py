"""The join of a Parallel: what its branches reply to one event becomes one event."""

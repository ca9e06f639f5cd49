"""KEDA's kinds: what scales workloads by what happens elsewhere."""

"""KEDA's kinds: models, keys, CRDs."""

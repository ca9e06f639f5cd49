"""What happens to objects without a request: garbage collection, namespaces, CRDs, expiry."""

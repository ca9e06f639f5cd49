"""The Node object and its Lease: what the cluster knows of this machine."""

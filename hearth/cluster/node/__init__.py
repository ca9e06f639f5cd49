"""The node: runs the pods of a one-machine Kubernetes.

``agent`` takes pods and gives each a ``worker``; what a worker decides is in ``pod`` (pure); what
runs a container is behind the seam in ``runtime``.
"""

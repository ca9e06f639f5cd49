"""The node: runs the pods of a one-machine Kubernetes as processes.

Pure decisions (``spec``, ``records``, ``machine``, ``status``, ``probes``, ``environment``,
``scheduling``) below a thin shell (``podworker``, ``processes``, ``logpump``, ``volumes``).
"""

"""The domain of a cluster's own names: ``cluster.local``, or what it was set up with. Pure."""

from __future__ import annotations

CLUSTER_DOMAIN = "cluster.local"
"""What nearly all clusters have, and one machine."""


def domain_of_resolver(text: str) -> str | None:
    """Return the domain that a pod's ``resolv.conf`` tells; None where it tells none.

    A kubelet lets pods search ``NAMESPACE.svc.DOMAIN``, ``svc.DOMAIN`` and ``DOMAIN``.
    """
    searched = (line.split()[1:] for line in text.splitlines() if line.split()[:1] == ["search"])
    for name in (name for names in searched for name in names):
        if name.startswith("svc."):
            return name.removeprefix("svc.").rstrip(".")
    return None

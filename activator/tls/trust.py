"""Whom we believe when we speak TLS to applications: bundles of the cluster, and the system's."""

from __future__ import annotations

import ssl
from collections.abc import Iterable


class Trust:
    """The context of connections to applications, made when it is first asked for."""

    def __init__(self) -> None:
        self._bundles: tuple[str, ...] = ()
        self._context: ssl.SSLContext | None = None

    def set(self, bundles: Iterable[str]) -> None:
        """Believe these authorities, each text some certificates in PEM, for new connections."""
        self._bundles = tuple(sorted(bundles))
        self._context = None

    @property
    def context(self) -> ssl.SSLContext:
        """Of connections from now on."""
        if self._context is None:
            context = ssl.create_default_context()
            context.set_alpn_protocols(["http/1.1"])
            for bundle in self._bundles:
                try:
                    context.load_verify_locations(cadata=bundle)
                except ssl.SSLError:
                    # One that means nothing hurts those alone who need it.
                    continue
            self._context = context
        return self._context

"""Certificates for the pods that events are handed on to: made here, by the authority trusted here.

A pod finds its certificate in a Secret that control names; it is made once, and never changed. All
that this takes is the right to create Secrets.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from eventing.api import keys
from eventing.api.sinkviews import INTEGRATIONSINK_SOURCE
from eventing.api.views import status_annotation
from hearth.kube.errors import AlreadyExists, Retryable
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, is_deleting, namespace, owner_reference
from hearth.kube.resources import SECRETS

Vouch = Callable[[Sequence[str]], tuple[bytes, bytes] | None]
"""Makes a certificate for names, and its key (PEM)."""


class PodCertificates:
    """Follows IntegrationSinks. The manager runs it."""

    def __init__(self, manager: Manager, vouch: Vouch) -> None:
        self._manager = manager
        self._vouch = vouch
        self._made: dict[Key, str] = {}
        """The Secret that was made last for each."""
        manager.add_controller(
            "integrationsink-certificates", self.sync, source=INTEGRATIONSINK_SOURCE
        )

    async def sync(self, key: Key) -> None:
        """Make the Secret that control has named."""
        found = self._manager.get(INTEGRATIONSINK_SOURCE, *key)
        if found is None or is_deleting(found):
            self._made.pop(key, None)
            return
        title = status_annotation(found, keys.POD_CERTIFICATE_ANNOTATION)
        if not title or self._made.get(key) == title:
            return
        certificate = self._vouch(names_of(found))
        if certificate is None:
            raise Retryable("the authority of certificates is not there yet")
        try:
            await self._manager.client.create(SECRETS, make_secret(found, title, certificate))
        except AlreadyExists:
            pass  # made before a restart
        self._made[key] = title


def names_of(sink: Object) -> tuple[str, ...]:
    """Return the names by which a sink's pod is reached, the one of its address first. Pure."""
    host = urlsplit(status_annotation(sink, keys.POD_ADDRESS_ANNOTATION) or "").hostname or ""
    name, where, *_ = (*host.split("."), "")
    return host, f"{name}.{where}.svc"


def make_secret(sink: Object, title: str, certificate: tuple[bytes, bytes]) -> Object:
    """Return the Secret of a certificate and its key; it goes with the sink. Pure."""
    chain, key = (base64.b64encode(each).decode() for each in certificate)
    metadata: dict[str, Any] = {
        "name": title,
        "namespace": namespace(sink),
        "ownerReferences": [owner_reference(sink)],
    }
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": metadata,
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": chain, "tls.key": key},
    }

"""What every KIngress is told by its parent's annotations and the settings. Pure."""

from __future__ import annotations

from hearth.kube import meta
from hearth.kube.meta import Object
from serving.api import keys
from serving.api.config import network
from serving.api.settings import Settings
from serving.kinds.metadata import LAST_APPLIED

NOT_FOR_INGRESSES = frozenset(
    {LAST_APPLIED, *keys.INGRESS_CLASS.spellings[1:], *keys.CERTIFICATE_CLASS.spellings[1:]}
)


def ingress_class(obj: Object, settings: Settings) -> str:
    """Return who is to serve the KIngress."""
    return keys.INGRESS_CLASS.value(meta.annotations(obj)) or settings.network.ingress_class


class OptionError(ValueError):
    """An annotation that says nothing that a KIngress could be told."""


def http_option(obj: Object, settings: Settings) -> str:
    """Whether plain http is served or sent to https; raises OptionError, in Knative's words."""
    asked = keys.HTTP_PROTOCOL.value(meta.annotations(obj)).lower()
    if asked not in ("", network.HTTP_ENABLED, network.HTTP_REDIRECTED):
        raise OptionError(f"incorrect http-protocol annotation: {asked}")
    redirected = (asked or settings.network.http_protocol) == network.HTTP_REDIRECTED
    return keys.HTTP_REDIRECTED if redirected else keys.HTTP_ENABLED

"""DomainMapping: a host name of one's own for a Service, Route or Kubernetes Service."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hearth.knative.duck import Addressable, Status
from hearth.kube.models import Kept, Model, Required


class KReference(Model):
    """A reference to an object of the same cluster."""

    go_type: ClassVar[str] = "v1.KReference"

    kind: Annotated[Kept[str], Required()] = ""
    namespace: str = ""
    """The namespace of the DomainMapping, and no other."""
    name: Annotated[Kept[str], Required()] = ""
    api_version: str = ""
    group: str = ""
    address: str | None = None


class SecretTLS(Model):
    """A certificate of the user's own."""

    go_type: ClassVar[str] = "v1beta1.SecretTLS"

    secret_name: Annotated[Kept[str], Required()] = ""
    """The Secret with the certificate for this name."""


class DomainMappingSpec(Model):
    """What the name leads to."""

    go_type: ClassVar[str] = "v1beta1.DomainMappingSpec"

    ref: Annotated[Kept[KReference], Required()] = Field(default_factory=KReference)
    """What the name leads to."""
    tls: SecretTLS | None = None


class DomainMappingStatus(Status):
    """Where the name is reached."""

    url: str | None = None
    """Where the name is reached."""
    address: Addressable | None = None

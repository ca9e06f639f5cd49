"""config-certmanager: which issuers of cert-manager sign certificates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hearth.knative.configmap import Reader, read_yaml
from hearth.knative.structs import read_struct
from hearth.kube.models import Model, dump

_SELF_SIGNED = {"kind": "ClusterIssuer", "name": "knative-selfsigned-issuer"}


def _default() -> Mapping[str, str]:
    return _SELF_SIGNED


@dataclass(frozen=True, slots=True)
class CertManagerConfig:
    """References to issuers: for names outside the cluster and for those inside.

    Where none is named it is the one that Knative's installation makes and Hearth's does not.
    """

    issuer: Mapping[str, str] = field(default_factory=_default)
    cluster_local_issuer: Mapping[str, str] = field(default_factory=_default)
    system_internal_issuer: Mapping[str, str] = field(default_factory=_default)

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> CertManagerConfig:
        """Read the ConfigMap's data; raises ValueError in Knative's words."""
        reader = Reader(data)
        return cls(
            _reference(reader.text("issuerRef", default="")),
            _reference(reader.text("clusterLocalIssuerRef", default="")),
            _reference(reader.text("systemInternalIssuerRef", default="")),
        )


class _Issuer(Model):
    name: str = ""
    kind: str = ""
    group: str = ""


def _reference(text: str) -> Mapping[str, str]:
    given = read_struct(read_yaml(text) if text else None, _Issuer, go_type="v1.ObjectReference")
    return {**_SELF_SIGNED, **dump(given)}

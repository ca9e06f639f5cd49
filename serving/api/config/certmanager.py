"""config-certmanager: which issuers of cert-manager sign certificates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hearth.knative.configmap import Reader, read_yaml
from hearth.kube.models import json_type

_SELF_SIGNED = {"kind": "ClusterIssuer", "name": "knative-selfsigned-issuer"}
_FIELDS = ("name", "kind", "group")


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


def _reference(text: str) -> Mapping[str, str]:
    given: Any = read_yaml(text) if text else None
    if given is None:
        return _SELF_SIGNED
    if not isinstance(given, dict):
        raise ValueError(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
            f"{json_type(given)} into Go value of type v1.ObjectReference"
        )
    for key, value in given.items():
        if key in _FIELDS and not isinstance(value, str):
            raise ValueError(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
                f"{json_type(value)} into Go struct field ObjectReference.{key} of type string"
            )
    return {**_SELF_SIGNED, **{key: given[key] for key in _FIELDS if given.get(key)}}

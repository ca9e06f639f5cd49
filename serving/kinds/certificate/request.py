"""What cert-manager is asked for a Certificate. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hearth.kube import meta
from hearth.kube.meta import Object, labels, name, namespace, owner_reference, uid
from hearth.kube.resources import Resource
from serving.api import keys, views
from serving.api.config.certmanager import CertManagerConfig
from serving.kinds.certificates import CLUSTER_LOCAL, EXTERNAL

REQUESTS = Resource("cert-manager.io", "v1", "certificates", "Certificate")
CHALLENGES = Resource("acme.cert-manager.io", "v1", "challenges", "Challenge")
SHORT = "k."
"""Before the domain: a name that is short enough where that of a route is not."""
_LONGEST = 63


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing can be asked for."""

    reason: str
    message: str


def make_request(certificate: Object, config: CertManagerConfig) -> Object | Refusal:
    """Return cert-manager's Certificate for one of Knative's."""
    view = views.Certificate(certificate)
    hosts = view.dns_names
    common = hosts[0] if hosts else ""
    domain = str(view.spec.get("domain") or "")
    if len(common) > _LONGEST:
        problem = _problem_of_length(common, domain)
        if problem is not None:
            return problem
        common = SHORT + domain
        hosts = [common, *hosts]
    issuer = _issuer(certificate, config)
    if isinstance(issuer, Refusal):
        return issuer
    return {
        "apiVersion": REQUESTS.api_version,
        "kind": REQUESTS.kind,
        "metadata": {
            "name": name(certificate),
            "namespace": namespace(certificate),
            "labels": dict(labels(certificate)),
            "annotations": dict(meta.annotations(certificate)),
            "ownerReferences": [owner_reference(certificate)],
        },
        "spec": {
            "commonName": common,
            "secretName": view.secret_name,
            "dnsNames": hosts,
            "issuerRef": dict(issuer),
            "secretTemplate": {"labels": {keys.CERTIFICATE_UID: uid(certificate)}},
        },
    }


def _problem_of_length(common: str, domain: str) -> Refusal | None:
    """A common name has 63 characters at most; the domain of a route gives a shorter one."""
    start = f"error creating cert-manager certificate: CommonName ({common})"
    if not domain:
        text = (
            f"{start} too long and field spec.Domain on Kcert is empty, cannot attempt to shorten"
        )
    elif domain == common:
        text = f"{start} longer than 63 characters"
    elif len(SHORT + domain) > _LONGEST:
        text = (
            f"error creating cert-manager certificate: CommonName ({domain})(length: "
            f"{len(domain)}) too long, prepending short prefix of ({SHORT})(length: {len(SHORT)}) "
            "will be longer than 64 bytes"
        )
    else:
        return None
    return Refusal("CommonName Too Long", text)


def _issuer(certificate: Object, config: CertManagerConfig) -> Mapping[str, str] | Refusal:
    kind = labels(certificate).get(keys.CERTIFICATE_TYPE, EXTERNAL)
    by_kind = {EXTERNAL: config.issuer, CLUSTER_LOCAL: config.cluster_local_issuer}
    if kind not in by_kind:
        text = f"error creating cert-manager certificate: certificate type {kind} is invalid"
        return Refusal("certificate type invalid", text)
    return by_kind[kind]

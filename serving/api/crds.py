"""The CustomResourceDefinitions of serving.

``python -m serving.api.crds FOLDER [--check]`` writes them, or says which are not up to date.
"""

from __future__ import annotations

import sys

from hearth.kube.crdgen import READY_COLUMNS, Crd, Version, main
from serving.api import keys
from serving.api.configuration import ConfigurationSpec, ConfigurationStatus
from serving.api.domainmapping import DomainMappingSpec, DomainMappingStatus
from serving.api.ingress import (
    CertificateSpec,
    CertificateStatus,
    ClusterDomainClaimSpec,
    IngressSpec,
    IngressStatus,
)
from serving.api.podautoscaler import PodAutoscalerSpec, PodAutoscalerStatus
from serving.api.revision import RevisionSpec, RevisionStatus
from serving.api.route import RouteSpec, RouteStatus
from serving.api.service import ServiceSpec, ServiceStatus

_LABELS = {
    "app.kubernetes.io/name": keys.APP_NAME_SERVING,
    "knative.dev/crd-install": "true",
}
_ADDRESSABLE = {"duck.knative.dev/addressable": "true"}
_PODSPECABLE = {"duck.knative.dev/podspecable": "true"}
_NETWORKING = {"app.kubernetes.io/component": "networking"}
_PUBLIC = ("all", "knative", "serving")
_URL = ("URL", "string", ".status.url")
_LATEST = (
    ("LatestCreated", "string", ".status.latestCreatedRevisionName"),
    ("LatestReady", "string", ".status.latestReadyRevisionName"),
)
_PARENT = ".metadata.labels['serving\\.knative\\.dev/{}']"

SERVICE = Crd(
    keys.SERVING_GROUP,
    "Service",
    "services",
    (
        Version(
            "v1",
            ServiceSpec,
            ServiceStatus,
            columns=(_URL, *_LATEST, *READY_COLUMNS),
            description="A workload that takes requests: a Configuration and a Route in one.",
        ),
    ),
    short_names=("kservice", "ksvc"),
    categories=_PUBLIC,
    labels=_LABELS | _ADDRESSABLE | _PODSPECABLE,
)
CONFIGURATION = Crd(
    keys.SERVING_GROUP,
    "Configuration",
    "configurations",
    (
        Version(
            "v1",
            ConfigurationSpec,
            ConfigurationStatus,
            columns=(*_LATEST, *READY_COLUMNS),
            description="The desired state of a workload; each change of it makes a Revision.",
        ),
    ),
    short_names=("config", "cfg"),
    categories=_PUBLIC,
    labels=_LABELS | _PODSPECABLE,
)
REVISION = Crd(
    keys.SERVING_GROUP,
    "Revision",
    "revisions",
    (
        Version(
            "v1",
            RevisionSpec,
            RevisionStatus,
            columns=(
                ("Config Name", "string", _PARENT.format("configuration")),
                ("Generation", "string", _PARENT.format("configurationGeneration")),
                *READY_COLUMNS,
                ("Actual Replicas", "integer", ".status.actualReplicas"),
                ("Desired Replicas", "integer", ".status.desiredReplicas"),
            ),
            description="One version of a workload, which never changes.",
        ),
    ),
    short_names=("rev",),
    categories=_PUBLIC,
    labels=_LABELS,
)
ROUTE = Crd(
    keys.SERVING_GROUP,
    "Route",
    "routes",
    (
        Version(
            "v1",
            RouteSpec,
            RouteStatus,
            columns=(_URL, *READY_COLUMNS),
            description="Names for revisions, and how traffic is split among them.",
        ),
    ),
    short_names=("rt",),
    categories=_PUBLIC,
    labels=_LABELS | _ADDRESSABLE,
)
DOMAIN_MAPPING = Crd(
    keys.SERVING_GROUP,
    "DomainMapping",
    "domainmappings",
    (
        Version(
            "v1beta1",
            DomainMappingSpec,
            DomainMappingStatus,
            columns=(_URL, *READY_COLUMNS),
            description="A host name of one's own for something that has an address.",
        ),
    ),
    short_names=("dm",),
    categories=_PUBLIC,
    labels=_LABELS,
)
POD_AUTOSCALER = Crd(
    keys.AUTOSCALING_INTERNAL_GROUP,
    "PodAutoscaler",
    "podautoscalers",
    (
        Version(
            "v1alpha1",
            PodAutoscalerSpec,
            PodAutoscalerStatus,
            columns=(
                ("DesiredScale", "integer", ".status.desiredScale"),
                ("ActualScale", "integer", ".status.actualScale"),
                *READY_COLUMNS,
            ),
            description="What scales the pods of one revision.",
        ),
    ),
    short_names=("kpa", "pa"),
    categories=("knative-internal", "autoscaling"),
    labels=_LABELS,
)
INGRESS = Crd(
    keys.NETWORKING_INTERNAL_GROUP,
    "Ingress",
    "ingresses",
    (
        Version(
            "v1alpha1",
            IngressSpec,
            IngressStatus,
            columns=READY_COLUMNS,
            description="Rules by which the gateway sends requests to revisions.",
        ),
    ),
    short_names=("kingress", "king"),
    categories=("knative-internal", "networking"),
    labels=_LABELS | _NETWORKING,
)
CERTIFICATE = Crd(
    keys.NETWORKING_INTERNAL_GROUP,
    "Certificate",
    "certificates",
    (
        Version(
            "v1alpha1",
            CertificateSpec,
            CertificateStatus,
            columns=READY_COLUMNS,
            description="A certificate asked for some names.",
        ),
    ),
    short_names=("kcert",),
    categories=("knative-internal", "networking"),
    labels=_LABELS | _NETWORKING,
)
CLUSTER_DOMAIN_CLAIM = Crd(
    keys.NETWORKING_INTERNAL_GROUP,
    "ClusterDomainClaim",
    "clusterdomainclaims",
    (
        Version(
            "v1alpha1",
            ClusterDomainClaimSpec,
            bare_status=True,
            description="Gives the use of one domain to one namespace.",
        ),
    ),
    short_names=("cdc",),
    categories=("knative-internal", "networking"),
    labels=_LABELS | _NETWORKING,
    namespaced=False,
)

ALL = (
    SERVICE,
    CONFIGURATION,
    REVISION,
    ROUTE,
    DOMAIN_MAPPING,
    POD_AUTOSCALER,
    INGRESS,
    CERTIFICATE,
    CLUSTER_DOMAIN_CLAIM,
)

if __name__ == "__main__":
    sys.exit(main(ALL, sys.argv[1:]))

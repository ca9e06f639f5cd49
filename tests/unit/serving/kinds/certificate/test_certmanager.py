"""What cert-manager is asked, and how its answers become Knative's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hearth.knative.resources import CERTIFICATES
from hearth.kube.meta import Object
from hearth.kube.plan import Plan
from hearth.kube.resources import SERVICES
from serving.api import keys
from serving.api.config.certmanager import CertManagerConfig
from serving.api.settings import Settings
from serving.kinds.certificate import certmanager
from serving.kinds.certificate.request import CHALLENGES, REQUESTS

HOST = "hello.ns.example.com"
CLASS = "cert-manager.certificate.networking.knative.dev"
ISSUER = {"kind": "ClusterIssuer", "name": "letsencrypt"}


def a_certificate(*hosts: str, domain: str = "example.com", kind: str = "") -> Object:
    labels = {keys.CERTIFICATE_TYPE: kind} if kind else {}
    return {
        "metadata": {
            "name": "c",
            "namespace": "ns",
            "annotations": {keys.CERTIFICATE_CLASS.key: CLASS},
            "labels": labels,
        },
        "spec": {"dnsNames": list(hosts), "secretName": "s", "domain": domain},
    }


@pytest.fixture
def world(stage: Any) -> Any:
    stage.settings = Settings(certmanager=CertManagerConfig(issuer=ISSUER))

    def reconcile() -> Plan:
        observed = certmanager.Observed(
            stage.the(CERTIFICATES, "c"),
            stage.get(REQUESTS, "c"),
            stage.all(SERVICES),
            {c["metadata"]["name"]: c for c in stage.all(CHALLENGES)},
        )
        return certmanager.reconcile(observed, settings=stage.settings, now=stage.now)

    stage.reconcile = reconcile
    return stage


def ready(world: Any) -> tuple[str, str]:
    found: tuple[str, str] = world.conditions(CERTIFICATES, "c")["Ready"]
    return found


def answer(world: Any, status: str, reason: str = "", **fields: Any) -> None:
    condition = {"type": "Ready", "status": status, "reason": reason, "message": "says so"}
    world.edit(REQUESTS, "c", lambda o: o.update(status={"conditions": [condition], **fields}))
    world.settle(world.reconcile)


def test_it_is_asked(world: Any) -> None:
    world.put(CERTIFICATES, a_certificate(HOST))
    world.settle(world.reconcile)
    request = world.the(REQUESTS, "c")
    uid = world.the(CERTIFICATES, "c")["metadata"]["uid"]
    assert request["spec"] == {
        "commonName": HOST,
        "secretName": "s",
        "dnsNames": [HOST],
        "issuerRef": ISSUER,
        "secretTemplate": {"labels": {keys.CERTIFICATE_UID: uid}},
    }
    assert request["metadata"]["ownerReferences"][0]["uid"] == uid
    assert ready(world) == ("Unknown", "NoCertManagerCertCondition")


@pytest.mark.parametrize(
    ("status", "reason", "becomes"),
    [
        ("True", "Ready", ("True", "")),
        ("False", "Denied", ("False", "Denied")),
        ("False", "InProgress", ("Unknown", "InProgress")),
        ("False", "Pending", ("Unknown", "Pending")),
        ("False", "TemporaryCertificate", ("Unknown", "TemporaryCertificate")),
        ("Unknown", "Waiting", ("Unknown", "Waiting")),
    ],
)
def test_what_it_says(world: Any, status: str, reason: str, becomes: tuple[str, str]) -> None:
    world.put(CERTIFICATES, a_certificate(HOST))
    world.settle(world.reconcile)
    answer(world, status, reason, notAfter="2027-01-01T00:00:00Z")
    assert ready(world) == becomes
    assert world.the(CERTIFICATES, "c")["status"]["notAfter"] == "2027-01-01T00:00:00Z"


def test_other_names_are_asked_for_and_what_others_set_stays(world: Any) -> None:
    world.put(CERTIFICATES, a_certificate(HOST))
    world.settle(world.reconcile)
    world.edit(REQUESTS, "c", lambda o: o["spec"].update(renewBefore="240h"))
    world.edit(CERTIFICATES, "c", lambda o: o["spec"].update(dnsNames=["x.example.com"]))
    world.settle(world.reconcile)
    spec = world.the(REQUESTS, "c")["spec"]
    assert (spec["dnsNames"], spec["renewBefore"]) == (["x.example.com"], "240h")


def test_one_of_that_name_that_is_another_s(world: Any) -> None:
    world.put(REQUESTS, {"metadata": {"name": "c", "namespace": "ns"}, "spec": {}})
    world.put(CERTIFICATES, a_certificate(HOST))
    world.settle(world.reconcile)
    assert ready(world) == ("False", "NotOwned")
    assert world.the(REQUESTS, "c")["spec"] == {}


def test_challenges_of_acme(world: Any) -> None:
    world.put(CERTIFICATES, a_certificate(HOST))
    world.settle(world.reconcile)
    world.put(
        CHALLENGES,
        {
            "metadata": {"name": "ch", "namespace": "ns"},
            "spec": {"dnsName": HOST, "token": "token"},
        },
    )
    owner = {"kind": "Challenge", "name": "ch", "uid": "1"}
    world.put(
        SERVICES,
        {
            "metadata": {"name": "solver", "namespace": "ns", "ownerReferences": [owner]},
            "spec": {"ports": [{"port": 8089, "targetPort": 8089}]},
        },
    )
    answer(world, "False", "InProgress")
    assert world.the(CERTIFICATES, "c")["status"]["http01Challenges"] == [
        {
            "serviceName": "solver",
            "serviceNamespace": "ns",
            "servicePort": 8089,
            "url": f"http://{HOST}/.well-known/acme-challenge/token",
        }
    ]
    answer(world, "True", "Ready")
    assert "http01Challenges" not in world.the(CERTIFICATES, "c")["status"]


def test_it_is_ready_while_it_is_renewed_and_challenges_are_let_in(world: Any) -> None:
    world.put(CERTIFICATES, a_certificate(HOST))
    world.settle(world.reconcile)
    answer(world, "True", "Ready", renewalTime="2026-11-20T17:00:00Z")
    assert "Renewing" not in world.conditions(CERTIFICATES, "c")
    after = world.reconcile().requeue_after
    assert after is not None
    world.now += after
    world.settle(world.reconcile)
    assert world.conditions(CERTIFICATES, "c")["Renewing"][0] == "True"
    assert ready(world) == ("True", "")
    answer(world, "True", "Ready", renewalTime="2027-11-20T17:00:00Z")
    assert "Renewing" not in world.conditions(CERTIFICATES, "c")


LONG = "a" * 50 + ".ns.example.com"


def test_a_name_that_is_too_long_has_a_short_one_beside_it(world: Any) -> None:
    world.put(CERTIFICATES, a_certificate(LONG))
    world.settle(world.reconcile)
    spec = world.the(REQUESTS, "c")["spec"]
    assert spec["commonName"] == "k.example.com"
    assert spec["dnsNames"] == ["k.example.com", LONG]


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        (LONG, "longer than 63 characters"),
        ("", "spec.Domain on Kcert is empty"),
        ("d" * 62, "will be longer than 64 bytes"),
    ],
)
def test_where_nothing_helps_against_length(world: Any, domain: str, words: str) -> None:
    world.put(CERTIFICATES, a_certificate(LONG, domain=domain))
    world.settle(world.reconcile)
    assert ready(world) == ("False", "CommonName Too Long")
    assert words in world.message(CERTIFICATES, "c", "Ready")
    assert world.get(REQUESTS, "c") is None


def test_who_signs(world: Any) -> None:
    config = CertManagerConfig(issuer=ISSUER, cluster_local_issuer={"kind": "Issuer", "name": "x"})
    world.settings = replace(world.settings, certmanager=config)
    world.put(CERTIFICATES, a_certificate(HOST, kind="cluster-local-domain"))
    world.settle(world.reconcile)
    assert world.the(REQUESTS, "c")["spec"]["issuerRef"] == {"kind": "Issuer", "name": "x"}
    world.edit(
        CERTIFICATES, "c", lambda o: o["metadata"]["labels"].update({keys.CERTIFICATE_TYPE: "odd"})
    )
    world.settle(world.reconcile)
    assert ready(world) == ("False", "certificate type invalid")


def test_certificates_of_another_class_are_left_alone(world: Any) -> None:
    other = a_certificate(HOST)
    other["metadata"]["annotations"] = {keys.CERTIFICATE_CLASS.key: "other"}
    world.put(CERTIFICATES, other)
    assert not world.reconcile()

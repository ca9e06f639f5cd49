"""Certificates that an authority of this machine signs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pytest

from hearth.knative.resources import CERTIFICATES
from hearth.kube.meta import Object, labels
from hearth.kube.plan import Plan
from hearth.kube.resources import SECRETS
from serving.api import keys
from serving.api.settings import Settings
from serving.kinds.certificate import local

HOST = "hello.ns.localhost"


class FakeAuthority:
    """Signs by writing down for whom and until when."""

    certificate = b"authority"
    seconds = 100.0

    def vouches_for(self, host: str) -> bool:
        return host.endswith("localhost")

    def issue(self, hosts: Sequence[str], now: float) -> tuple[bytes, bytes]:
        return ",".join(hosts).encode(), str(now + self.seconds).encode()

    def good_until(
        self, chain: bytes, key: bytes, hosts: Sequence[str], now: float
    ) -> float | None:
        if chain != ",".join(hosts).encode() or float(key or b"0") <= now:
            return None
        return float(key)


def a_certificate(*hosts: str, **metadata: Any) -> Object:
    own = {keys.CERTIFICATE_CLASS.key: keys.HEARTH_CERTIFICATE_CLASS}
    return {
        "metadata": {"name": "c", "namespace": "ns", "annotations": own, **metadata},
        "spec": {"dnsNames": list(hosts), "secretName": "c"},
    }


@pytest.fixture
def world(stage: Any) -> Any:
    authority = FakeAuthority()

    def reconcile() -> Plan:
        observed = local.Observed(stage.the(CERTIFICATES, "c"), stage.get(SECRETS, "c"))
        return local.reconcile(observed, settings=Settings(), now=stage.now, authority=authority)

    stage.reconcile = reconcile
    return stage


def ready(world: Any) -> tuple[str, str]:
    found: tuple[str, str] = world.conditions(CERTIFICATES, "c")["Ready"]
    return found


def test_one_is_signed_and_kept(world: Any) -> None:
    world.put(CERTIFICATES, a_certificate(HOST))
    world.apply(world.reconcile())
    assert ready(world) == ("Unknown", "Issuing")
    world.settle(world.reconcile)
    assert ready(world) == ("True", "")
    secret = world.the(SECRETS, "c")
    assert secret["type"] == "kubernetes.io/tls"
    data = {name: base64.b64decode(value) for name, value in secret["data"].items()}
    assert data["tls.crt"] == HOST.encode()
    assert data["ca.crt"] == b"authority"
    assert labels(secret)[keys.CERTIFICATE_UID] == world.the(CERTIFICATES, "c")["metadata"]["uid"]
    assert world.the(CERTIFICATES, "c")["status"]["notAfter"] == "2026-11-20T16:41:40Z"
    assert world.reconcile().requeue_after == 6 * 3600


def test_it_is_made_anew_in_time_and_is_ready_meanwhile(world: Any) -> None:
    world.put(CERTIFICATES, a_certificate(HOST))
    world.settle(world.reconcile)
    before = world.the(SECRETS, "c")["data"]
    world.now += 200
    world.apply(world.reconcile())
    assert ready(world) == ("True", "")
    assert world.the(SECRETS, "c")["data"] != before
    world.settle(world.reconcile)


def test_other_names_are_another_certificate(world: Any) -> None:
    world.put(CERTIFICATES, a_certificate(HOST))
    world.settle(world.reconcile)
    world.edit(CERTIFICATES, "c", lambda o: o["spec"].update(dnsNames=["a.localhost"]))
    world.settle(world.reconcile)
    data = world.the(SECRETS, "c")["data"]
    assert base64.b64decode(data["tls.crt"]) == b"a.localhost"


@pytest.mark.parametrize("hosts", [("example.com",), (HOST, "example.com"), ()])
def test_names_that_it_does_not_vouch_for(world: Any, hosts: tuple[str, ...]) -> None:
    world.put(CERTIFICATES, a_certificate(*hosts))
    world.settle(world.reconcile)
    assert ready(world) == ("False", "NotVouchedFor")
    assert world.get(SECRETS, "c") is None


def test_a_secret_of_somebody_else_is_left_alone(world: Any) -> None:
    world.put(SECRETS, {"metadata": {"name": "c", "namespace": "ns"}, "data": {"a": "b"}})
    world.put(CERTIFICATES, a_certificate(HOST))
    world.settle(world.reconcile)
    assert ready(world) == ("False", "NotOwned")
    assert world.the(SECRETS, "c")["data"] == {"a": "b"}


def test_certificates_of_another_class_are_left_alone(world: Any) -> None:
    world.put(CERTIFICATES, a_certificate(HOST, annotations={keys.CERTIFICATE_CLASS.key: "other"}))
    assert not world.reconcile()

"""The Secrets with certificates of pods."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from eventing.api.sinkviews import INTEGRATIONSINK_SOURCE
from eventing.runtime.podcertificates import PodCertificates, names_of
from hearth.kube.errors import AlreadyExists, Retryable

HOST = "s-deployment.ns.svc.cluster.local"


def a_sink(certificate: str = "s-tls-1") -> Any:
    marks = {"eventing.hearth.dev/pod-address": f"https://{HOST}/integrationsinks/ns/s"}
    if certificate:
        marks["eventing.hearth.dev/pod-certificate"] = certificate
    head = {"apiVersion": "sinks.knative.dev/v1alpha1", "kind": "IntegrationSink"}
    metadata = {"name": "s", "namespace": "ns", "uid": "u"}
    return {**head, "metadata": metadata, "status": {"annotations": marks}}


class Manager:
    """Its one sink, and the Secrets that were made."""

    def __init__(self) -> None:
        self.sink = a_sink()
        self.made: list[Any] = []
        self.client = self
        self.is_there = False

    def add_controller(self, name: str, sync: object, *, source: object) -> None:
        assert source == INTEGRATIONSINK_SOURCE

    def get(self, source: object, namespace: str, name: str) -> Any:
        return self.sink

    async def create(self, resource: object, obj: Any) -> None:
        if self.is_there:
            raise AlreadyExists({"code": 409})
        self.made.append(obj)


def certificates(manager: Manager, made: list[Any]) -> PodCertificates:
    def vouch(names: Any) -> tuple[bytes, bytes] | None:
        made.append(names)
        return (b"chain", b"key") if len(made) > 1 else None

    given: Any = manager
    return PodCertificates(given, vouch)


def test_what_control_has_named_is_made_once() -> None:
    manager, asked = Manager(), list[Any]()
    follower = certificates(manager, asked)
    with pytest.raises(Retryable):
        asyncio.run(follower.sync(("ns", "s")))
    for _ in range(2):
        asyncio.run(follower.sync(("ns", "s")))
    [secret] = manager.made
    assert (secret["metadata"]["name"], secret["metadata"]["namespace"]) == ("s-tls-1", "ns")
    assert secret["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert base64.b64decode(secret["data"]["tls.crt"]) == b"chain"
    assert asked == [names_of(a_sink())] * 2 == [(HOST, "s-deployment.ns.svc")] * 2
    manager.sink = a_sink("s-tls-2")
    asyncio.run(follower.sync(("ns", "s")))
    assert [each["metadata"]["name"] for each in manager.made] == ["s-tls-1", "s-tls-2"]


def test_one_that_is_there_is_left_alone() -> None:
    manager, asked = Manager(), [()]
    manager.is_there = True
    follower = certificates(manager, asked)
    for _ in range(2):
        asyncio.run(follower.sync(("ns", "s")))
    assert len(asked) == 2


def test_one_that_is_made_anew_gets_its_own() -> None:
    manager, asked = Manager(), [()]
    follower, sink = certificates(manager, asked), manager.sink
    asyncio.run(follower.sync(("ns", "s")))
    manager.sink = None
    asyncio.run(follower.sync(("ns", "s")))
    manager.sink = sink
    asyncio.run(follower.sync(("ns", "s")))
    assert len(manager.made) == 2


def test_a_pod_without_a_certificate_gets_none() -> None:
    manager, asked = Manager(), [()]
    manager.sink = a_sink("")
    asyncio.run(certificates(manager, asked).sync(("ns", "s")))
    assert not manager.made and len(asked) == 1

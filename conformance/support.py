"""The cluster under test as a client sees it; imported by the conftest and by the tests."""

from __future__ import annotations

import http.client
import time
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes import client, config, dynamic
from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError

OF_EVENTS = {f"{each}.knative.dev" for each in ("eventing", "messaging", "flows", "sources")}


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str]
    seconds: float


class Cluster:
    """One namespace of a cluster; removed with everything in it at the end."""

    def __init__(self, kubeconfig: str, gateway: str, image: str) -> None:
        self.configuration = client.Configuration()
        config.load_kube_config(kubeconfig, client_configuration=self.configuration)
        self._api = client.ApiClient(self.configuration)
        self._dynamic = dynamic.DynamicClient(self._api)
        self.gateway = urllib.parse.urlsplit(gateway).netloc
        self.side_port = "8882"
        self.image = image
        self.namespace = f"conformance-{uuid.uuid4().hex[:8]}"
        self.core = client.CoreV1Api(self._api)
        body = client.V1Namespace(metadata=client.V1ObjectMeta(name=self.namespace))
        self.core.create_namespace(body)

    def close(self) -> None:
        self.core.delete_namespace(self.namespace)
        self._api.close()

    def kind(self, kind: str, group: str = "serving.knative.dev/v1") -> Any:
        """Return how to ask for a kind; who has no events is not asked about them."""
        try:
            return self._dynamic.resources.get(api_version=group, kind=kind)
        except ResourceNotFoundError:
            if group.partition("/")[0] not in OF_EVENTS:
                raise
            pytest.skip(f"this platform has no {kind} of {group}")

    def create(self, obj: dict[str, Any]) -> dict[str, Any]:
        resource = self.kind(obj["kind"], obj["apiVersion"])
        made: dict[str, Any] = resource.create(body=obj, namespace=self.namespace).to_dict()
        return made

    def get(self, kind: str, name: str, group: str = "serving.knative.dev/v1") -> dict[str, Any]:
        obj: dict[str, Any] = self.kind(kind, group).get(name, self.namespace).to_dict()
        return obj

    def is_there(self, kind: str, name: str, group: str = "serving.knative.dev/v1") -> bool:
        try:
            self.get(kind, name, group)
        except DynamicApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    def delete(self, kind: str, name: str, group: str = "serving.knative.dev/v1") -> None:
        self.kind(kind, group).delete(name, self.namespace)

    def patch(
        self, kind: str, name: str, body: dict[str, Any], group: str = "serving.knative.dev/v1"
    ) -> None:
        self.kind(kind, group).patch(
            body=body,
            name=name,
            namespace=self.namespace,
            content_type="application/merge-patch+json",
        )

    def replace(
        self, kind: str, name: str, label: str, group: str = "serving.knative.dev/v1"
    ) -> None:
        """Put an object with one label more; who was faster is no reason to fail."""

        def replaced() -> bool:
            obj = self.get(kind, name, group)
            obj["metadata"].setdefault("labels", {})[label] = "yes"
            try:
                self.kind(kind, group).replace(body=obj, namespace=self.namespace)
            except DynamicApiError as error:
                if error.status != 409:
                    raise
                return False
            return True

        until(replaced, what="a replacement without a conflict")
        assert self.get(kind, name, group)["metadata"]["labels"][label] == "yes"

    def until_ready(
        self, kind: str, name: str, *, group: str = "serving.knative.dev/v1", seconds: float = 180
    ) -> dict[str, Any]:
        def ready() -> dict[str, Any] | None:
            obj = self.get(kind, name, group)
            current = obj.get("status", {}).get("observedGeneration")
            if current != obj["metadata"]["generation"]:
                return None
            return obj if condition(obj, "Ready").get("status") == "True" else None

        obj: dict[str, Any] = until(ready, seconds=seconds, what=f"{kind} {name} ready")
        return obj

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """Return the pods that a label selector finds."""
        pods = self.kind("Pod", "v1").get(namespace=self.namespace, label_selector=selector)
        found: list[dict[str, Any]] = pods.to_dict()["items"]
        return found

    def request(self, url: str, path: str = "/", **headers: str) -> Answer:
        """A request for the host of a URL, sent to the gateway."""
        host = urllib.parse.urlsplit(url).netloc
        connection = http.client.HTTPConnection(self.gateway, timeout=120)
        began = time.monotonic()
        try:
            connection.request("GET", path, headers={"Host": host, **headers})
            response = connection.getresponse()
            body = response.read().decode()
            seconds = time.monotonic() - began
            return Answer(response.status, body, dict(response.getheaders()), seconds)
        finally:
            connection.close()

    def until_body(self, url: str, body: str) -> None:
        """Waits until the URL is answered with this body."""
        until(lambda: self.request(url).body == body, what=f"{url} answering {body!r}")


def condition(obj: dict[str, Any], kind: str) -> dict[str, Any]:
    conditions = obj.get("status", {}).get("conditions") or []
    return next((c for c in conditions if c["type"] == kind), {})


def until(question: Callable[[], Any], *, seconds: float = 60, what: str = "the condition") -> Any:
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(0.02)

"""The receiver and sender inside the cluster, as tests use them: boxes, answers, what has come."""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from cloudevents.core.bindings.http import HTTPMessage
from kubernetes import client

from conformance.images.eventshub.server import send as send_from_here
from conformance.support import Cluster, until

Header = tuple[str, str]
PORT = 8080
CLOCKS = 1 - 0.001
"""A wait may be shorter by this share: who waits and who measures may be two machines, whose
clocks may be slewed by 500 ppm each (adjtimex). On one machine both have the same clock."""


@dataclass(frozen=True)
class Message:
    """A request or an answer. Header values are Latin-1, as they are on the wire."""

    headers: tuple[Header, ...] = ()
    body: bytes = b""
    method: str = "POST"
    status: int = 0
    target: str = ""
    at: float = 0.0
    """When it came, in seconds of the hub's own clock."""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of its event, decoded as the HTTP binding says; data left out."""
        if self.is_structured:
            event = json.loads(self.body)
            return {name: event[name] for name in event if name not in ("data", "data_base64")}
        found = {
            name.lower()[3:]: urllib.parse.unquote(value, errors="strict")
            for name, value in self.headers
            if name.lower().startswith("ce-")
        }
        kind = self.header("content-type")
        return found if kind is None else found | {"datacontenttype": kind}

    @property
    def is_structured(self) -> bool:
        return (self.header("content-type") or "").lower().startswith("application/cloudevents")

    @property
    def data(self) -> bytes:
        """The data as bytes: of a structured message, JSON written without spaces."""
        if not self.is_structured:
            return self.body
        event = json.loads(self.body)
        if "data_base64" in event:
            return base64.b64decode(event["data_base64"])
        if isinstance(event["data"], str) and not _is_json(event.get("datacontenttype")):
            return event["data"].encode()
        return json.dumps(event["data"], separators=(",", ":")).encode()

    def for_sdk(self) -> HTTPMessage:
        """The message as the SDK reads it."""
        return HTTPMessage({name.lower(): value for name, value in self.headers}, self.body)


def _is_json(kind: str | None) -> bool:
    return kind is None or kind.partition(";")[0].strip().lower().endswith("json")


def of_sdk(message: HTTPMessage) -> Message:
    """A message that the SDK has written."""
    return Message(tuple(message.headers.items()), message.body)


@dataclass(frozen=True)
class Reply:
    """What a box answers to one request."""

    status: int = 200
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    delay: float = 0.0
    raw: bytes | None = None
    cut: int | None = None

    def wire(self) -> dict[str, Any]:
        answer: dict[str, Any] = {"status": self.status, "headers": self.headers}
        answer |= {"delay": self.delay, "body": base64.b64encode(self.body).decode()}
        if self.raw is not None:
            answer["raw"] = base64.b64encode(self.raw).decode()
        return answer if self.cut is None else answer | {"cut": self.cut}


class Box:
    """One address of the hub."""

    def __init__(self, hub: Hub, name: str) -> None:
        self._hub = hub
        self._name = name
        self._known: list[Message] = []
        self.url = f"{hub.inside}/in/{name}"

    def answers(self, *posts: Reply, **others: Sequence[Reply]) -> Box:
        """Set what requests are answered with, one after the other; the last one stays."""
        program = {"POST": posts, **{name.upper(): each for name, each in others.items()}}
        content = {method: [each.wire() for each in answers] for method, answers in program.items()}
        self._hub.request("PUT", f"boxes/{self._name}", content)
        return self

    def received(self, method: str = "POST") -> list[Message]:
        """What has come so far."""
        self._known += [
            Message(
                tuple((name, value) for name, value in each["headers"]),
                base64.b64decode(each["body"]),
                each["method"],
                target=each["target"],
                at=each["at"],
            )
            for each in self._hub.request("GET", f"boxes/{self._name}?from={len(self._known)}")
        ]
        return [each for each in self._known if each.method == method]

    def wait(self, count: int = 1, *, seconds: float = 90) -> list[Message]:
        """What has come, once there are so many."""
        found: list[Message] = until(
            lambda: got if len(got := self.received()) >= count else None,
            seconds=seconds,
            what=f"{count} requests at {self.url}",
        )
        return found

    def wait_for(
        self, wanted: Callable[[Message], bool], *, seconds: float = 90, what: str = "a request"
    ) -> Message:
        """The first request of a kind, once it has come."""
        found: Message = until(
            lambda: next((each for each in self.received() if wanted(each)), None),
            seconds=seconds,
            what=f"{what} at {self.url}",
        )
        return found

    def settled(self, *, quiet: float = 0.6) -> list[Message]:
        """What has come once nothing more does, for a while: for what must not happen."""
        seen, since = -1, time.monotonic()
        while True:
            got = self.received()
            if len(got) != seen:
                seen, since = len(got), time.monotonic()
            elif time.monotonic() - since >= quiet:
                return got
            time.sleep(0.05)

    def ids(self) -> list[str]:
        """The ids of the events that came."""
        return [str(each.attributes["id"]) for each in self.received()]


class Hub:
    """Speaks to the hub's pod, straight or through the API server."""

    def __init__(self, control: httpx.Client, inside: str) -> None:
        self._control = control
        self.inside = inside
        """Where the cluster reaches it."""

    def request(self, method: str, path: str, content: Any = None) -> Any:
        body = None if content is None else json.dumps(content)
        answer = self._control.request(method, path, content=body)
        answer.raise_for_status()
        return answer.json()

    def box(self, *posts: Reply, **others: Sequence[Reply]) -> Box:
        """A new address; without answers it answers 202."""
        box = Box(self, uuid.uuid4().hex[:12])
        return box.answers(*posts, **others) if posts or others else box

    def send(self, url: str, message: Message, *, timeout: float = 30) -> Message:
        """Send from inside the cluster; return the answer."""
        return answer_of(self.request("POST", "send", order(url, message, timeout)))

    def close(self) -> None:
        self._control.close()


def send_directly(url: str, message: Message, *, timeout: float = 30) -> Message:
    """Send from here; return the answer."""
    return answer_of(send_from_here(order(url, message, timeout)))


def order(url: str, message: Message, timeout: float) -> dict[str, Any]:
    return {
        "url": url,
        "method": message.method,
        "headers": message.headers,
        "body": base64.b64encode(message.body).decode(),
        "timeout": timeout,
    }


def answer_of(answer: dict[str, Any]) -> Message:
    assert "error" not in answer, answer["error"]
    headers = tuple((name, value) for name, value in answer["headers"])
    return Message(headers, base64.b64decode(answer["body"]), status=answer["status"])


def start(cluster: Cluster, image: str) -> Hub:
    """Run the hub as a pod with a Service."""
    labels = {"app": "eventshub"}
    hub = {
        "name": "hub",
        "image": image,
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/", "port": PORT}},
        # What namespaces with the strictest Pod Security Standard ask for.
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "eventshub", "labels": labels},
        "spec": {"containers": [hub]},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "eventshub"},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": PORT}]},
    }
    cluster.create(pod)
    cluster.create(service)
    host, number = until(lambda: _endpoint(cluster), what="an endpoint of the hub")
    shown = f"[{host}]" if ":" in host else host
    inside = f"http://{shown}:{number}"
    # Timings are read off answers, so a hub that is reached by the API server is as good.
    # Seen from outside of a cluster an address of a pod may swallow what is sent there.
    patience = httpx.Timeout(60, connect=2)
    direct = httpx.Client(base_url=inside, timeout=patience, trust_env=False)
    try:
        until(lambda: _is_there(direct), seconds=5, what="the hub, straight")
        return Hub(direct, inside)
    except AssertionError:
        direct.close()
    proxied = _through_api(cluster, f"pods/eventshub:{number}/proxy/")
    until(lambda: _is_there(proxied), what="the hub, through the API server")
    return Hub(proxied, inside)


def _is_there(control: httpx.Client) -> bool:
    try:
        return control.get("").status_code == 200
    except httpx.TransportError:
        return False


def _endpoint(cluster: Cluster) -> tuple[str, int] | None:
    slices = cluster.kind("EndpointSlice", "discovery.k8s.io/v1").get(
        namespace=cluster.namespace, label_selector="kubernetes.io/service-name=eventshub"
    )
    for each in slices.to_dict()["items"]:
        for endpoint in each.get("endpoints") or []:
            if (endpoint.get("conditions") or {}).get("ready") and each.get("ports"):
                return endpoint["addresses"][0], each["ports"][0]["port"]
    return None


def _through_api(cluster: Cluster, path: str) -> httpx.Client:
    settings: client.Configuration = cluster.configuration
    tls = ssl.create_default_context(cafile=settings.ssl_ca_cert)
    if not settings.verify_ssl:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if settings.cert_file:
        tls.load_cert_chain(settings.cert_file, settings.key_file)
    token = settings.get_api_key_with_prefix("authorization")
    return httpx.Client(
        base_url=f"{settings.host}/api/v1/namespaces/{cluster.namespace}/{path}",
        headers={"Authorization": token} if token else {},
        verify=tls,
        timeout=60,
    )


def ids(messages: Iterable[Message]) -> list[str]:
    return [str(each.attributes["id"]) for each in messages]

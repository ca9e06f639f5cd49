"""Gives metrics to a collector by OTLP, over HTTP or gRPC, from a thread of its own.

Off until ``configure`` names an address. What the collector does not take is told once an outage;
the next batch has the same sums, so nothing has to be kept.
"""

from __future__ import annotations

import http.client
import logging
import threading
import time
import urllib.request
from typing import Protocol

from hearth.observability.metrics import REGISTRY
from hearth.observability.otlpmetrics import encode
from hearth.observability.traces.config import GRPC
from hearth.observability.traces.otlp import resource_of

log = logging.getLogger(__name__)

DEFAULT_SECONDS = 60.0
"""Between two batches where nothing is said (the SDK's own)."""
_SENDING_SECONDS = 10.0


class Wanted(Protocol):
    """Where metrics go, how, and how often in seconds; 0 is as often as usual."""

    @property
    def protocol(self) -> str:
        """``grpc``, or else HTTP."""
        ...

    @property
    def push_url(self) -> str:
        """The address; "" where they go nowhere."""
        ...

    @property
    def export_interval(self) -> float:
        """The seconds between two batches."""
        ...


class MetricsPush:
    """Sends while its context lasts; ``service`` says whose the metrics are."""

    def __init__(self, service: str, namespace: str) -> None:
        resource = {"service.name": service, "k8s.namespace.name": namespace}
        self._resource = resource_of(resource)
        self._since_ns = time.time_ns()
        self._asked = ("", "", 0.0)
        self._end = threading.Event()

    def __enter__(self) -> MetricsPush:
        """Nothing is sent before ``configure``."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Send no more. A batch on its way is not waited for."""
        self._end.set()

    def configure(self, wanted: Wanted) -> None:
        """Send as is wanted from now on."""
        asked = (
            wanted.protocol,
            wanted.push_url,
            wanted.export_interval or DEFAULT_SECONDS,
        )
        if asked == self._asked:
            return
        self._asked = asked
        self._end.set()
        if wanted.push_url:
            self._end = threading.Event()
            arguments = (*asked, self._end)
            threading.Thread(
                target=self._run, args=arguments, name="metrics-push", daemon=True
            ).start()

    def _run(self, protocol: str, url: str, seconds: float, end: threading.Event) -> None:
        try:
            sender = _sender(protocol, url)
        except (ImportError, OSError) as error:
            facts = {"endpoint": url, "error": str(error)}
            log.error("metrics cannot be sent at all", extra=facts)
            return
        was_taken = True
        while not end.wait(seconds):
            problem = sender.send(self._batch())
            if problem and was_taken:
                facts = {"endpoint": url, "error": problem}
                log.warning("the collector takes no metrics", extra=facts)
            was_taken = not problem
        sender.close()

    def _batch(self) -> bytes:
        """All there is now."""
        now = time.time_ns()
        return encode(self._resource, REGISTRY.collect(), since_ns=self._since_ns, now_ns=now)


class _Sender(Protocol):
    def send(self, body: bytes) -> str: ...

    def close(self) -> None: ...


class _HttpSender:
    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, body: bytes) -> str:
        """Send a batch; return why it was not taken."""
        headers = {"Content-Type": "application/x-protobuf", "User-Agent": "hearth"}
        request = urllib.request.Request(self._url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=_SENDING_SECONDS):
                return ""
        except (OSError, ValueError, http.client.HTTPException) as error:
            return str(error)

    def close(self) -> None:
        """Each batch has had a connection of its own."""


def _sender(protocol: str, url: str) -> _Sender:
    if protocol == GRPC:
        from hearth.observability.grpcsending import METRICS, GrpcSender

        return GrpcSender(url, METRICS)
    return _HttpSender(url)

"""The Services of the gateway on one machine, and its route to the live page.

Statuses of KIngresses and the ``externalName`` of placeholder Services name them; in a cluster they
come with the installation, here they lead to the two listeners of the activator. They have no
selector, because the gateway is no pod.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hearth.knative.resources import KINGRESSES
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.resources import ENDPOINTSLICES, SERVICES, Resource
from hearth.process import Ready
from hearth.ui.guard import HOST
from serving.api.keys import (
    ACTIVATOR_SERVICE,
    ACTIVATORS,
    HEARTH_INGRESS_CLASS,
    INGRESS_CLASS,
)

log = logging.getLogger(__name__)

NAMESPACE = "knative-serving"
PAGE = "hearth-page"
_MANAGER = "hearth"
_RETRY_SECONDS = 1.0
_PORTS = (("http", 80), ("https", 443))


@dataclass(frozen=True, slots=True)
class GatewaysConfig:
    """Where the API is, and where the gateway's listeners are.

    ``ports`` are those of http and https by the Service's name.
    """

    kubeconfig: Path
    host: str
    ports: Mapping[str, tuple[int, int]]
    activator_port: int
    """Where ``activator-service`` leads."""
    page_port: int
    """Where the live page listens, on loopback."""


async def run(config: GatewaysConfig, ready: Ready, *, installed: asyncio.Event) -> None:
    """Writes the Services once serving is installed, then has nothing more to do."""
    await installed.wait()
    loop = asyncio.get_running_loop()
    [(_, _, _, _, (host, *_)), *_] = await loop.getaddrinfo(config.host, None)
    async with KubeClient.from_kubeconfig(config.kubeconfig) as client:
        for name, ports in config.ports.items():
            service, endpoints = gateway_objects(name, str(host), ports)
            await _apply(client, SERVICES, service)
            await _apply(client, ENDPOINTSLICES, endpoints)
        service, endpoints = activator_objects(str(host), config.activator_port)
        await _apply(client, SERVICES, service)
        await _apply(client, ENDPOINTSLICES, endpoints)
        service, endpoints = objects_of(PAGE, "127.0.0.1", {"http": (80, config.page_port)})
        await _apply(client, SERVICES, service)
        await _apply(client, ENDPOINTSLICES, endpoints)
        await _apply(client, KINGRESSES, page_route())
    ready()
    await asyncio.Event().wait()


async def _apply(client: KubeClient, resource: Resource, obj: Object) -> None:
    while True:
        try:
            await client.apply(resource, obj, field_manager=_MANAGER)
        except ApiError as error:
            log.warning("gateway service not written yet", extra={"error": error.message})
            await asyncio.sleep(_RETRY_SECONDS)  # the API is in the middle of a restart
        else:
            return


def gateway_objects(name: str, host: str, ports: tuple[int, int]) -> tuple[Object, Object]:
    """The Service of this name on 80 and 443, and the EndpointSlice that leads to the listeners."""
    named = {title: (usual, port) for (title, usual), port in zip(_PORTS, ports, strict=True)}
    return objects_of(name, host, named)


def activator_objects(host: str, port: int) -> tuple[Object, Object]:
    """The Service that Knative's clients know the activator by; its endpoints are marked so."""
    ports = {"http": (80, port), "http2": (81, port)}
    service, endpoints = objects_of(ACTIVATOR_SERVICE, host, ports)
    endpoints["metadata"]["labels"][ACTIVATORS] = "true"
    return service, endpoints


def objects_of(name: str, host: str, ports: Mapping[str, tuple[int, int]]) -> tuple[Object, Object]:
    """A Service without pods and the EndpointSlice that leads on: port and real port by name."""
    address = ipaddress.ip_address(host)
    if address.is_unspecified:  # every address of the machine is listened on: name one of them
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "ports": [
                {"name": title, "port": usual, "targetPort": port}
                for title, (usual, port) in ports.items()
            ]
        },
    }
    labels = {"kubernetes.io/service-name": name}
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "addressType": f"IPv{address.version}",
        "endpoints": [{"addresses": [str(address)], "conditions": {"ready": True}}],
        "ports": [
            {"name": title, "port": port, "protocol": "TCP"} for title, (_, port) in ports.items()
        ],
    }
    return service, endpoints


def page_route() -> Object:
    """The KIngress by which the gateway serves the page, at a name that leads to this machine."""
    split = {
        "serviceName": PAGE,
        "serviceNamespace": NAMESPACE,
        "servicePort": 80,
        "percent": 100,
    }
    rule = {
        "hosts": [HOST],
        "visibility": "ExternalIP",
        "http": {"paths": [{"splits": [split]}]},
    }
    return {
        "apiVersion": KINGRESSES.api_version,
        "kind": KINGRESSES.kind,
        "metadata": {
            "name": PAGE,
            "namespace": NAMESPACE,
            "annotations": {INGRESS_CLASS.key: HEARTH_INGRESS_CLASS},
        },
        "spec": {"httpOption": "Enabled", "rules": [rule]},
    }

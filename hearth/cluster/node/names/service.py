"""Names for the containers of this node: caches of Services, and what answers and forwards."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hearth.cluster.model.clusterips import API_ADDRESS, RESOLVER_ADDRESS
from hearth.cluster.node.names import zone
from hearth.cluster.node.names.forwarder import Forwarder
from hearth.cluster.node.names.way import API_PORT, Address, Way, read_resolv_conf
from hearth.cluster.node.names.zone import API_SERVICE, GATEWAY_SERVICE, Found
from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.guards import keep_running
from hearth.kube.meta import Key, Object
from hearth.kube.resources import ENDPOINTSLICES, SERVICES
from hearth.timeouts import time_limit

if TYPE_CHECKING:
    from hearth.cluster.node.names.bridge import ServedBridge

log = logging.getLogger(__name__)

_SERVICE_LABEL = "kubernetes.io/service-name"
_LOOPBACK = "127.0.0.1"
_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class NamesConfig:
    """Where things are on this machine.

    ``api`` is the API server, ``proxy`` the listener that knows in-cluster names; ``inside`` are
    URLs of this machine, and what they are called in the cluster.
    """

    api: Address
    proxy: Address | None = None
    inside: Mapping[str, str] = field(default_factory=dict)
    domain: str = CLUSTER_DOMAIN
    resolv_conf: Path = Path("/etc/resolv.conf")


class Names:
    """``attach`` for each bridge, ``close`` at the end. Costs nothing before the first bridge."""

    def __init__(self, config: NamesConfig, client: KubeClient) -> None:
        self._config = config
        self._services = WatchCache(client, SERVICES, keep=_of_service)
        self._slices = WatchCache(
            client, ENDPOINTSLICES, label_selector=_SERVICE_LABEL, keep=_of_slice
        )
        self._slices.add_index("service", _service_of)
        self._tasks: list[asyncio.Task[None]] = []
        self._ways: dict[str, Way] = {}
        self._bridges: list[ServedBridge] = []
        self._forwarders: list[Forwarder] = []
        self._attaching = asyncio.Lock()

    async def attach(self, bridge: str, gateway: str) -> Way:
        """Serves the containers of a bridge from now on; ``gateway`` is our own address there."""
        async with self._attaching:
            if bridge not in self._ways:
                self._watch()
                self._ways[bridge] = await self._attach(bridge, gateway)
            return self._ways[bridge]

    async def close(self) -> None:
        """Ends everything, and takes back what the kernel was told."""
        for bridge in self._bridges:
            await bridge.close()
        for forwarder in self._forwarders:
            await forwarder.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _attach(self, bridge: str, gateway: str) -> Way:
        if bridge:
            try:
                return await self._with_resolver(bridge, gateway)
            except (OSError, ImportError) as error:
                log.warning(
                    "containers get no resolver, but the variables of proxies",
                    extra={"bridge": bridge, "error": str(error)},
                )
        return await self._with_proxy(gateway)

    async def _with_resolver(self, bridge: str, gateway: str) -> Way:
        from hearth.cluster.node.names.bridge import ServedBridge  # and dnspython, an extra

        served = ServedBridge(bridge, self)
        try:
            await served.open()
        except OSError:
            await served.close()
            raise
        self._bridges.append(served)
        return Way(
            api=(API_ADDRESS, API_PORT),
            resolver=RESOLVER_ADDRESS,
            gateway=gateway,
            domain=self._config.domain,
            machine_searches=self._machine()[1],
            inside=self._config.inside,
        )

    async def _with_proxy(self, gateway: str) -> Way:
        """The same ports on the bridge's address: a container that lives on finds them again."""
        if not gateway:
            return Way(domain=self._config.domain)
        api, proxy = self._config.api, self._config.proxy
        if gateway == _LOOPBACK:  # containers share the machine's network
            gateway = api[0]
        served = Forwarder(_bound, lambda key, port: [(key[0], port)])
        for host, port in filter(None, (api, proxy)):
            if host != gateway:
                try:
                    await served.open((host, str(port)), gateway, [port])
                except OSError as error:  # listened on already, perhaps by the very one
                    facts = {"address": f"{gateway}:{port}", "error": str(error)}
                    log.info("not forwarded for containers", extra=facts)
        self._forwarders.append(served)
        return Way(
            api=(gateway, api[1]),
            gateway=gateway,
            proxy=f"http://{gateway}:{proxy[1]}" if proxy else "",
            domain=self._config.domain,
            inside=self._config.inside,
        )

    # -- what is known ---------------------------------------------------------------------

    def _watch(self) -> None:
        if self._tasks:
            return
        self._services.on_change(self._service_changed)
        self._slices.on_change(lambda _old, _new: self._forget_answers())
        for cache in (self._services, self._slices):
            name = f"names-{cache.resource.plural}"
            self._tasks.append(asyncio.create_task(keep_running(name, cache.run), name=name))

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        self._forget_answers()
        if new is None and old is not None:
            for bridge in self._bridges:
                bridge.forwarder.forget(meta.key(old))

    def _forget_answers(self) -> None:
        for bridge in self._bridges:
            bridge.resolver.forget_answers()

    def service(self, key: Key) -> Object | None:
        """A Service, as ``zone`` asks for it."""
        return self._services.get(*key)

    def slices(self, key: Key) -> Sequence[Object]:
        """The EndpointSlices of a Service."""
        return self._slices.by_index("service", meta.key_text(key))

    async def find(self, name: str, forwarder: Forwarder) -> Found | None:
        """What is under a name; where that is a Service, its ports are open then."""
        async with time_limit(_PATIENCE_SECONDS):
            await self._services.synced()
            await self._slices.synced()
        found = zone.find(name, self, self._config.domain)
        if found is not None and found.service is not None:
            is_api = found.service == API_SERVICE
            service = None if is_api else self.service(found.service)
            of = zone.machine_ports if found.service == GATEWAY_SERVICE else zone.tcp_ports
            ports = (API_PORT,) if service is None else of(service)
            if await forwarder.open(found.service, found.addresses[0], ports):
                self._forget_answers()  # some lead to what has been closed
        return found

    def destinations(self, key: Key, port: int) -> Sequence[Address]:
        """Where a port of a Service leads now."""
        if key == API_SERVICE:
            return [self._config.api]
        service = self.service(key)
        return [] if service is None else zone.destinations(service, self.slices(key), port)

    def machine_servers(self) -> Sequence[str]:
        """Who answers for names of the world, as the machine has it at the moment."""
        return self._machine()[0]

    def _machine(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        try:
            return read_resolv_conf(self._config.resolv_conf.read_text(errors="replace"))
        except OSError:
            return (), ()


def _service_of(item: Object) -> list[str]:
    return [f"{meta.namespace(item)}/{meta.labels(item).get(_SERVICE_LABEL, '')}"]


_KEPT = ("name", "namespace", "uid", "resourceVersion", "labels")


def _of_service(service: Object) -> Object:
    """What ``zone`` reads of a Service, a part of it."""
    spec = service.get("spec") or {}
    kept = {k: spec[k] for k in ("type", "clusterIP", "externalName", "ports") if k in spec}
    return {"metadata": _about(service), "spec": kept}


def _of_slice(item: Object) -> Object:
    endpoints: list[dict[str, Any]] = item.get("endpoints") or []
    fields = ("addresses", "conditions", "hostname")
    return {
        "metadata": _about(item),
        "addressType": item.get("addressType"),
        "ports": item.get("ports"),
        "endpoints": [{k: e[k] for k in fields if k in e} for e in endpoints],
    }


def _about(obj: Object) -> Object:
    return {k: v for k, v in meta.metadata(obj).items() if k in _KEPT}


def _bound(address: Address) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock

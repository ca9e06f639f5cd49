"""ConfigMaps, Secrets and tokens for pods, from the API server.

Nothing is watched until a pod first refers to a ConfigMap or Secret; from then on changes reach
``on_change``, which lets waiting pods try again and volumes be brought up to date.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hearth.cluster.node.pod.payload import TokenRequest, referenced, token_requests
from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock
from hearth.kube.errors import NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import CONFIGMAPS, SECRETS, SERVICEACCOUNTS, Resource

Changed = Callable[[str, str], None]
"""Is told the namespace and the name of a ConfigMap or Secret that has changed."""
_RENEW_AT = 0.8  # of a token's life, as kubelet


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one pod refers to, looked up once; the ``Sources`` of the pure modules."""

    config_maps: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    tokens: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def config_map(self, name: str) -> Mapping[str, bytes] | None:
        """The data of a ConfigMap; None where there is none."""
        return self.config_maps.get(name)

    def secret(self, name: str) -> Mapping[str, bytes] | None:
        """The data of a Secret; None where there is none."""
        return self.secrets.get(name)

    def token(self, audience: str, seconds: int) -> str:
        """A service account token that was asked for when the snapshot was made."""
        return self.tokens[(audience, seconds)]


EMPTY = Snapshot()


def needs_api(pod: Object) -> bool:
    """Whether starting the pod takes anything from the API server."""
    return bool(any(referenced(pod)) or token_requests(pod))


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    renew_at: float


class ClusterSources:
    """Looks up what pods refer to; owns the watches."""

    def __init__(self, client: KubeClient, clock: Clock, on_change: Changed) -> None:
        self._client = client
        self._clock = clock
        self._on_change = on_change
        self._caches: dict[Resource, WatchCache] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._tokens: dict[tuple[str, TokenRequest], _Token] = {}

    async def snapshot(self, pod: Object, *, with_tokens: bool = True) -> Snapshot:
        """All that the pod refers to, as it is now; what does not exist is left out.

        Tokens are made for pods that are there; without, they are empty.
        """
        config_maps, secrets = referenced(pod)
        namespace = meta.namespace(pod)
        return Snapshot(
            {
                n: _config_map_data(o)
                for n, o in await self._find(CONFIGMAPS, namespace, config_maps)
            },
            {n: _secret_data(o) for n, o in await self._find(SECRETS, namespace, secrets)},
            {
                (request.audience, request.seconds): await self._token(pod, request)
                if with_tokens
                else ""
                for request in token_requests(pod)
            },
        )

    def forget(self, uid: str) -> None:
        """Drops the tokens of a pod that is gone."""
        for key in [k for k in self._tokens if k[0] == uid]:
            del self._tokens[key]

    async def close(self) -> None:
        """Ends the watches."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _find(
        self, resource: Resource, namespace: str, names: frozenset[str]
    ) -> list[tuple[str, Object]]:
        if not names:
            return []
        cache = await self._cache(resource)
        objects = []
        for name in sorted(names):
            obj = cache.get(namespace, name) or await self._fetch(resource, namespace, name)
            if obj is not None:
                objects.append((name, obj))
        return objects

    async def _fetch(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """Asks the server itself: the watch may be a moment behind."""
        try:
            return await self._client.get(resource, name, namespace)
        except NotFound:
            return None

    async def _cache(self, resource: Resource) -> WatchCache:
        cache = self._caches.get(resource)
        if cache is None:
            cache = self._caches[resource] = WatchCache(self._client, resource)
            task = asyncio.create_task(cache.run(), name=f"node-{resource.plural}")
            self._tasks.append(task)
            await cache.synced()
            cache.on_change(self._changed)
        await cache.synced()
        return cache

    def _changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is not None:
            self._on_change(*meta.key(obj))

    async def _token(self, pod: Object, request: TokenRequest) -> str:
        now = self._clock()
        known = self._tokens.get((meta.uid(pod), request))
        if known is not None and now < known.renew_at:
            return known.text
        text = await self._request_token(pod, request)
        self._tokens[(meta.uid(pod), request)] = _Token(text, now + request.seconds * _RENEW_AT)
        return text

    async def _request_token(self, pod: Object, request: TokenRequest) -> str:
        account = pod["spec"].get("serviceAccountName") or "default"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [request.audience] if request.audience else [],
                "expirationSeconds": request.seconds,
                "boundObjectRef": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": meta.name(pod),
                    "uid": meta.uid(pod),
                },
            },
        }
        path = SERVICEACCOUNTS.path(meta.namespace(pod), account, "token")
        answer = await self._client.request("POST", path, body=body)
        return str(answer["status"]["token"])


def _config_map_data(obj: Object) -> dict[str, bytes]:
    data = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    return data | {k: base64.b64decode(v) for k, v in (obj.get("binaryData") or {}).items()}


def _secret_data(obj: Object) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}

"""APIServices at work: which group versions other servers answer for, and whether they do.

A controller inside the server. Nothing is done while there is none. One that is there is asked for
its resources when it, its Service or the endpoints change, and once in a while.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from hearth.cluster.lifecycle import background
from hearth.cluster.lifecycle.background import Worker, controller_user
from hearth.cluster.model.aggregates import Aggregate, read_aggregate
from hearth.cluster.model.objects import Change, Key, Object
from hearth.cluster.model.user import User
from hearth.cluster.operations import writes
from hearth.cluster.operations.api import Api
from hearth.cluster.operations.sending import Question, Sender, Unreachable, read_all

APISERVICES = "apiservices.apiregistration.k8s.io"
_SLICES = "endpointslices.discovery.k8s.io"
_SERVICE_LABEL = "kubernetes.io/service-name"
_USER = controller_user("apiservice-controller")
_ASKER = User("system:kube-aggregator", groups=("system:masters",))
_CHECK_SECONDS, _LOOK_SECONDS, _AWAY_SECONDS = 5.0, 30.0, 1.0
_MOST_BYTES = 4 * 1024 * 1024
AUTHENTICATION = Key("configmaps", "kube-system", "extension-apiserver-authentication")
Verdict = tuple[bool, str, str]
_LOCAL = (True, "Local", "Local APIServices are always available")
_PASSED = (True, "Passed", "all checks passed")


def authentication(front_proxy_ca: str) -> Object:
    """What other API servers go by to know this one, and who asks through it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": AUTHENTICATION.name, "namespace": AUTHENTICATION.namespace},
        "data": {
            "requestheader-allowed-names": '["front-proxy-client"]',
            "requestheader-client-ca-file": front_proxy_ca,
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-uid-headers": '["X-Remote-Uid"]',
            "requestheader-username-headers": '["X-Remote-User"]',
        },
    }


def with_verdict(api_service: Object, verdict: Verdict, now: str) -> Object:
    """The APIService with a condition; unchanged where it has that one. Pure."""
    holds, reason, message = verdict
    known = (api_service.get("status") or {}).get("conditions") or []
    before: Object = next((each for each in known if each["type"] == "Available"), {})
    since = before.get("lastTransitionTime") if before.get("status") == str(holds) else now
    condition = {
        "type": "Available",
        "status": str(holds),
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    others = [each for each in known if each["type"] != "Available"]
    return api_service | {"status": {"conditions": [*others, condition]}}


class ApiServiceController:
    """Follows APIServices, their Services and endpoints."""

    def __init__(self, api: Api, sender: Sender, front_proxy_ca: Path) -> None:
        self._api = api
        self._sender = sender
        self._front_proxy_ca = front_proxy_ca
        self._worker: Worker[str] = Worker("apiservices", self._process)
        self._timers: dict[str, asyncio.TimerHandle] = {}

    async def prepare(self) -> None:
        """What other servers need to know before they can be asked."""
        wanted = authentication(self._front_proxy_ca.read_text())
        await background.create(self._api, AUTHENTICATION, wanted, _USER)

        def change(obj: Object) -> Object | None:
            return None if obj.get("data") == wanted["data"] else obj | {"data": wanted["data"]}

        await background.mutate(self._api, AUTHENTICATION, change)
        for entry in self._api.store.state.entries(APISERVICES):
            if (aggregate := read_aggregate(entry.parse())) is not None:
                self._api.aggregates.put(aggregate)

    async def run(self) -> None:
        """Works until it is cancelled."""
        stop = self._api.store.listen_to_all(self._changed)
        try:
            for entry in self._api.store.state.entries(APISERVICES):
                self._worker.add(entry.key.name)
            await self._worker.run()
        finally:
            stop()
            for timer in self._timers.values():
                timer.cancel()

    def _changed(self, change: Change) -> None:
        key = change.now.key
        if key.resource == APISERVICES:
            self._worker.add(key.name)
        elif key.resource in ("services", _SLICES) and self._api.aggregates:
            labels = change.now.labels
            service = key.name if key.resource == "services" else labels.get(_SERVICE_LABEL, "")
            for group, version in self._api.aggregates.of_service(key.namespace, service):
                self._worker.add(f"{version}.{group}")

    async def _process(self, name: str) -> None:
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()
        key = Key(APISERVICES, "", name)
        entry = await self._api.store.settled(key)
        version, _, group = name.partition(".")
        if entry is None or entry.deleting:
            self._api.aggregates.drop((group, version))
            return
        aggregate = read_aggregate(entry.parse())
        if aggregate is None:
            self._api.aggregates.drop((group, version))
            await self._write(key, _LOCAL)
            return
        verdict, aggregate = await self._look(aggregate)
        self._api.aggregates.put(aggregate)
        await self._write(key, verdict)
        pause = _LOOK_SECONDS if aggregate.is_available else _AWAY_SECONDS
        later = asyncio.get_running_loop().call_later(pause, self._worker.add, name)
        self._timers[name] = later

    async def _look(self, aggregate: Aggregate) -> tuple[Verdict, Aggregate]:
        """Whether the server answers, and what it serves; else what it served before."""
        known = self._api.aggregates.get(aggregate.group, aggregate.version)
        if known is not None:
            aggregate = replace(aggregate, resources=known.resources, document=known.document)
        try:
            found = await self._ask(aggregate, aggregate.path)
            resources = tuple(each for each in found["resources"] if isinstance(each, dict))
        except LookupError as error:
            return (False, *_service_trouble(aggregate, str(error.args[0]))), aggregate
        except (Unreachable, ValueError, TypeError) as error:
            url = self._sender.url(aggregate, aggregate.path)
            text = f"failing or missing response from {url}: {error}"
            return (False, "FailedDiscoveryCheck", text), aggregate
        document = await self._document(aggregate)
        aggregate = replace(aggregate, is_available=True, resources=resources, document=document)
        return _PASSED, aggregate

    async def _document(self, aggregate: Aggregate) -> str:
        """Where the OpenAPI document of a group version is; empty where there is none."""
        try:
            index = await self._ask(aggregate, "/openapi/v3")
            place = index["paths"][aggregate.path.removeprefix("/")]
            url = str(place["serverRelativeURL"])
            return url if url.startswith(f"/openapi/v3{aggregate.path}") else ""
        except (LookupError, Unreachable, TypeError, ValueError):
            return ""

    async def _ask(self, aggregate: Aggregate, path: str) -> Any:
        headers = [("accept", "application/json"), *_ASKER.headers()]
        question = Question("GET", path, headers)
        async with self._sender.answer(aggregate, question, seconds=_CHECK_SECONDS) as response:
            if not 200 <= response.status < 300:
                raise Unreachable(f"bad status from {response.url}: {response.status}")
            body = await read_all(response, _MOST_BYTES)
        if body is None:
            raise Unreachable(f"more than {_MOST_BYTES} bytes")
        return orjson.loads(body)

    async def _write(self, key: Key, verdict: Verdict) -> None:
        entry = self._api.store.get(key)
        served = self._api.kinds.by_resource(APISERVICES)
        if entry is None or served is None:
            return
        before = entry.parse()
        if with_verdict(before, verdict, self._api.now()) == before:
            return
        write = background.make_write(self._api, served, key, _USER)
        write.subresource, write.manager = "status", "kube-apiserver"
        await writes.update(write, lambda obj: with_verdict(obj, verdict, self._api.now()))


def _service_trouble(aggregate: Aggregate, error: str) -> tuple[str, str]:
    """Reason and message for a Service that leads nowhere."""
    place = f'service/{aggregate.service} in "{aggregate.namespace}"'
    if error.startswith("no service port"):
        return "ServicePortError", f"{place} is not listening on port {aggregate.port}"
    if error.startswith("no endpoints"):
        return "MissingEndpoints", f"endpoints for {place} have no addresses"
    return "ServiceNotFound", f"{place} is not present"

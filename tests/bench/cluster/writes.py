"""Writes to the API server, as its own metrics count them."""

from __future__ import annotations

import re

import aiohttp

from hearth.kube.client import KubeClient

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE", "APPLY"})
_OURS = re.compile(r"(^|\.)knative\.dev$")
_ALSO_OURS = frozenset({("apps", "deployments", ""), ("", "services", "")})
"""Of the kinds that others write too; what Kubernetes writes of them are statuses."""
_SAMPLE = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<value>\S+)$")
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Writes:
    """Counts on request; only differences mean something."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def by_hearth(self) -> int:
        """Writes to kinds of Knative's and of the kinds that are made for them."""
        total = 0.0
        async for line in self._client.stream_lines("/metrics", {}, timeout=_TIMEOUT):
            found = _SAMPLE.match(line.decode())
            if found is not None and _is_ours(dict(_LABEL.findall(found["labels"]))):
                total += float(found["value"])
        return int(total)


def _is_ours(labels: dict[str, str]) -> bool:
    if labels["verb"] not in _WRITES or labels.get("dry_run"):
        return False
    if _OURS.search(labels["group"]):
        return True
    return (labels["group"], labels["resource"], labels["subresource"]) in _ALSO_OURS

"""Asks: the metric APIs, the scale of a target, and which resource a kind is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from hearth.cluster.controllers.autoscaling.decisions import Scale
from hearth.cluster.controllers.autoscaling.proposals import Answer
from hearth.cluster.controllers.autoscaling.questions import Place, Question, failure, question
from hearth.cluster.controllers.autoscaling.samples import MetricError
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object, namespace
from hearth.kube.patch import JSON_PATCH
from hearth.kube.resources import DEPLOYMENTS, Resource, resources_of
from hearth.kube.selectors import selector_text
from hearth.timeouts import time_limit

QUESTION_SECONDS = 10.0
"""How long a metric API may take to answer."""
_Kind = tuple[str, str]
"""apiVersion and kind."""


class Kinds:
    """The resources of kinds, by discovery; what was found is kept."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._known: dict[_Kind, Resource] = {}

    async def resource(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind; LookupError in Kubernetes' words, or an ``ApiError``."""
        if (api_version, kind) == (DEPLOYMENTS.api_version, DEPLOYMENTS.kind):
            return DEPLOYMENTS
        known = self._known.get((api_version, kind))
        if known is None:
            known = self._known[api_version, kind] = await self._discover(api_version, kind)
        return known

    async def _discover(self, api_version: str, kind: str) -> Resource:
        group = api_version.rpartition("/")[0]
        for path in await self._versions(group):
            for resource in resources_of(await self._client.request("GET", path)):
                if resource.kind == kind:
                    return resource
        raise LookupError(f'no matches for kind "{kind}" in group "{group}"')

    async def _versions(self, group: str) -> Sequence[str]:
        if not group:
            return ("/api/v1",)
        try:
            found = await self._client.request("GET", f"/apis/{group}")
        except NotFound:
            return ()
        return [f"/apis/{each['groupVersion']}" for each in found["versions"]]


async def fetch_scale(client: KubeClient, resource: Resource, name: str, of: str) -> Scale:
    """The scale of an object of a namespace."""
    found = await client.get(resource, name, of, subresource="scale")
    status = found.get("status") or {}
    return Scale(
        wanted=int((found.get("spec") or {}).get("replicas") or 0),
        current=int(status.get("replicas") or 0),
        selector=str(status.get("selector") or ""),
    )


def scale_of(deployment: Object) -> Scale:
    """The scale of a Deployment, as its subresource has it."""
    spec = deployment["spec"]
    replicas = (deployment.get("status") or {}).get("replicas") or 0
    return Scale(int(spec.get("replicas", 1)), int(replicas), selector_text(spec.get("selector")))


async def write_scale(
    client: KubeClient, resource: Resource, name: str, of: str, *, before: int, after: int
) -> None:
    """Changes replicas from one number to another; an ``ApiError`` where they are no more that."""
    patch = [
        {"op": "test", "path": "/spec/replicas", "value": before},
        {"op": "replace", "path": "/spec/replicas", "value": after},
    ]
    await client.patch(resource, name, of, patch, content_type=JSON_PATCH, subresource="scale")


class Asking:
    """Asks the metric APIs about autoscalers."""

    def __init__(self, client: KubeClient, kinds: Kinds) -> None:
        self._client = client
        self._kinds = kinds

    async def answers(self, hpa: Object, selector: str) -> Sequence[Answer]:
        """What is answered for each metric; the same question is asked once, all side by side."""
        metrics = hpa["spec"]["metrics"]
        place = Place(namespace(hpa), selector, await self._described(metrics))
        asked = [question(metric, place) for metric in metrics]
        distinct = list(dict.fromkeys(asked))
        found = await asyncio.gather(*(self._answer(each) for each in distinct))
        by_question = dict(zip(distinct, found, strict=True))
        return [by_question[each] for each in asked]

    async def _described(self, metrics: Sequence[Mapping[str, Object]]) -> Mapping[_Kind, str]:
        """The resources of objects that metrics describe, as far as they are known."""
        found = {}
        for metric in metrics:
            reference = (metric.get("object") or {}).get("describedObject")
            if reference is not None:
                kind = reference.get("apiVersion", "v1"), reference["kind"]
                try:
                    resource = await self._kinds.resource(*kind)
                except (ApiError, LookupError):
                    continue  # the metric API says what is wrong
                found[kind] = ".".join(filter(None, (resource.plural, resource.group)))
        return found

    async def _answer(self, asked: Question) -> Answer:
        error = ApiError({})
        for path in asked.paths:
            try:
                async with time_limit(QUESTION_SECONDS):
                    found = await self._client.request("GET", path, query=dict(asked.query))
                return found.get("items") or ()
            except NotFound as missing:
                error = missing
            except ApiError as refusal:
                return MetricError(failure(asked, refusal))
            except TimeoutError:
                text = f"no answer within {QUESTION_SECONDS:.0f} s"
                return MetricError(failure(asked, ApiError({"message": text})))
        return MetricError(failure(asked, error))

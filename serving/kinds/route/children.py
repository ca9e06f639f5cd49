"""The KIngress of a Route: hosts to revisions, for inside the cluster and outside. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from hearth.knative.resources import KINGRESSES
from hearth.kube import meta
from hearth.kube.meta import Object, labels, name, namespace, owner_reference
from serving.api import keys
from serving.api.asyncrequests import async_of
from serving.api.config.features import ENABLED
from serving.api.settings import Settings
from serving.kinds.certificates import challenge_paths
from serving.kinds.ingress import NOT_FOR_INGRESSES, http_option, ingress_class
from serving.kinds.metadata import without
from serving.kinds.ports import service_port
from serving.routing.domains import Naming, expanded
from serving.routing.rollout import Rollout, serialize
from serving.routing.targets import DEFAULT, Target, Traffic


def make_ingress(
    route: Object,
    traffic: Traffic,
    *,
    rollout: Rollout,
    visibility: dict[str, str],
    settings: Settings,
    base: int | None = None,
    tls: Sequence[Mapping[str, Any]] = (),
    challenges: Sequence[Mapping[str, Any]] = (),
) -> Object:
    """Make the KIngress that leads each host of the route to its revisions.

    ``base`` is the pods that were needed when a rollout began that is bounded in pods.
    ``tls`` says which certificates hosts show, ``challenges`` what is asked before there are some.
    """
    hosts, solvers = _Hosts(route, visibility, settings), challenge_paths(challenges)
    own = {
        keys.INGRESS_CLASS.key: ingress_class(route, settings),
        keys.ROLLOUT: serialize(rollout),
        **without(meta.annotations(route), NOT_FOR_INGRESSES.__contains__),
    }
    if base is not None:
        own[keys.ROLLOUT_BASE] = str(base)
    if len(traffic.tags) > 1:
        tagged = {tag: hosts.primary(tag) for tag in traffic.tags if tag != DEFAULT}
        own[keys.TAG_TO_HOST] = orjson.dumps(tagged).decode()
    return {
        "apiVersion": KINGRESSES.api_version,
        "kind": KINGRESSES.kind,
        "metadata": {
            "name": name(route),
            "namespace": namespace(route),
            "labels": {
                **labels(route),
                keys.ROUTE: name(route),
                keys.ROUTE_NAMESPACE: namespace(route),
                **({keys.ASYNC: "true"} if _is_async(route) else {}),
            },
            "annotations": own,
            "ownerReferences": [owner_reference(route)],
        },
        "spec": {
            "httpOption": http_option(route, settings),
            "rules": [
                _with_solvers(rule, solvers)
                for rule in _rules(route, traffic, rollout, hosts=hosts, settings=settings)
            ],
            **({"tls": list(tls)} if tls else {}),
        },
    }


def _is_async(route: Object) -> bool:
    """Whether requests may be answered later: eventing looks for KIngresses that say so."""
    return keys.SERVICE in labels(route) and async_of(meta.annotations(route)) is not None


class _Hosts:
    """The hosts of each tag by visibility."""

    def __init__(self, route: Object, visibility: dict[str, str], settings: Settings) -> None:
        self._route = route
        self._visibility = visibility
        self._naming = Naming.of(settings)

    def of(self, tag: str) -> list[tuple[str, list[str]]]:
        """Per rule: visibility and hosts."""
        local = self._naming.domain(self._route, tag, local=True)
        rules = [(keys.CLUSTER_LOCAL, expanded(local))]
        if self._visibility.get(tag) != keys.CLUSTER_LOCAL:
            public = self._naming.domain(self._route, tag, local=False)
            rules.append((keys.EXTERNAL_IP, [public]))
        return rules

    def primary(self, tag: str) -> list[str]:
        return [hosts[-1] for _, hosts in self.of(tag)]


def _rules(
    route: Object, traffic: Traffic, rollout: Rollout, *, hosts: _Hosts, settings: Settings
) -> list[dict[str, Any]]:
    by_header = settings.features.tag_header_based_routing == ENABLED
    rules = []
    for tag in traffic.tags:
        for visibility, names in hosts.of(tag):
            path = _path(route, traffic.by_tag[tag], rollout, tag=tag)
            paths = [path]
            if by_header:
                paths = _with_tag_headers(route, traffic, rollout, tag=tag, path=path)
            rules.append({"hosts": names, "visibility": visibility, "http": {"paths": paths}})
    return rules


def _with_solvers(
    rule: dict[str, Any], solvers: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """Let challenges for a public host go to their solvers."""
    paths = solvers.get(rule["hosts"][0]) if rule["visibility"] == keys.EXTERNAL_IP else None
    if not paths:
        return rule
    return {**rule, "http": {"paths": [*paths, *rule["http"]["paths"]]}}


def _with_tag_headers(
    route: Object, traffic: Traffic, rollout: Rollout, *, tag: str, path: dict[str, Any]
) -> list[dict[str, Any]]:
    """Lets a request choose a tag by header on the route's own host (tag-header-based-routing)."""
    if tag != DEFAULT:
        return [{**path, "appendHeaders": {keys.HEADER_TAG: tag}}]
    chosen = [
        {
            **_path(route, traffic.by_tag[other], rollout, tag=other),
            "headers": {keys.HEADER_TAG: {"exact": other}},
        }
        for other in traffic.tags
        if other != DEFAULT
    ]
    return [*chosen, {**path, "appendHeaders": {keys.HEADER_DEFAULT_ROUTE: "true"}}]


def _path(
    route: Object, targets: tuple[Target, ...], rollout: Rollout, *, tag: str
) -> dict[str, Any]:
    splits = []
    for target in targets:
        if not target.percent:
            continue
        going = rollout.find(tag, target.configuration) if target.latest else None
        if going is None or going.is_done:
            splits.append(_split(route, target, target.revision, percent=target.percent))
        else:
            splits += [
                _split(route, target, share.revision, percent=share.percent)
                for share in going.shares
            ]
    return {"splits": splits}


def _split(route: Object, target: Target, revision: str, *, percent: int) -> dict[str, Any]:
    port = target.port
    counts = {keys.HEADER_REVISION: revision} if port is None or port.counted else {}
    return {
        "serviceName": revision,
        "serviceNamespace": namespace(route),
        "servicePort": service_port(target.protocol) if port is None else port.number,
        "percent": percent,
        "appendHeaders": {**counts, keys.HEADER_NAMESPACE: namespace(route)},
    }

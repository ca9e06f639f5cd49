"""What flows where: sources, addressables, subscriptions and sinks, with counts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from eventing.runtime.journeys.flows import Flows
from eventing.runtime.places import BROKER, BadPath, Place, kind_of, place_by_host, place_of
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.target import Target

Json = dict[str, Any]
PlaceOf = Callable[[str], Place | None]

_INGRESS_HOST = "broker-ingress.knative-eventing.svc"
_OTHERS = "others"


def own_places(places: Iterable[Place], address: str) -> PlaceOf:
    """Return what tells which of these places a URL leads to; ``address`` is our listener's."""
    there = {place_by_host(place): place for place in places}

    def find(url: str) -> Place | None:
        try:
            parts = urlsplit(url)
            found = place_of(parts.netloc.encode(), parts.path.encode())
        except (BadPath, ValueError):
            return None
        here = (parts.hostname or "").startswith(_INGRESS_HOST) or parts.netloc == address
        return there.get(found) if here or found.kind != BROKER else None

    return find


@dataclass(slots=True)
class _Graph:
    """Nodes by what they stand for; edges between them, added up."""

    place_of: PlaceOf
    nodes: dict[str, Json] = field(default_factory=dict)
    edges: dict[tuple[str, str, str, str], int] = field(default_factory=dict)

    def node(self, kind: str, name: str) -> str:
        key = f"{kind} {name}"
        self.nodes.setdefault(key, {"id": key, "kind": kind, "name": name})
        return key

    def place(self, place: Place) -> str:
        return self.node(kind_of(place), f"{place.namespace}/{place.name}")

    def url(self, url: str) -> str:
        place = self.place_of(url)
        return self.node("sink", url) if place is None else self.place(place)

    def edge(self, start: str, end: str, kind: str, count: int, label: str = "") -> None:
        key = start, end, kind, label
        self.edges[key] = self.edges.get(key, 0) + count


def graph_of(
    flows: Mapping[Place, Flows],
    specs: Mapping[Place, Iterable[SubscriptionSpec]],
    place_of_url: PlaceOf,
) -> Json:
    """Return nodes and edges; what exists and had no event in the time counts 0."""
    graph = _Graph(place_of_url)
    for place, subscriptions in specs.items():
        for spec in subscriptions:
            _wired(graph, graph.place(place), spec)
        graph.place(place)
    for place, counted in flows.items():
        _flowed(graph, graph.place(place), counted)
    flowed = {key[:3] for key, count in graph.edges.items() if count}
    edges = [
        {"from": start, "to": end, "kind": kind, "label": label, "count": count}
        for (start, end, kind, label), count in graph.edges.items()
        if count or (start, end, kind) not in flowed
    ]
    return {"nodes": list(graph.nodes.values()), "edges": edges}


def _wired(graph: _Graph, place: str, spec: SubscriptionSpec) -> None:
    subscription = _subscription(graph, spec.label)
    graph.edge(place, subscription, "matches", 0)
    if spec.target is not None:
        graph.edge(subscription, graph.url(spec.target.url), "delivers", 0)
    if spec.dead_letter is not None:
        graph.edge(subscription, graph.url(spec.dead_letter.url), "dead letter", 0)
    if isinstance(spec.reply, Target):
        graph.edge(subscription, graph.url(spec.reply.url), "replies", 0)


def _subscription(graph: _Graph, label: str) -> str:
    kind, _, name = label.partition(" ")
    return graph.node(kind, name)


def _flowed(graph: _Graph, place: str, flows: Flows) -> None:
    for (source, kind), count in flows.came.items():
        graph.edge(graph.node("source", source or _OTHERS), place, "sends", count, kind or _OTHERS)
    for label, count in flows.matched.items():
        graph.edge(place, _subscription(graph, label), "matches", count)
    for (label, url), count in flows.delivered.items():
        graph.edge(_subscription(graph, label), graph.url(url), "delivers", count)
    for (label, url), count in flows.dead_lettered.items():
        graph.edge(_subscription(graph, label), graph.url(url), "dead letter", count)
    for (label, kind, url), count in flows.replied.items():
        end = graph.url(url) if url else place
        graph.edge(_subscription(graph, label), end, "replies", count, kind)
    for label, count in flows.failed.items():
        graph.nodes[_subscription(graph, label)]["failed"] = count
    for label, count in flows.dropped.items():
        graph.nodes[_subscription(graph, label)]["dropped"] = count

"""The route table: from a host, a path and headers to a weighted choice of backends. Pure.

``RouteTableBuilder`` is fed one KIngress at a time by the watches and publishes immutable
``RouteTable`` snapshots: a request sees either the old table or the new one. A lookup is one dict
access whatever the number of hosts.

    host        exact, else the longest wildcard
    path        longest prefix
    headers     more conditions first; every one has to match
    split       by weight

The table is generic over what a split leads to: ``resolve`` turns a reference into it once, when
the KIngress is compiled, so that the hot path follows a pointer.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Generic, TypeVar

from activator.extras import Extras, extras_of
from activator.http.events import FieldBlock
from activator.http.fields import Field, find_field
from activator.ingress_hash import ingress_hash
from hearth.kube.meta import shared
from hearth.kube.multimap import Multimap
from serving.api import keys
from serving.api.domainpaths import MappedPath, paths_of

T = TypeVar("T")
Object = dict[str, Any]

ROUTING_ANNOTATIONS = (keys.DOMAIN_PATHS, keys.ASYNC, keys.WAITING_PAGE)
"""What a KIngress says in annotations, beside its spec."""
REVISION_HEADER = "Knative-Serving-Revision"
ORIGINAL_HOST_HEADER = "K-Original-Host"
# These two tell Knative's activator where to go; Knative strips them before the application.
_NO_NAMES = frozenset[bytes]()  # an empty one is 200 octets, and each Service would have two
_ROUTING_HEADERS = frozenset(("knative-serving-revision", "knative-serving-namespace"))


@dataclass(frozen=True, slots=True)
class BackendRef:
    """A Service port that a split names; ``revision`` when it is a revision's."""

    namespace: str
    service: str
    port: int | str = 80
    revision: str = ""
    # The route of KEDA's HTTP add-on by which requests come: each has counters and limits.
    route: str = ""
    # Whether they count for what is scaled.
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class Split(Generic[T]):
    """One destination; ``upto`` is the sum of the weights so far, out of 1."""

    upto: float
    target: T
    # Fields to append.
    block: FieldBlock | None = None
    # The appended names in lower case: a client's own field of that name gives way. Routing
    # headers are not among them: no client's copy of those gets this far.
    names: frozenset[bytes] = frozenset()
    original_host: bytes = b""
    # What its Service asks for beyond that.
    extras: Extras | None = None


@dataclass(frozen=True, slots=True)
class Route(Generic[T]):
    """One path of a rule: a prefix, conditions on fields, and where requests go."""

    prefix: bytes
    conditions: tuple[tuple[bytes, bytes], ...]
    splits: tuple[Split[T], ...]
    rewrite_host: bytes = b""
    redirect: bool = False
    # The prefix ends at a slash, or where the path does.
    is_whole: bool = False
    # What takes the place of the prefix.
    rewrite_path: bytes | None = None

    def matches(self, path: bytes, fields: list[Field]) -> bool:
        """Whether a request of this path and with these fields goes here."""
        prefix = self.prefix
        if not path.startswith(prefix):
            return False
        if self.is_whole and path[len(prefix) : len(prefix) + 1] not in (b"", b"/", b"?"):
            return False
        return all(_condition_holds(fields, name, exact) for name, exact in self.conditions)

    def choose(self, roll: float) -> Split[T]:
        """The split for a random number in [0, 1)."""
        for split in self.splits:
            if roll < split.upto:
                return split
        return self.splits[-1]


@dataclass(frozen=True, slots=True)
class HostRoutes(Generic[T]):
    """The routes of one host, most specific first."""

    routes: tuple[Route[T], ...]
    # Set when a single unconditional route is all there is, which is nearly always.
    only: Split[T] | None = None
    # Of the KIngress, for who probes whether this version of it is routed.
    hash: bytes = b""
    # For who has come by TLS, where plain HTTP is redirected.
    secure: HostRoutes[T] | None = None
    # They are of KEDA's HTTP add-on: what they do not match, routes of other hosts may.
    is_ruled: bool = False

    def find(self, path: bytes, fields: list[Field]) -> Route[T] | None:
        """The first route that matches."""
        for route in self.routes:
            if route.matches(path, fields):
                return route
        return None


class HostMap(Generic[T]):
    """Hosts as one listener sees them. Never changed after it is made."""

    __slots__ = ("_exact", "_wildcards")

    def __init__(
        self, exact: Mapping[bytes, HostRoutes[T]], wildcards: Mapping[bytes, HostRoutes[T]]
    ) -> None:
        self._exact = exact
        self._wildcards = wildcards

    def find(self, host: bytes) -> HostRoutes[T] | None:
        """By a Host field as it came: any case, perhaps with a port or a final dot."""
        if not is_host(host):
            # What is behind the last colon may be no port.
            return None
        name = normalize_host(host)
        routes = self._exact.get(name)
        if routes is not None or not self._wildcards:
            return routes
        return next(self._under_wildcards(name), None)

    def further(self, host: bytes) -> Iterator[HostRoutes[T]]:
        """What else a host may mean: less and less exact wildcards, then any host at all."""
        if not is_host(host):
            return
        yield from self._under_wildcards(normalize_host(host))
        if (routes := self._exact.get(ANY_HOST)) is not None:
            yield routes

    def beside(self, others: Mapping[bytes, HostRoutes[T]]) -> HostMap[T]:
        """This map with hosts of others, where it has none itself."""
        return _host_map({**others, **self._exact})

    def _under_wildcards(self, name: bytes) -> Iterator[HostRoutes[T]]:
        while name:
            _, _, name = name.partition(b".")
            if (routes := self._wildcards.get(name)) is not None:
                yield routes

    def __len__(self) -> int:
        return len(self._exact) + len(self._wildcards)

    def hosts(self) -> list[bytes]:
        """All hosts in order, wildcards with their star."""
        return sorted([*self._exact, *(b"*." + name for name in self._wildcards)])


@dataclass(frozen=True, slots=True)
class RouteTable(Generic[T]):
    """One published state of all routes, for both listeners."""

    external: HostMap[T]
    internal: HostMap[T]
    # KIngress by (namespace, name): the generation that this table holds.
    generations: Mapping[tuple[str, str], int]
    # Whether there are routes for hosts that nobody names.
    has_any_host: bool = False

    def beside(self, hosts: Mapping[bytes, HostRoutes[T]]) -> RouteTable[T]:
        """This table with these hosts for both listeners, where it has none itself."""
        if not hosts:
            return self
        return RouteTable(
            self.external.beside(hosts),
            self.internal.beside(hosts),
            self.generations,
            has_any_host=ANY_HOST in hosts,
        )


class InvalidIngress(ValueError):
    """A KIngress that cannot be routed; the text is for its status."""


def is_host(host: bytes) -> bool:
    """Whether this may stand in a Host field at all (RFC 9110, section 7.2)."""
    return _HOST.fullmatch(host) is not None


def normalize_host(host: bytes) -> bytes:
    """A host as the table knows it: in lower case, without port and final dot."""
    name = host.lower()
    if b":" in name and not name.endswith(b"]"):
        name = name[: name.rindex(b":")]
    return name[:-1] if name.endswith(b".") else name


ANY_HOST = b"*"
_ACME = b"/.well-known/acme-challenge/"
# A registered name, an IPv4 or a bracketed IPv6 address, perhaps a port (RFC 3986, section 3.2.2).
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]*)(?::[0-9]*)?")
# A field's name (RFC 9110, section 5.6.2).
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def service_host(host: bytes, cluster_domain: bytes) -> tuple[str, str] | None:
    """(namespace, name) of an in-cluster host: NAME.NS, NAME.NS.svc[.cluster.local]."""
    labels = normalize_host(host).split(b".")
    tails = (b"", b"svc", b"svc." + cluster_domain)
    if len(labels) < 2 or not all(labels) or b".".join(labels[2:]) not in tails:
        return None
    try:
        return labels[1].decode("ascii"), labels[0].decode("ascii")
    except UnicodeDecodeError:
        return None


def near_host(host: bytes, namespace: str) -> tuple[str, str] | None:
    """(namespace, name) of a host that is a name alone, as it is seen from a namespace."""
    name = normalize_host(host)
    if not namespace or not name or not name.isascii() or b"." in name or b":" in name:
        return None
    return namespace, name.decode("ascii")


def is_cluster_local(host: bytes, cluster_domain: bytes) -> bool:
    """Whether a host can only be meant for this cluster, known or not."""
    name = normalize_host(host)
    return name.endswith((b".svc", b"." + cluster_domain))


_Owner = tuple[str, str]
"""Namespace and name of a KIngress."""
_HostKey = tuple[bool, bytes]


@dataclass(frozen=True, slots=True)
class _Compiled(Generic[T]):
    """A KIngress' routes for each host. The oldest KIngress owns a disputed host."""

    created: str
    hosts: Mapping[_HostKey, HostRoutes[T]]
    references: tuple[BackendRef, ...]


class RouteTableBuilder(Generic[T]):
    """All KIngress objects, compiled; a change touches only the hosts that it names."""

    def __init__(self, resolve: Callable[[BackendRef], T]) -> None:
        self._resolve = resolve
        self._claims = Multimap[_HostKey, _Owner]()
        self._compiled: dict[_Owner, _Compiled[T]] = {}
        self._generations: dict[_Owner, int] = {}
        self._winners: dict[bool, dict[bytes, HostRoutes[T]]] = {False: {}, True: {}}

    def put(self, ingress: Object) -> set[_Owner]:
        """Take over a KIngress; returns whose hosts this concerns.

        InvalidIngress, whatever the fault, leaves what was routed before in place.
        """
        metadata = ingress["metadata"]
        owner = shared((metadata.get("namespace", ""), metadata["name"]))
        references: set[BackendRef] = set()
        try:
            compiled = _compile(ingress, self._resolve, references)
        except InvalidIngress:
            raise
        except Exception as error:
            # One object hurts itself only, also by what nobody thought of.
            raise InvalidIngress(f"cannot be read: {type(error).__name__}: {error}") from error
        concerned = self._forget_hosts(owner, keep=compiled)
        created = str(metadata.get("creationTimestamp", ""))
        self._compiled[owner] = _Compiled(created, compiled, tuple(references))
        self._generations[owner] = int(metadata.get("generation", 0))
        for key in compiled:
            self._claims.add(key, owner)
            concerned |= self._elect(key)
        return concerned

    def remove(self, namespace: str, name: str) -> set[_Owner]:
        """Forget a KIngress; returns whose hosts this concerns."""
        owner = (namespace, name)
        concerned = self._forget_hosts(owner, keep=())
        self._compiled.pop(owner, None)
        self._generations.pop(owner, None)
        return concerned

    def conflict(self, owner: _Owner) -> tuple[str, _Owner] | None:
        """A host that this KIngress names and an older one has, and which one that is."""
        for key in sorted(self._hosts_of(owner)):
            winner = self._oldest(key)
            if winner is not None and winner != owner:
                return key[1].decode(), winner
        return None

    def holder(self, host: bytes) -> _Owner | None:
        """The KIngress that has a host, for who would have it as well."""
        return self._oldest((True, host))

    def references(self) -> frozenset[BackendRef]:
        """Everything that the table leads to."""
        return frozenset(ref for each in self._compiled.values() for ref in each.references)

    def snapshot(self) -> RouteTable[T]:
        """The table as it is now, which later changes leave alone."""
        return RouteTable(
            external=_host_map(self._winners[False]),
            internal=_host_map(self._winners[True]),
            generations=dict(self._generations),
        )

    def _hosts_of(self, owner: _Owner) -> Collection[_HostKey]:
        return self._compiled[owner].hosts if owner in self._compiled else ()

    def _forget_hosts(self, owner: _Owner, *, keep: Collection[_HostKey]) -> set[_Owner]:
        concerned: set[_Owner] = set()
        for key in self._hosts_of(owner):
            if key not in keep:
                self._claims.remove(key, owner)
                concerned |= self._elect(key)
        return concerned

    def _elect(self, key: _HostKey) -> set[_Owner]:
        """Route a host to the oldest KIngress that names it; returns all that do."""
        internal, host = key
        winner = self._oldest(key)
        if winner is not None:
            self._winners[internal][host] = self._compiled[winner].hosts[key]
        else:
            self._winners[internal].pop(host, None)
        return set(self._claims.get(key))

    def _oldest(self, key: _HostKey) -> _Owner | None:
        claims = self._claims.get(key)
        return min(claims, key=lambda each: (self._compiled[each].created, each), default=None)


def _host_map(winners: Mapping[bytes, HostRoutes[T]]) -> HostMap[T]:
    wildcards = {host[2:]: routes for host, routes in winners.items() if host.startswith(b"*.")}
    return HostMap(dict(winners), wildcards)


def _compile(
    ingress: Object, resolve: Callable[[BackendRef], T], references: set[BackendRef]
) -> dict[_HostKey, HostRoutes[T]]:
    spec = ingress.get("spec") or {}
    mapped = paths_of(ingress["metadata"].get("annotations") or {})
    mapped_paths = {each.path.encode(): each for each in mapped}
    extras = extras_of(ingress["metadata"])
    redirected = spec.get("httpOption") == "Redirected"
    by_host: dict[_HostKey, list[Route[T]]] = {}
    for rule in spec.get("rules") or ():
        routes = [
            _mapped(_route(path, resolve, references, extras), mapped_paths)
            for path in (rule.get("http") or {}).get("paths", ())
        ]
        is_public = rule.get("visibility", "ExternalIP") == "ExternalIP"
        for host in _hosts(rule):
            by_host.setdefault((True, host), []).extend(routes)
            if is_public:
                by_host.setdefault((False, host), []).extend(routes)
    spec_hash = ingress_hash(ingress)
    # Most hosts of a KIngress lead to the same routes.
    made: dict[tuple[bool, tuple[int, ...]], HostRoutes[T]] = {}
    hosts: dict[_HostKey, HostRoutes[T]] = {}
    for key, routes in by_host.items():
        redirects = redirected and not key[0]
        alike = redirects, tuple(map(id, routes))
        if alike not in made:
            made[alike] = (_redirected if redirects else _host_routes)(routes, spec_hash)
        hosts[key] = made[alike]
    return hosts


def _hosts(rule: Object) -> Iterable[bytes]:
    hosts = rule.get("hosts") or ()
    if not hosts:
        raise InvalidIngress("a rule names no host")
    return [read_host(str(host)) for host in hosts]


def read_host(host: str) -> bytes:
    """A host of a rule as the table knows it; raises InvalidIngress."""
    try:
        name = host.encode("ascii" if host.isascii() else "idna")
    except UnicodeError as error:
        raise InvalidIngress(f"host {host!r} is no host name: {error}") from error
    if not is_host(name.removeprefix(b"*.")):
        raise InvalidIngress(f"host {host!r} is no host name")
    return normalize_host(name)


def _host_routes(routes: list[Route[T]], spec_hash: bytes) -> HostRoutes[T]:
    if not routes:
        raise InvalidIngress("a rule has no paths")
    # sorted() is stable: among equals the order of the KIngress stays.
    ordered = tuple(sorted(routes, key=lambda r: (-len(r.prefix), -len(r.conditions))))
    first = ordered[0]
    is_plain = (
        len(ordered) == 1
        and len(first.splits) == 1
        and not (first.prefix or first.conditions or first.rewrite_host or first.redirect)
    )
    return HostRoutes(ordered, first.splits[0] if is_plain else None, spec_hash)


def _redirected(routes: list[Route[T]], spec_hash: bytes) -> HostRoutes[T]:
    secure = _host_routes(routes, spec_hash)
    return replace(_host_routes([_redirect(route) for route in routes], spec_hash), secure=secure)


def _redirect(route: Route[T]) -> Route[T]:
    if route.prefix.startswith(_ACME):
        # Who is asked for a proof by plain HTTP answers by plain HTTP (RFC 8555, section 8.3).
        return route
    return replace(route, redirect=True)


def _route(
    path: Object,
    resolve: Callable[[BackendRef], T],
    references: set[BackendRef],
    extras: Extras | None,
) -> Route[T]:
    splits = path.get("splits") or ()
    if not splits:
        raise InvalidIngress("a path has no splits")
    weights = [_weight(split, alone=len(splits) == 1) for split in splits]
    if sum(weights) != 100:
        raise InvalidIngress(f"split percentages must add up to 100, not {sum(weights)}")
    made: list[Split[T]] = []
    for split, upto in zip(splits, accumulate(weights), strict=True):
        if upto > (made[-1].upto * 100 if made else 0):
            one = _split(path, split, upto / 100, resolve=resolve, references=references)
            made.append(one if extras is None else replace(one, extras=extras))
    prefix = str(path.get("path") or "").encode()
    return Route(
        prefix=b"" if prefix == b"/" else prefix,
        conditions=_conditions(path.get("headers") or {}),
        splits=tuple(made),
        rewrite_host=str(path.get("rewriteHost") or "").encode(),
    )


def _mapped(route: Route[T], paths: Mapping[bytes, MappedPath]) -> Route[T]:
    """What the annotation of a DomainMapping says of a route's path."""
    path = paths.get(route.prefix)
    if path is None:
        return route
    rewrite = None if path.rewrite is None else path.rewrite.encode()
    return replace(route, is_whole=True, rewrite_path=rewrite)


def _weight(split: Object, *, alone: bool) -> int:
    # A single split may leave its percentage out.
    percent = int(split.get("percent") or (100 if alone else 0))
    if not 0 <= percent <= 100:
        raise InvalidIngress(f"split percentage {percent} is not between 0 and 100")
    return percent


def _split(
    path: Object,
    split: Object,
    upto: float,
    *,
    resolve: Callable[[BackendRef], T],
    references: set[BackendRef],
) -> Split[T]:
    appended = {**(path.get("appendHeaders") or {}), **(split.get("appendHeaders") or {})}
    if not split.get("serviceName") or not split.get("serviceNamespace"):
        raise InvalidIngress("a split names no service")
    namespace, service = shared((split["serviceNamespace"], split["serviceName"]))
    reference = BackendRef(
        namespace=namespace,
        service=service,
        port=split.get("servicePort") or 80,
        revision=sys.intern(appended.get(REVISION_HEADER, "")),
    )
    references.add(reference)
    return Split(
        upto=upto,
        target=resolve(reference),
        block=_appended_block(appended),
        names=frozenset(
            name.lower().encode() for name in appended if name.lower() not in _ROUTING_HEADERS
        )
        or _NO_NAMES,
        original_host=str(appended.get(ORIGINAL_HOST_HEADER, "")).encode(),
    )


def _appended_block(appended: Mapping[str, str]) -> FieldBlock | None:
    fields = []
    for name, value in sorted(appended.items()):
        if name.lower() in _ROUTING_HEADERS or name == ORIGINAL_HOST_HEADER:
            continue
        if _TOKEN.fullmatch(name) is None or any(ord(char) < 32 for char in str(value)):
            raise InvalidIngress(f"header {name!r} cannot be appended")
        fields.append((name.encode(), str(value).encode()))
    return FieldBlock.of(fields) if fields else None


def _conditions(headers: Mapping[str, Object]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(
        (name.lower().encode(), str((match or {}).get("exact") or "").encode())
        for name, match in sorted(headers.items())
    )


def _condition_holds(fields: list[Field], name: bytes, exact: bytes) -> bool:
    value = find_field(fields, name)
    # An empty "exact" asks only for presence.
    return value is not None and (not exact or value == exact)

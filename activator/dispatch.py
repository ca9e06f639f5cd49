"""Where a request goes: the route table's answer turned into the next step of an exchange.

One ``Dispatcher`` for each client connection: what the last request's host led to is nearly always
the next one's as well. Answers without an application (probes, health, redirects, refusals) end
here.
"""

from __future__ import annotations

from activator import failures, waitingpage
from activator.backends import Backend
from activator.exchange import Exchange
from activator.extras import BROKER, Extras, look_up, send_later
from activator.failures import text_answer
from activator.forwarding import (
    FORWARDED_PROTO,
    PROBE,
    PROBE_HASH,
    PROXY_AUTHORIZATION,
    asking_namespace,
    extended_block,
    forwarded_block,
)
from activator.gateway import Gateway
from activator.http.events import FieldBlock, Peer, RequestHead, ServerStream
from activator.http.fields import find_field, without_fields
from activator.http.refusals import BAD_REQUEST
from activator.pods import Pod
from activator.routed import RoutedExchange
from activator.routes import (
    HostRoutes,
    Route,
    RouteTable,
    Split,
    is_cluster_local,
    is_host,
    near_host,
    normalize_host,
    service_host,
)
from activator.rules import fields_of
from activator.targets import DEFAULT_TIMEOUT_SECONDS
from serving.api.asyncrequests import RESULTS
from serving.api.domainpaths import rewritten

HTTP_PORT = 80
HTTPS_PORT = 443
HEALTH_PATH = b"/healthz"
# Rewrites lead from one internal host to another; a circle must end.
_MAX_REWRITES = 4
_HASH_WANTED = b"override"
"""What a probe says in K-Network-Hash to be told the hash of the KIngress that answers it."""


class Dispatcher:
    """The session of one client connection."""

    __slots__ = (
        "_blocks",
        "_gateway",
        "_host",
        "_internal",
        "_is_ruled",
        "_only",
        "_peer",
        "_routes",
        "_table",
    )

    def __init__(self, gateway: Gateway, peer: Peer, *, internal: bool) -> None:
        self._gateway = gateway
        self._peer = peer
        self._internal = internal
        # What the last host led to, and the forwarding fields of its requests.
        self._host: bytes | None = None
        self._table: RouteTable[Backend] | None = None
        self._routes: HostRoutes[Backend] | None = None
        self._only: Backend | None = None
        # It has routes of KEDA's HTTP add-on, or may have.
        self._is_ruled = False
        self._blocks: tuple[FieldBlock, ...] = ()

    def request(self, stream: ServerStream) -> Exchange:
        """Send the request to its backend, or answer it."""
        gateway = self._gateway
        observer = gateway.observer
        note = None if observer is None else observer.begin(stream, self._peer)
        head = stream.head
        host = head.authority
        if host != self._host or gateway.table is not self._table:
            self._find_routes(host)
        only = self._only
        if only is not None and head.taken is None:
            exchange = Exchange(gateway, stream, note)
            head.blocks = self._blocks
            exchange.send_to(only)
            return exchange
        make = RoutedExchange if self._is_ruled else Exchange
        unusual = make(gateway, stream, note)
        self._dispatch(unusual, host)
        return unusual

    def _find_routes(self, host: bytes) -> None:
        if host != self._host:
            self._host = host
            self._blocks = (forwarded_block(self._peer, host),)
        self._table = self._gateway.table
        routes = (self._table.internal if self._internal else self._table.external).find(host)
        if routes is not None and routes.secure is not None and self._peer.scheme == b"https":
            routes = routes.secure
        self._routes = routes
        self._is_ruled = routes.is_ruled if routes is not None else self._table.has_any_host
        split = self._routes.only if self._routes is not None else None
        self._only = split.target if split is not None and _is_usual(split) else None

    def _dispatch(self, exchange: Exchange, host: bytes) -> None:
        """What is not the usual request for the usual host."""
        head, routes = exchange.stream.head, self._routes
        if head.taken is not None and PROBE in head.taken:
            self._answer_probe(exchange, head.taken[PROBE], head.taken.get(PROBE_HASH, b""))
        elif routes is None:
            self._dispatch_unrouted(exchange, host)
        elif isinstance(exchange, RoutedExchange):
            self._visit(exchange, self._find_further(head, routes))
        elif routes.only is not None:
            self._send(exchange, routes.only, host)
        elif not head.target.startswith(RESULTS) or not self._looks_up(exchange):
            route = routes.find(head.target, head.fields)
            if route is None:
                exchange.fail(failures.NO_ROUTE)
            else:
                self._follow(exchange, route)

    def _send(
        self, exchange: Exchange, split: Split[Backend], host: bytes, target: bytes | None = None
    ) -> None:
        """To where a split leads, with the host and the target that the application is to see."""
        head = exchange.stream.head
        head.blocks = self._forwarding(head)
        if split.extras is not None and self._serves(exchange, split, split.extras):
            return
        if split.block is not None:
            _apply_split(head, split)
            head.blocks = (*head.blocks, split.block)
        head.authority = host
        if target is not None:
            head.target = target
        sessions = split.target.sessions
        if sessions is None:
            exchange.send_to(split.target)
        else:
            session = sessions.of(head, is_secure=self._is_secure(head))
            exchange.send_to(split.target, session)

    def _serves(self, exchange: Exchange, split: Split[Backend], extras: Extras) -> bool:
        """What a Service asks for by annotations, instead of what its pods would answer."""
        head, backend = exchange.stream.head, split.target
        if extras.later is not None:
            asked = head.authority
            is_later = extras.is_for_later(head)
            broker = self._gateway.plain_service(*BROKER, port=HTTP_PORT) if is_later else None
            if broker is not None:
                send_later(head, extras, asked)
                exchange.send_to(broker)
                return True
            if self._looks_up(exchange):
                return True
        if not extras.is_for_page(head) or not backend.is_awaited:
            return False
        throttler = backend.throttler
        if waitingpage.asks(head):
            pods, ready = len(throttler.pods), len(throttler.ready)
            exchange.answer_for(backend, waitingpage.progress(pods=pods, ready=ready))
            return True
        if throttler.ready:
            return False
        exchange.answer_for(backend, waitingpage.page())
        return True

    def _looks_up(self, exchange: Exchange) -> bool:
        """Whether a request asks for the result of one that is answered later: the broker knows."""
        head = exchange.stream.head
        if not head.target.startswith(RESULTS) or not look_up(head):
            return False
        broker = self._gateway.plain_service(*BROKER, port=HTTP_PORT)
        if broker is None:
            exchange.fail(failures.NO_ROUTE)
        else:
            exchange.send_to(broker)
        return True

    def _find_further(
        self, head: RequestHead, routes: HostRoutes[Backend] | None
    ) -> Route[Backend] | None:
        """The route of a request whose host is of the add-on, or any."""
        fields = head.fields if head.taken is None else fields_of(head)
        route = routes.find(head.target, fields) if routes is not None else None
        if route is None:
            table = self._gateway.table
            for each in (table.internal if self._internal else table.external).further(
                head.authority
            ):
                route = each.find(head.target, fields)
                if route is not None:
                    break
        return route

    def _visit(self, exchange: RoutedExchange, route: Route[Backend] | None) -> None:
        """A route of the add-on, or one that stands behind its routes."""
        if route is None:
            exchange.fail(failures.NO_ROUTE)
            return
        backend = route.splits[0].target
        policy = backend.policy
        if policy is None:
            self._follow(exchange, route)
        else:
            head = exchange.stream.head
            head.blocks = self._forwarding(head)
            exchange.visit(backend, policy)

    def _is_secure(self, head: RequestHead) -> bool:
        """Whether the client speaks TLS, to us or to a proxy in front of us."""
        scheme = self._peer.scheme
        if head.taken is not None and self._gateway.settings.trusts_forwarded:
            scheme = head.taken.get(FORWARDED_PROTO, scheme)
        return scheme == b"https"

    def _forwarding(self, head: RequestHead) -> tuple[FieldBlock, ...]:
        """The fields that tell who has asked for what; before its host is rewritten."""
        if head.taken is not None and self._gateway.settings.trusts_forwarded:
            return (extended_block(self._peer, head.authority, head.taken),)
        return self._blocks

    def _follow(self, exchange: Exchange, route: Route[Backend]) -> None:
        """A route with conditions, several splits, a rewrite or a redirect."""
        gateway, head = self._gateway, exchange.stream.head
        if route.redirect and not self._has_come_by_tls(head):
            _redirect(exchange, gateway.secure_port)
            return
        host = head.authority
        split = self._choose(route, head)
        shown = split.original_host
        if shown.startswith(b"*"):
            # A wildcard: the name that was asked for.
            shown = normalize_host(host)
        target = head.target
        if route.rewrite_path is not None:
            target = rewritten(target, route.prefix, route.rewrite_path)
        for _ in range(_MAX_REWRITES):
            if not route.rewrite_host:
                break
            host = route.rewrite_host
            onward = gateway.table.internal.find(host)
            inner = onward.find(target, head.fields) if onward is not None else None
            if inner is None:
                # The rewritten host is the Service's own business.
                break
            _apply_split(head, split)
            route, split = inner, self._choose(inner, head)
        # As Knative's queue-proxy does: a rewrite on the way to a revision is hidden from it.
        self._send(exchange, split, shown if shown and split.target.can_wake else host, target)

    def _choose(self, route: Route[Backend], head: RequestHead) -> Split[Backend]:
        """By chance; a session stays with its revision while that gets any requests at all."""
        gateway = self._gateway
        if not gateway.has_sessions:
            return route.choose(gateway.roll())
        before, roll = 0.0, None
        for split in route.splits:
            sessions = split.target.sessions
            if sessions is not None and split.upto > before:
                if sessions.has(head):
                    return split
                roll = sessions.roll(head) if roll is None else roll
            before = split.upto
        return route.choose(gateway.roll() if roll is None else roll)

    def _has_come_by_tls(self, head: RequestHead) -> bool:
        """Whether a proxy in front, whose word is taken, has ended TLS."""
        if head.taken is None or not self._gateway.settings.trusts_forwarded:
            return False
        return head.taken.get(FORWARDED_PROTO, b"").lower() == b"https"

    # -- hosts without a route ----------------------------------------------------------------

    def _dispatch_unrouted(self, exchange: Exchange, host: bytes) -> None:
        head = exchange.stream.head
        if not is_host(host):
            exchange.fail(BAD_REQUEST)
            return
        if self._internal and self._dispatch_internal(exchange, host):
            return
        if head.target == HEALTH_PATH and head.method in (b"GET", b"HEAD"):
            is_ready = self._gateway.is_ready
            exchange.answer(text_answer(200, "ok") if is_ready else text_answer(503, "not ready"))
            return
        if isinstance(exchange, RoutedExchange):
            self._visit(exchange, self._find_further(head, None))
            return
        exchange.fail(failures.UNKNOWN_HOST)

    def _dispatch_internal(self, exchange: Exchange, host: bytes) -> bool:
        """To a plain Service, or, as a proxy for pods, to a host outside."""
        head = exchange.stream.head
        named = service_host(host, self._gateway.cluster_domain)
        if named is None and head.taken is not None and PROXY_AUTHORIZATION in head.taken:
            named = near_host(host, asking_namespace(head.taken[PROXY_AUTHORIZATION]))
        backend = self._gateway.plain_service(*named, port=_port(host)) if named else None
        if backend is not None:
            head.blocks = self._forwarding(head)
            exchange.send_to(backend)
            return True
        if not head.is_absolute or is_cluster_local(host, self._gateway.cluster_domain):
            return False
        self._forward(exchange, host)
        return True

    def _forward(self, exchange: Exchange, host: bytes) -> None:
        """Plain HTTP to anywhere: what a pod's http_proxy asks for when the host is not ours."""
        name = host.rpartition(b":")[0] if _has_port(host) else host
        try:
            address = (name.strip(b"[]").decode("ascii"), _port(host))
        except UnicodeDecodeError:
            exchange.fail(BAD_REQUEST)
            return
        self._gateway.forwarded_requests += 1
        exchange.send_direct(Pod.once(address), DEFAULT_TIMEOUT_SECONDS)

    # -- answers of the gateway ---------------------------------------------------------------

    def _answer_probe(self, exchange: Exchange, kind: bytes, sent_hash: bytes) -> None:
        """Knative's network probes are the gateway's to answer; no application sees them."""
        if kind == b"activator":
            exchange.answer(text_answer(200, "activator"))
        elif kind != b"probe":
            shown = kind.decode("latin-1")
            exchange.answer(text_answer(400, f'unexpected probe header value: "{shown}"'))
        elif not sent_hash:
            text = "a probe request must contain a non-empty 'K-Network-Hash' header"
            exchange.answer(text_answer(400, text))
        else:
            self._answer_hash(exchange, sent_hash)

    def _answer_hash(self, exchange: Exchange, sent_hash: bytes) -> None:
        if sent_hash != _HASH_WANTED:
            exchange.answer(text_answer(200, "", ((PROBE_HASH, sent_hash),)))
            return
        if self._routes is None:
            exchange.fail(failures.UNKNOWN_HOST)
        else:
            exchange.answer(text_answer(200, "", ((PROBE_HASH, self._routes.hash),)))


def _is_usual(split: Split[Backend]) -> bool:
    return split.block is None and split.target.sessions is None and split.extras is None


def _apply_split(head: RequestHead, split: Split[Backend]) -> None:
    """A field that a split appends replaces the client's own of that name."""
    if any(find_field(head.fields, name) is not None for name in split.names):
        head.fields = without_fields(head.fields, split.names)


def _redirect(exchange: Exchange, port: int) -> None:
    """To the same address over HTTPS. A 301 would turn other methods into GET, a 308 does not."""
    head = exchange.stream.head
    host = head.authority.partition(b":")[0]
    if port != HTTPS_PORT:
        host = b"%b:%d" % (host, port)
    status = 301 if head.method in (b"GET", b"HEAD") else 308
    exchange.answer(text_answer(status, "", ((b"location", b"https://" + host + head.target),)))


def _has_port(host: bytes) -> bool:
    return b":" in host and not host.endswith(b"]")


def _port(host: bytes) -> int:
    digits = host.rpartition(b":")[2] if _has_port(host) else b""
    return int(digits) if digits.isdigit() and int(digits) < 65536 else HTTP_PORT

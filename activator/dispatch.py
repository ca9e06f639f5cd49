"""Where a request goes: the route table's answer turned into the next step of an exchange.

Called by the client connection when a request's turn has come. Answers without an application
(probes, health, redirects, refusals) end here.
"""

from __future__ import annotations

from activator import failures
from activator.backends import Backend
from activator.exchange import Exchange
from activator.failures import plain_response
from activator.forwarding import apply_split, request_head
from activator.pods import Pod
from activator.revisions import DEFAULT_TIMEOUT_SECONDS
from activator.routes import Route, Split, is_cluster_local, is_host, service_host

HTTP_PORT = 80
HEALTH_PATH = b"/healthz"
# Rewrites lead from one internal host to another; a circle must end.
_LONGEST_REWRITE = 4


def dispatch(exchange: Exchange, *, internal: bool) -> None:
    """Send the request to its backend, or answer it."""
    head = exchange.head
    if head.probe is not None:
        _answer_probe(exchange)
        return
    routes = exchange.client.find_routes(head.host)
    if routes is None:
        _dispatch_unrouted(exchange, internal=internal)
        return
    split = routes.only
    if split is not None:
        _send(exchange, split, head.host)
    else:
        route = routes.find(head.target, head.lines)
        if route is None:
            exchange.fail(failures.NO_ROUTE)
        else:
            _follow(exchange, route)


def _follow(exchange: Exchange, route: Route[Backend]) -> None:
    """A route with conditions, several splits, a rewrite or a redirect."""
    if route.redirect:
        _redirect(exchange)
        return
    gateway, head = exchange.gateway, exchange.head
    host = head.host
    split = route.choose(gateway.roll())
    shown = split.original_host
    for _ in range(_LONGEST_REWRITE):
        if not route.rewrite_host:
            break
        host = route.rewrite_host
        onward = gateway.table.internal.find(host)
        inner = onward.find(head.target, head.lines) if onward is not None else None
        if inner is None:
            # The rewritten host is the Service's own business.
            break
        apply_split(head, split)
        route, split = inner, inner.choose(gateway.roll())
    # As Knative's queue-proxy does: a rewrite on the way to a revision is hidden from it.
    _send(exchange, split, shown if shown and split.target.is_revision else host)


def _send(exchange: Exchange, split: Split[Backend], host: bytes) -> None:
    head = exchange.head
    if split.names:
        apply_split(head, split)
    forwarding = exchange.client.forwarding_lines(head)
    exchange.send_to(split.target, request_head(head, host, forwarding, split.lines))


def _redirect(exchange: Exchange) -> None:
    """To the same address over HTTPS. A 301 would turn other methods into GET, a 308 does not."""
    head = exchange.head
    host = head.host.partition(b":")[0]
    status = 301 if head.method in (b"GET", b"HEAD") else 308
    location = b"location: https://%b%b\r\n" % (host, head.target)
    exchange.client.answer(exchange, plain_response(status, extra=location))


def _dispatch_unrouted(exchange: Exchange, *, internal: bool) -> None:
    head = exchange.head
    host = head.host
    if not is_host(host):
        exchange.fail(failures.BAD_REQUEST)
        return
    if internal:
        backend = _plain_service(exchange, host)
        if backend is not None:
            forwarding = exchange.client.forwarding_lines(head)
            exchange.send_to(backend, request_head(head, host, forwarding))
            return
        if head.is_absolute and not is_cluster_local(host):
            _forward(exchange, host)
            return
    if head.target == HEALTH_PATH and head.method in (b"GET", b"HEAD"):
        _answer_health(exchange)
        return
    exchange.fail(failures.UNKNOWN_HOST)


def _plain_service(exchange: Exchange, host: bytes) -> Backend | None:
    found = service_host(host)
    if found is None:
        return None
    return exchange.gateway.plain_service(*found, port=_port(host))


def _forward(exchange: Exchange, host: bytes) -> None:
    """Plain HTTP to anywhere: what a pod's http_proxy asks for when the host is not ours."""
    name, port = host.rpartition(b":")[0] if _has_port(host) else host, _port(host)
    try:
        address = (name.strip(b"[]").decode("ascii"), port)
    except UnicodeDecodeError:
        exchange.fail(failures.BAD_REQUEST)
        return
    exchange.gateway.forwarded_requests += 1
    request = request_head(exchange.head, host, b"")
    exchange.send_direct(Pod(address), request, DEFAULT_TIMEOUT_SECONDS)


def _has_port(host: bytes) -> bool:
    return b":" in host and not host.endswith(b"]")


def _port(host: bytes) -> int:
    digits = host.rpartition(b":")[2] if _has_port(host) else b""
    return int(digits) if digits.isdigit() and int(digits) < 65536 else HTTP_PORT


def _answer_probe(exchange: Exchange) -> None:
    """Knative's network probes are the gateway's to answer; the application never sees them."""
    head = exchange.head
    if head.probe == b"activator":
        response = plain_response(200, "activator")
    elif head.probe == b"probe":
        if head.probe_hash:
            response = plain_response(200, extra=b"k-network-hash: %b\r\n" % head.probe_hash)
        else:
            response = plain_response(
                400, "a probe request must contain a non-empty 'K-Network-Hash' header"
            )
    else:
        shown = (head.probe or b"").decode("latin-1")
        response = plain_response(400, f'unexpected probe header value: "{shown}"')
    exchange.client.answer(exchange, response)


def _answer_health(exchange: Exchange) -> None:
    gateway = exchange.gateway
    if gateway.ready and not gateway.draining:
        exchange.client.answer(exchange, plain_response(200, "ok"))
    else:
        exchange.client.answer(exchange, plain_response(503, "not ready"))

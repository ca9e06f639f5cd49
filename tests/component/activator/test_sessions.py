"""Sticky sessions over real sockets: cookies that come back, headers, splits, limits, TLS."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from activator.targets import TargetSpec
from serving.api.affinity import parse_affinity

HOST = "shop.test"


async def some_pods(lab: Any, count: int, affinity: str, **spec: Any) -> tuple[Any, list[Any]]:
    apps = [await an_app(lab, f"pod-{number}") for number in range(count)]
    return lab.revision("shop", *apps, affinity=parse_affinity(affinity), **spec), apps


async def an_app(lab: Any, name: str) -> Any:
    return await lab.app(lambda request: lab.text(name))


def cookie_of(response: Any) -> str:
    return str(response.header("set-cookie") or "").partition(";")[0]


async def test_a_session_stays_with_its_pod_on_any_connection(lab: Any) -> None:
    await some_pods(lab, 5, "cookie")
    first = await lab.get(HOST)
    cookie = cookie_of(first)
    assert cookie.startswith("hearth-session=")
    assert first.header("set-cookie") == f"{cookie}; Path=/; HttpOnly; SameSite=Lax"
    for _ in range(10):
        response = await lab.get(HOST, "/", f"Cookie: theme=dark; {cookie}")
        assert (response.body, response.header("set-cookie")) == (first.body, None)


async def test_on_one_connection_each_request_has_its_own_session(lab: Any) -> None:
    """Responses that are alike are not parsed again, and must not share what is added to them."""
    await some_pods(lab, 1, "cookie")
    client = await lab.connect()
    first = await client.get(HOST)
    known = await client.get(HOST, "/", f"Cookie: {cookie_of(first)}")
    again = await client.get(HOST)
    assert known.header("set-cookie") is None
    assert cookie_of(again) == cookie_of(first)


async def test_without_the_annotation_nothing_is_set(lab: Any) -> None:
    lab.revision("shop", await lab.app())
    assert (await lab.get(HOST)).header("set-cookie") is None


async def test_a_connection_hears_of_sessions_that_come_and_go(lab: Any) -> None:
    backend = lab.revision("shop", await lab.app())
    client = await lab.connect()
    assert (await client.get(HOST)).header("set-cookie") is None
    backend.configure(TargetSpec("default", "shop", affinity=parse_affinity("cookie:id")))
    assert cookie_of(await client.get(HOST)).startswith("id=")
    backend.configure(TargetSpec("default", "shop"))
    assert (await client.get(HOST)).header("set-cookie") is None


async def test_a_session_moves_when_its_pod_ends(lab: Any) -> None:
    backend, apps = await some_pods(lab, 3, "cookie")
    first = await lab.get(HOST)
    gone = int(first.body.removeprefix(b"pod-"))
    lab.endpoints(backend, {app.port: lab.State.READY for n, app in enumerate(apps) if n != gone})
    moved = await lab.get(HOST, "/", f"Cookie: {cookie_of(first)}")
    assert moved.body != first.body
    assert cookie_of(moved) not in ("", cookie_of(first))
    assert backend.sessions.counts == {"begun": 1, "kept": 0, "moved": 1, "elsewhere": 0}


async def test_equal_headers_go_to_one_pod(lab: Any) -> None:
    await some_pods(lab, 4, "header:X-User")
    answers = {
        user: {(await lab.get(HOST, "/", f"x-user: {user}")).body for _ in range(5)}
        for user in range(12)
    }
    assert all(len(bodies) == 1 for bodies in answers.values())
    assert len({next(iter(bodies)) for bodies in answers.values()}) > 1
    assert (await lab.get(HOST, "/", "x-user: 1")).header("set-cookie") is None


async def test_a_full_pod_is_passed_over_and_limits_hold(lab: Any) -> None:
    held = asyncio.Event()

    async def answer(request: Any) -> bytes:
        await held.wait()
        return bytes(lab.text("done"))

    apps = [await lab.app(answer) for _ in range(2)]
    affinity = parse_affinity("header:x-user")
    backend = lab.revision("shop", *apps, affinity=affinity, container_concurrency=1)
    clients = [await lab.connect() for _ in range(3)]
    for client in clients:
        await client.send(lab.get_bytes(HOST, "/", "x-user: me"))
    await lab.until(lambda: backend.throttler.waiting == 1)
    assert [pod.in_flight for pod in backend.throttler.ready] == [1, 1]
    held.set()
    for client in clients:
        assert (await client.response()).body == b"done"
    assert backend.throttler.waiting == 0


@pytest.mark.parametrize("affinity", ["cookie", "header:x-user"])
async def test_a_session_stays_with_its_revision(lab: Any, affinity: str) -> None:
    for name in ("blue", "green"):
        lab.revision(name, await an_app(lab, name), affinity=parse_affinity(affinity))
    lab.ingress("split", lab.rule("split.test", {"blue": 50, "green": 50}))
    seen = set()
    for user in range(12):
        first = await lab.get("split.test", "/", f"x-user: {user}")
        lines = (f"x-user: {user}", f"Cookie: {cookie_of(first)}")
        bodies = {(await lab.get("split.test", "/", *lines)).body for _ in range(6)}
        assert bodies == {first.body}
        seen.add(first.body)
    assert seen == {b"blue", b"green"}
    # Nothing goes to a revision that is to get nothing.
    lab.ingress("split", lab.rule("split.test", {"blue": 0, "green": 100}))
    for user in range(6):
        assert (await lab.get("split.test", "/", f"x-user: {user}")).body == b"green"


async def test_a_session_stays_with_its_revision_when_its_pod_is_another(lab: Any) -> None:
    affinity = parse_affinity("cookie")
    for name in ("blue", "green"):
        lab.revision(name, await an_app(lab, name), affinity=affinity)
    lab.ingress("split", lab.rule("split.test", {"blue": 99, "green": 1}))
    while (first := await lab.get("split.test", "/")).body != b"green":
        pass
    lab.revision("green", await an_app(lab, "green, again"), affinity=affinity)
    for _ in range(20):
        answer = await lab.get("split.test", "/", f"Cookie: {cookie_of(first)}")
        assert answer.body == b"green, again"


async def test_headers_move_with_a_growing_share_and_never_back(lab: Any) -> None:
    for name in ("blue", "green"):
        lab.revision(name, await an_app(lab, name), affinity=parse_affinity("header:x-user"))
    moved: set[int] = set()
    for share in (10, 40, 70, 100):
        lab.ingress("split", lab.rule("split.test", {"blue": 100 - share, "green": share}))
        bodies = [(await lab.get("split.test", "/", f"x-user: {user}")).body for user in range(30)]
        green = {user for user, body in enumerate(bodies) if body == b"green"}
        assert moved <= green
        moved = green
    assert len(moved) == 30


async def test_a_cookie_that_came_over_tls_says_so(lab: Any) -> None:
    await some_pods(lab, 1, "cookie")
    response = await lab.get(HOST, "/", "X-Forwarded-Proto: https")
    assert response.header("set-cookie").endswith("; Secure")


async def test_a_cold_session_gets_its_cookie_with_its_phases(lab: Any) -> None:
    backend = lab.revision("shop", affinity=parse_affinity("cookie"))
    client = await lab.connect()
    await client.send(lab.get_bytes(HOST))
    await lab.until(lambda: backend.throttler.waiting == 1)
    lab.endpoints(backend, {(await lab.app()).port: lab.State.READY})
    response = await client.response()
    assert response.status == 200
    assert cookie_of(response) and response.header("server-timing")

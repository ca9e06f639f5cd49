"""What service accounts may do: asked in the background, kept for a while."""

from __future__ import annotations

import asyncio
from typing import Any

from eventing.kinds import permissions
from eventing.kinds.permissions import Access, Permissions, Question
from hearth.kube.errors import Unavailable
from hearth.kube.manager import Manager
from hearth.kube.testing import FakeClient

READ, WATCH = Access("get", "", "pods", "ns"), Access("watch", "apps", "deployments", "ns")
QUESTION = Question("system:serviceaccount:ns:who", (READ, WATCH))
KEY = "ns", "a"


class Reviewing(FakeClient):
    """An API server that allows some verbs, once it answers."""

    def __init__(self, *allowed: str, failures: int = 0) -> None:
        super().__init__()
        self.allowed = set(allowed)
        self.failures = failures
        self.asked: list[Any] = []

    async def request(self, method: str, path: str, **more: Any) -> Any:
        assert (method, path) == ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews")
        if self.failures:
            self.failures -= 1
            raise Unavailable({"message": "later", "code": 503})
        spec = more["body"]["spec"]
        self.asked.append(spec)
        return {"status": {"allowed": spec["resourceAttributes"]["verb"] in self.allowed}}


async def asking(client: Reviewing, *times: Any) -> list[Any]:
    """What is answered to a key that looks as often as it is told to."""
    manager = Manager(client, name="tests")
    answers: list[Any] = []
    done = asyncio.Event()
    asked = Permissions(manager)

    async def look(key: Any) -> None:
        answers.append(asked.missing(QUESTION, "looks", key))
        if answers[-1] is not None:
            done.set()

    manager.add_controller("looks", look)
    running = asyncio.create_task(manager.run())
    await asyncio.sleep(0)
    manager.enqueue("looks", KEY)
    async with asyncio.timeout(60):
        await done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return answers


async def test_who_looks_is_told_to_look_again_once_it_is_known() -> None:
    client = Reviewing("get")
    assert await asking(client) == [None, [WATCH]]
    assert client.asked[0] == {
        "user": "system:serviceaccount:ns:who",
        "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "ns"},
    }
    assert client.asked[1]["resourceAttributes"]["group"] == "apps"


async def test_where_all_is_allowed_nothing_is_missing() -> None:
    assert await asking(Reviewing("get", "watch")) == [None, []]


async def test_an_api_server_that_fails_is_asked_again(monkeypatch: Any) -> None:
    monkeypatch.setattr(permissions, "_AGAIN_SECONDS", 0.01)
    assert await asking(Reviewing("get", "watch", failures=1)) == [None, None, []]


async def test_an_answer_is_kept_for_a_while(monkeypatch: Any) -> None:
    client = Reviewing("get", "watch")
    manager = Manager(client, name="tests")
    running = asyncio.create_task(manager.run())
    await asyncio.sleep(0)
    asked = Permissions(manager)
    manager.add_controller("looks", lambda key: asyncio.sleep(0))
    async with asyncio.timeout(60):
        while asked.missing(QUESTION, "looks", KEY) is None:
            await asyncio.sleep(0)
    before = len(client.asked)
    assert asked.missing(QUESTION, "looks", KEY) == []
    await asyncio.sleep(0)
    assert len(client.asked) == before
    monkeypatch.setattr(permissions, "_KEPT_SECONDS", -1.0)
    client.allowed.clear()
    assert asked.missing(QUESTION, "looks", KEY) == [], "what was known holds meanwhile"
    async with asyncio.timeout(60):
        while asked.missing(QUESTION, "looks", KEY) == []:
            await asyncio.sleep(0)
    # What is missing may be granted soon: it is not kept as long.
    monkeypatch.setattr(permissions, "_KEPT_SECONDS", 3600.0)
    monkeypatch.setattr(permissions, "_AGAIN_SECONDS", -1.0)
    client.allowed |= {"get", "watch"}
    async with asyncio.timeout(60):
        while asked.missing(QUESTION, "looks", KEY):
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

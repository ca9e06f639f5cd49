"""Questions by those who show a token of their own: what the API server says they may, they may."""

import contextlib

import pytest
from aiohttp import ClientSession, web

from eventing.runtime.admin.askers import Asked, Askers, Unknown
from eventing.runtime.admin.seeking import NotThere
from eventing.runtime.admin.server import Admin
from eventing.runtime.places import BROKER, CHANNEL, Place
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.tokens import Tokens

A, B = Place(BROKER, "a", "default"), Place(BROKER, "b", "default")
C = Place(CHANNEL, "b", "c")
USER = {"username": "ann", "uid": "7", "groups": ["team"], "extra": {"scopes": ["x"]}}
READS, CHANGES = ("brokers", "get"), ("triggers", "update")


class Reviews:
    """An API server that knows one token, and what its owner may: (resource, verb, namespace)."""

    def __init__(self, *rights):
        self.rights = set(rights)
        self.tokens = 0
        self.asked = []

    async def tokens_of(self, request):
        self.tokens += 1
        body = await request.json()
        known = body["spec"]["token"] == "hers"
        status = {"authenticated": True, "user": USER} if known else {"authenticated": False}
        return web.json_response({**body, "status": status}, status=201)

    async def access_of(self, request):
        spec = (await request.json())["spec"]
        about = spec.pop("resourceAttributes")
        assert spec == {"user": "ann", "uid": "7", "groups": ["team"], "extra": {"scopes": ["x"]}}
        asked = about["resource"], about["verb"], about.get("namespace", "")
        self.asked.append(asked)
        return web.json_response({"status": {"allowed": asked in self.rights}}, status=201)

    @contextlib.asynccontextmanager
    async def client(self):
        app = web.Application()
        app.router.add_post("/apis/authentication.k8s.io/v1/tokenreviews", self.tokens_of)
        app.router.add_post("/apis/authorization.k8s.io/v1/subjectaccessreviews", self.access_of)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with KubeClient(Access(url)) as client:
                yield client
        finally:
            await runner.cleanup()


async def may(client, *, changes=False, token="hers"):
    found = await Askers(client).may(token, [A, B, C], changes=changes)
    return [found(each) for each in (A, B, C)]


@pytest.mark.parametrize(
    ("rights", "changes", "answers"),
    [
        ([], False, [False, False, False]),
        ([(*READS, "a")], False, [True, False, False]),
        ([(*READS, "a"), (*CHANGES, "b")], True, [False, True, False]),
        ([("channels", "get", "b")], False, [False, False, True]),
        ([("subscriptions", "update", "b")], True, [False, False, True]),
        ([(*READS, "")], False, [True, True, False]),
        ([(*READS, ""), ("channels", "get", "")], False, [True, True, True]),
    ],
)
async def test_rights_are_those_that_the_api_server_tells(rights, changes, answers):
    async with Reviews(*rights).client() as client:
        assert await may(client, changes=changes) == answers


async def test_whose_token_nobody_knows_may_nothing():
    async with Reviews((*READS, "")).client() as client:
        with pytest.raises(Unknown):
            await may(client, token="another")


async def test_an_answer_counts_for_a_while():
    reviews, now = Reviews((*READS, "a")), [100.0]
    async with reviews.client() as client:
        askers = Askers(client, clock=lambda: now[0])
        for _ in range(3):
            assert (await askers.may("hers", [A], changes=False))(A)
        assert (reviews.tokens, len(reviews.asked)) == (1, 2)
        reviews.rights.clear()
        now[0] += 31
        assert not (await askers.may("hers", [A], changes=False))(A)
        assert (reviews.tokens, len(reviews.asked)) == (2, 4)


async def test_an_api_server_that_is_gone_lets_nobody_ask():
    async with KubeClient(Access("http://127.0.0.1:1")) as client:
        with pytest.raises(ApiError):
            await may(client)


def test_what_is_asked_of_the_api_server():
    review = Asked.of(C, changes=False).review({"username": "ann"})
    assert review["spec"] == {
        "user": "ann",
        "resourceAttributes": {
            "group": "messaging.knative.dev",
            "resource": "channels",
            "verb": "get",
            "namespace": "b",
        },
    }


class Known:
    """Questions of which only what is limited is looked at."""

    def __init__(self, may=lambda place: True):
        self._may = may

    def places(self):
        return [A, B, C]

    def limited(self, may):
        return Known(may)

    async def newest(self, place, limit):
        if not self._may(place):
            raise NotThere("there is none")
        return {"events": [], "of": str(place)}

    async def redrive(self, label, event_id, *, gives_up):
        return {"of": [str(each) for each in self.places() if self._may(each)]}


@contextlib.asynccontextmanager
async def admin(askers):
    server = Admin(Known(), tokens=Tokens("the admin's"), askers=askers)  # type: ignore[arg-type]
    port = await server.start("127.0.0.1", 0)
    async with ClientSession() as session:

        async def ask(path, token, method="GET"):
            url = f"http://127.0.0.1:{port}{path}"
            shown = {"X-Hearth-Token": token} if token else {}
            async with session.request(method, url, headers=shown) as answer:
                return answer.status, await answer.json()

        yield ask
    await server.stop()


async def test_each_is_told_what_he_may_know():
    reviews = Reviews((*READS, "a"), (*CHANGES, "b"))
    async with reviews.client() as client, admin(Askers(client)) as ask:
        assert (await ask("/events?broker=a/default", "hers"))[0] == 200
        status, told = await ask("/events?broker=b/default", "hers")
        assert (status, told["message"]) == (404, "there is none")
        status, told = await ask("/redrive", "hers", "POST")
        assert (status, told["of"]) == (200, [str(B)])
        assert (await ask("/events?broker=b/default", "the admin's"))[0] == 200
        assert (await ask("/events?broker=a/default", "another"))[0] == 403
        assert (await ask("/events?broker=a/default", None))[0] == 403


async def test_on_one_machine_only_the_admin_is_answered():
    async with admin(None) as ask:
        assert (await ask("/events?broker=a/default", "hers"))[0] == 403
        assert (await ask("/events?broker=a/default", "the admin's"))[0] == 200

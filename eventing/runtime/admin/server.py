"""The listener of the admin interface: who may ask, and questions as requests.

==========================  ========================================================================
request                     answer (JSON)
==========================  ========================================================================
``GET /events``             the newest events of a log (``broker`` or ``channel``, ``limit``), or
                            those since (``since``, ``seen``, ``wait`` seconds)
``GET /trace?id=``          the journeys of an event and of what answered it
``GET /failures``           events that subscribers did not take (``broker`` or ``channel``)
``GET /graph?since=10m``    what flowed where
``POST /replay``            delivers events once more to a ``trigger`` or ``subscription``, ``from``
                            somewhere on, ``most`` of them; ``dryRun`` counts only
``POST /seek``              moves the position of a ``trigger`` or ``subscription`` itself, ``from``
                            somewhere on (or ``latest``); ``dryRun`` counts only
``GET /replays``            how far replays are, or the one with this ``id``
``GET /lag``                how far subscriptions are behind (``broker`` or ``channel``, or all)
``POST /copy``              copies the log of a ``broker`` ``to`` the engine of another class, goes
                            on with what comes; ``dryRun`` only says how much that is
``GET /copy``               how far the copy of a ``broker`` is
``POST /redrive``           delivers held events anew (all, of a ``trigger``, with an ``id``), or
                            with ``discard`` gives them up
==========================  ========================================================================

Whoever asks shows the token in ``X-Hearth-Token``: the API server, which passes requests on to a
pod, keeps ``Authorization`` for itself. In a cluster others show their own token of the API server,
and are answered about what they may see there (``askers``). What is wrong is told as Kubernetes
tells it, by a Status.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

import orjson

from activator.http.events import Handler, Peer, Refusal, RequestHead, ResponseHead, ServerStream
from activator.http.timers import Timers
from eventing.engines.seam import Refused, Unavailable
from eventing.runtime.admin.askers import Askers, Unknown
from eventing.runtime.admin.begin import seconds_of
from eventing.runtime.admin.following import Since
from eventing.runtime.admin.questions import Questions
from eventing.runtime.admin.seeking import NotThere
from eventing.runtime.admin.shapes import Json
from eventing.runtime.config import KIB, IngressLimits
from eventing.runtime.places import BROKER, CHANNEL, Place, of_one_name
from eventing.runtime.wholerequests import ANSWERED, WholeRequest, server_of
from hearth.kube.errors import ApiError
from hearth.kube.tokens import Tokens

log = logging.getLogger(__name__)

TOKEN_FIELD = b"x-hearth-token"
_LIMITS = IngressLimits(event_bytes=64 * KIB, pipelined=4, request_seconds=10.0)
_MOST_EVENTS = 10_000
_ALL = 2**40
_LONGEST_WAIT_SECONDS = 30.0

Query = Mapping[str, str]
Ask = Callable[[Questions, Query], Awaitable[Json]]


class Admin:
    """Answers those who know the token all, and others what they may know."""

    def __init__(
        self, questions: Questions, *, tokens: Tokens, askers: Askers | None = None
    ) -> None:
        """``askers`` tells what those may ask who show another token; None answers none of them."""
        self.limits = _LIMITS
        self.timers = Timers()
        self._questions = questions
        self._tokens = tokens
        self._askers = askers
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = server_of(self.timers, _LIMITS, refuse=_refuse)
        self._routes: Mapping[tuple[bytes, str], Ask] = {
            (b"GET", "/events"): self._events,
            (b"GET", "/trace"): self._trace,
            (b"GET", "/failures"): self._failures,
            (b"GET", "/graph"): self._graph,
            (b"GET", "/replays"): self._replays,
            (b"POST", "/replay"): self._replay,
            (b"POST", "/redrive"): self._redrive,
            (b"POST", "/seek"): self._seek,
            (b"GET", "/lag"): self._lag,
            (b"GET", "/copy"): self._copied,
            (b"POST", "/copy"): self._copy,
        }

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port."""
        _, port = await self._server.listen(host, port, self._session)
        return port

    async def stop(self) -> None:
        """Listen no more; whoever waits for an answer waits in vain."""
        for task in list(self._tasks):
            task.cancel()
        await self._server.drain(0.0)

    def _session(self, _peer: Peer) -> Admin:
        return self

    # -- requests ----------------------------------------------------------------------------------

    def request(self, stream: ServerStream) -> Handler:
        """Take a request whose head has come."""
        given = _token_of(stream.head)
        if self._is_ours(given) or (given and self._askers is not None):
            return WholeRequest(self, stream)
        # Not 401: a client of the API server would think of its own credentials.
        stream.send_head(failed(403, "only those who show its token are answered"), True)
        return ANSWERED

    def _is_ours(self, given: bytes) -> bool:
        return self._tokens.accepts(given)

    async def _questions_of(self, head: RequestHead) -> Questions:
        """Return all there is to ask, or what may be asked by whoever shows another token."""
        given = _token_of(head)
        if self._askers is None or self._is_ours(given):
            return self._questions
        changes = head.method != b"GET"
        token, places = given.decode("latin-1"), self._questions.places()
        return self._questions.limited(await self._askers.may(token, places, changes=changes))

    def receive(self, request: WholeRequest, body: bytes) -> None:
        """Answer a whole request in a task."""
        task = asyncio.create_task(self._answer(request, body), name="admin-request")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refuse_size(self, request: WholeRequest) -> None:
        """Answer a body that has grown too large."""
        request.answer(failed(413, "the request is too large"))

    def too_slow(self) -> ResponseHead:
        """Return the answer to a request that does not become whole."""
        return failed(408, "the request does not become whole", closes=True)

    async def _answer(self, request: WholeRequest, body: bytes) -> None:
        head = request.stream.head
        path, _, query = head.target.decode("latin-1").partition("?")
        ask = self._routes.get((head.method, path))
        if ask is None:
            request.answer(failed(404, f"there is no {path} to {head.method.decode('latin-1')}"))
            return
        try:
            given = dict(parse_qsl(query, keep_blank_values=True)) | _fields_of(body)
            found = await ask(await self._questions_of(head), given)
        except Unknown as error:
            request.answer(failed(403, str(error)))
        except ApiError as error:
            log.warning("nobody can tell who may ask", extra={"error": error.message})
            request.answer(failed(503, f"nobody can tell who may ask: {error.message}"))
        except NotThere as error:
            request.answer(failed(404, str(error)))
        except Unavailable as error:
            request.answer(failed(503, str(error)))
        except Refused as error:
            request.answer(failed(error.status, str(error)))
        except ValueError as error:
            request.answer(failed(400, str(error)))
        except Exception:
            log.exception("an admin request failed", extra={"path": path})
            request.answer(failed(500, "internal error: the broker's log has it"))
        else:
            request.answer(answer(200, found))

    # -- what there is to ask ----------------------------------------------------------------------

    async def _events(self, questions: Questions, query: Query) -> Json:
        place, limit = _place(query, questions), _number(query, "limit", 20, most=_MOST_EVENTS)
        if "since" not in query:
            return await questions.newest(place, limit)
        seen = frozenset(filter(None, query.get("seen", "").split(",")))
        since = Since(_number(query, "since", 0, most=2**63), seen)
        wait = min(float(_number(query, "wait", 0, most=3600)), _LONGEST_WAIT_SECONDS)
        return await questions.since(place, since, limit, wait)

    async def _trace(self, questions: Questions, query: Query) -> Json:
        if not query.get("id"):
            raise ValueError("which event? give its id")
        return await questions.trace(query["id"])

    async def _failures(self, questions: Questions, query: Query) -> Json:
        limit = _number(query, "limit", 20, most=_MOST_EVENTS)
        named = "broker" in query or "channel" in query
        return await questions.failures([_place(query, questions)] if named else None, limit)

    async def _graph(self, questions: Questions, query: Query) -> Json:
        return await questions.graph(seconds_of(query.get("since", "10m")))

    async def _replays(self, questions: Questions, query: Query) -> Json:
        return questions.replays(query.get("id"))

    async def _replay(self, questions: Questions, query: Query) -> Json:
        label = _label(query)
        if label is None or not query.get("from"):
            raise ValueError("replay to whom, and from where? give a trigger, and from")
        most = _number(query, "most", _ALL, most=_ALL)
        dry_run = _flag(query, "dryRun")
        return await questions.replay(label, query["from"], most=most, dry_run=dry_run)

    async def _seek(self, questions: Questions, query: Query) -> Json:
        label = _label(query)
        if label is None or not query.get("from"):
            raise ValueError("move what, and where to? give a trigger, and from")
        dry_run = _flag(query, "dryRun")
        return await questions.seek(label, query["from"], dry_run=dry_run)

    async def _lag(self, questions: Questions, query: Query) -> Json:
        named = "broker" in query or "channel" in query
        return await questions.lag([_place(query, questions)] if named else None)

    async def _copied(self, questions: Questions, query: Query) -> Json:
        return questions.copied(_place(query, questions))

    async def _copy(self, questions: Questions, query: Query) -> Json:
        if "broker" not in query or not query.get("to"):
            raise ValueError("copy what, and where to? give a broker, and to")
        return await questions.copy(
            _place(query, questions), query["to"], dry_run=_flag(query, "dryRun")
        )

    async def _redrive(self, questions: Questions, query: Query) -> Json:
        gives_up = _flag(query, "discard")
        return await questions.redrive(_label(query), query.get("id"), gives_up=gives_up)


def _token_of(head: RequestHead) -> bytes:
    return dict(head.fields).get(TOKEN_FIELD, b"")


def answer(status: int, told: Json, *, closes: bool = False) -> ResponseHead:
    """Return a whole answer of JSON."""
    fields = ((b"content-type", b"application/json"),)
    return ResponseHead.of(status, fields, orjson.dumps(told), closes=closes)


def failed(status: int, message: str, *, closes: bool = False) -> ResponseHead:
    """Return an answer that says what is wrong."""
    told = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return answer(status, {**told, "message": message, "code": status}, closes=closes)


def _refuse(refusal: Refusal) -> ResponseHead:
    return failed(refusal.status, refusal.text, closes=refusal.closes)


def _fields_of(body: bytes) -> dict[str, str]:
    """What a body says counts as if the query said it."""
    found = orjson.loads(body) if body else {}
    if not isinstance(found, dict):
        raise ValueError("the body is no JSON object")
    return {name: value if isinstance(value, str) else str(value) for name, value in found.items()}


def _place(query: Query, questions: Questions) -> Place:
    kind = CHANNEL if "channel" in query else BROKER
    namespace, slash, name = query.get(kind, "default/default").partition("/")
    if not (slash and namespace and name):
        raise ValueError(f"which {kind}? give NAMESPACE/NAME")
    place, places = Place(kind, namespace, name), questions.places()
    return next((each for each in of_one_name(place) if each in places), place)


def _label(query: Query) -> str | None:
    for kind in ("trigger", "subscription"):
        if kind in query:
            namespace, slash, name = query[kind].partition("/")
            if not (slash and namespace and name):
                raise ValueError(f"which {kind}? give NAMESPACE/NAME")
            return f"{kind} {namespace}/{name}"
    return None


def _flag(query: Query, name: str) -> bool:
    return query.get(name, "").lower() == "true"


def _number(query: Query, name: str, default: int, *, most: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or int(text) > most:
        raise ValueError(f"{name}={text}: a number from 0 to {most} is wanted")
    return int(text)

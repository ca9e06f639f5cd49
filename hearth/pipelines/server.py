"""What the component is asked: events by Triggers, jobs by the scripts of runs.

=======================================  ========================================================
``POST /events/NAMESPACE/PIPELINE``      an event: 202 once its run is stored, or was before
``POST /runs/NAMESPACE/RUN/jobs``        a script asks for a job; how that one is by now
``GET  /runs/NAMESPACE/RUN/jobs``        those of ``names`` that are over, within ``seconds``
``POST /runs/NAMESPACE/RUN/end``         how the script ended
=======================================  ========================================================

A script shows the token of its run, which nobody else knows.
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

from eventing.codec import CodecError, decode, encode_structured
from hearth.kube import meta
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.errors import AlreadyExists, ApiError, NotFound
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Event
from hearth.pipelines.answering import DEPTH, MOST_DEPTH, depth, source_of
from hearth.pipelines.api import keys
from hearth.pipelines.asking import Refusal, asked_job, asked_jobs, told_end
from hearth.pipelines.controller import PIPELINE_SOURCE, RUN_SOURCE, Control, noting
from hearth.pipelines.reading import ScriptError, read_script
from hearth.pipelines.sdk.matching import matches
from hearth.pipelines.views import Run, new_run
from hearth.timeouts import time_limit

_MOST_BYTES = keys.PAYLOAD_BYTES + 64 * 1024
_LONGEST_WAIT_SECONDS = 30.0
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers on a listener of its own."""

    def __init__(self, control: Control, *, clock: Clock = wall_clock) -> None:
        self._control = control
        self._manager = control.manager
        self._clock = clock

    @contextlib.asynccontextmanager
    async def serving(self, host: str, port: int) -> AsyncIterator[int]:
        """Listen for as long as the context lasts; gives the port."""
        app = web.Application(middlewares=[_told], client_max_size=_MOST_BYTES)
        app.router.add_post("/events/{namespace}/{name}", self._event)
        app.router.add_post("/runs/{namespace}/{name}/jobs", self._ask)
        app.router.add_get("/runs/{namespace}/{name}/jobs", self._wait)
        app.router.add_post("/runs/{namespace}/{name}/end", self._end)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()

    # -- events ----------------------------------------------------------------------------------

    async def _event(self, request: web.Request) -> web.Response:
        pipeline = self._manager.get(PIPELINE_SOURCE, *_key(request))
        if pipeline is None or meta.is_deleting(pipeline):
            raise Refusal("NoPipeline", "there is no such pipeline", 404)
        headers = [(name.lower(), value) for name, value in request.raw_headers]
        try:
            body = await request.read()
            found = decode(headers, body)
        except web.HTTPRequestEntityTooLarge:
            raise self._too_large(pipeline) from None
        except CodecError as error:
            raise Refusal("NoEvent", str(error), error.status) from error
        names = [await self._begin(pipeline, orjson.loads(encode_structured(e))) for e in found]
        return web.Response(status=202, headers={"Hearth-Run": ",".join(filter(None, names))})

    async def _begin(self, pipeline: Object, event: dict[str, Any]) -> str:
        """Return the name of the event's run, "" where none is begun."""
        if len(orjson.dumps(event)) > keys.PAYLOAD_BYTES:
            raise self._too_large(pipeline)
        if event["source"] == source_of(*meta.key(pipeline)) or depth(event) >= MOST_DEPTH:
            words = f"an event of {event['source']} begins no run: it would go round and round"
            self._say(pipeline, "EventLoop", f"{words} ({DEPTH} {depth(event)})")
            return ""
        script = await self._control.script_of(pipeline)
        if isinstance(script, ScriptError):
            raise Refusal(script.reason, str(script), 503)
        if pipeline["spec"].get("suspended") or not _is_for(script, event):
            return ""
        run = new_run(pipeline, script, event)
        try:
            made = await self._manager.client.create(keys.RUNS, run)
        except AlreadyExists:
            return meta.name(run)
        self._manager.cache(RUN_SOURCE).put(made)
        return meta.name(run)

    def _too_large(self, pipeline: Object) -> Refusal:
        text = (
            f"an event is at most {keys.PAYLOAD_BYTES} bytes with its attributes: "
            "put what is large where jobs can fetch it"
        )
        self._say(pipeline, "PayloadTooLarge", text)
        return Refusal("PayloadTooLarge", text, 413)

    def _say(self, pipeline: Object, reason: str, text: str) -> None:
        event = Event(pipeline, "Warning", reason, text)
        self._manager.events.record(event, self._manager.name)

    # -- scripts ---------------------------------------------------------------------------------

    def _run(self, request: web.Request) -> Object:
        run = self._manager.get(RUN_SOURCE, *_key(request))
        if run is None:
            raise Refusal("NoRun", "there is no such run", 404)
        wanted = f"Bearer {self._control.token(run)}".encode()
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted):
            raise Refusal("Unauthorized", "this is not the token of the run", 401)
        return run

    async def _ask(self, request: web.Request) -> web.Response:
        body = _read(await request.read())
        run = self._run(request)
        name, job, is_new = asked_job(run, body, self._clock())
        if is_new:
            await self._manager.apply(noting(run, {"jobs": {name: job}}))
        return _json(job)

    async def _wait(self, request: web.Request) -> web.Response:
        run = self._run(request)
        names = request.query.get("names", "").split(",")
        seconds = _seconds(request.query.get("seconds", "0"))
        with self._control.changes.of(meta.key(run)) as changed, contextlib.suppress(TimeoutError):
            async with time_limit(seconds):
                while not asked_jobs(self._run(request), names):
                    await changed.wait()
                    changed.clear()
        return _json(asked_jobs(self._run(request), names))

    async def _end(self, request: web.Request) -> web.Response:
        body = _read(await request.read())
        run = self._run(request)
        outcome = told_end(body)
        if not Run(run).status.get("outcome") and not Run(run).is_final:
            await self._manager.apply(noting(run, {"outcome": outcome}))
        return _json({})


def _seconds(text: str) -> float:
    try:
        return min(float(text), _LONGEST_WAIT_SECONDS)
    except ValueError as error:
        raise Refusal("Invalid", f"seconds={text!r} is no number") from error


def _is_for(script: str, event: Mapping[str, Any]) -> bool:
    """Of a script that is no Python a run is begun, which says so."""
    try:
        handlers = read_script(script)
    except ScriptError:
        return True
    return any(matches(each.pattern, dict(each.attributes), event) for each in handlers)


def _key(request: web.Request) -> Key:
    return request.match_info["namespace"], request.match_info["name"]


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal("Invalid", f"the body is no JSON: {error}", 400) from error


def _json(told: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(told), status=status, content_type="application/json")


@web.middleware
async def _told(request: web.Request, handler: Answer) -> web.StreamResponse:
    """What is refused, and what the API server does not take, as JSON."""
    try:
        return await handler(request)
    except Refusal as error:
        return _json({"reason": error.reason, "message": str(error)}, error.status)
    except NotFound as error:
        return _json({"reason": "Gone", "message": error.message}, 404)
    except ApiError as error:
        status = 422 if error.status.get("code") in (400, 413, 422) else 503
        return _json({"reason": "Refused", "message": error.message}, status)

"""What is told of requests: their traces, exemplars, the request log. On real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from activator.metrics import ActivatorCollector
from activator.observing.observer import Observation
from activator.observing.requestlog import RequestLog
from hearth.observability.metrics import REGISTRY
from hearth.observability.traces.config import HTTP, TracingConfig
from hearth.observability.traces.outbox import OutboxLimits
from hearth.observability.traces.tracer import Tracer
from serving.api.config.observability import ObservabilityConfig
from serving.api.gotemplate import Template
from tests.component.activator.test_routed import HOST as ROUTED_HOST
from tests.component.activator.test_routed import routed
from tests.otlp import Collector, collecting

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = f"Traceparent: 00-{TRACE}-{PARENT}-01"
STATE = "TraceState: vendor=1"
QUICK = OutboxLimits(interval_seconds=0.02, close_seconds=1.0)


@contextlib.asynccontextmanager
async def observing(
    lab: Any, config: ObservabilityConfig, written: list[str] | None = None
) -> AsyncIterator[Observation]:
    lines = written if written is not None else []

    def make_log(template: Template) -> RequestLog:
        return RequestLog(template, write=lines.append)

    tracer = Tracer("activator", "knative-serving", limits=QUICK)
    observation = Observation(tracer, lab.gateway, make_log=make_log)
    observation.configure(config)
    try:
        yield observation
    finally:
        await asyncio.to_thread(observation.close)


def traced(collector: Collector, rate: float = 1.0) -> ObservabilityConfig:
    return ObservabilityConfig(tracing=TracingConfig(HTTP, collector.url, rate))


def logged(template: str, *, probes: bool = False) -> ObservabilityConfig:
    return ObservabilityConfig(
        request_log_template=template, enable_request_log=True, enable_probe_request_log=probes
    )


async def test_the_application_is_a_child_of_the_request_that_the_client_sent(lab: Any) -> None:
    app = await lab.app()
    lab.revision("warm", app, service="shop", configuration="shop")
    async with collecting() as collector, observing(lab, traced(collector)):
        response = await lab.get("warm.test", "/buy?item=7", GIVEN, STATE, "User-Agent: me")
        assert response.status == 200
        spans = await collector.until(4)
    by_name = {span.name: span for span in spans}
    assert sorted(by_name) == ["GET /buy", "activator_proxy", "handle", "throttler_try"]
    assert {span.trace_id for span in spans} == {TRACE}
    handle, proxy, sent = by_name["handle"], by_name["activator_proxy"], by_name["GET /buy"]
    assert handle.parent_id == PARENT
    assert by_name["throttler_try"].parent_id == proxy.parent_id == handle.span_id
    assert sent.parent_id == proxy.span_id
    [request] = app.requests
    assert request.header("traceparent") == f"00-{TRACE}-{sent.span_id}-01"
    assert request.header("tracestate") == "vendor=1"
    assert handle.start_ns <= proxy.start_ns <= sent.start_ns <= handle.end_ns
    assert handle.attributes | {"client.address": ""} == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.response.body.size": 5,
        "url.scheme": "http",
        "url.path": "/buy",
        "url.query": "item=7",
        "server.address": "warm.test",
        "client.address": "",
        "network.protocol.name": "http",
        "network.protocol.version": "1.1",
        "user_agent.original": "me",
        "kn.service.name": "shop",
        "kn.configuration.name": "shop",
        "kn.revision.name": "warm",
        "k8s.namespace.name": "default",
    }
    assert sent.attributes["server.port"] == app.port
    assert {span.error for span in spans} == {None}


async def test_a_cold_request_tells_how_long_its_pod_was_awaited(lab: Any) -> None:
    backend = lab.revision("zero")
    async with collecting() as collector, observing(lab, traced(collector)):
        client = await lab.connect()
        await client.send(lab.get_bytes("zero.test"))
        await lab.until(lambda: backend.throttler.waiting == 1)
        lab.endpoints(backend, {(await lab.app()).port: lab.State.NOT_READY})
        assert (await client.response()).status == 200
        spans = await collector.until(6)
    by_name = {span.name: span for span in spans}
    waited, scale, probe = by_name["throttler_try"], by_name["scale"], by_name["probe"]
    assert scale.parent_id == probe.parent_id == waited.span_id
    assert waited.start_ns == scale.start_ns <= scale.end_ns == probe.start_ns <= probe.end_ns
    assert probe.end_ns <= waited.end_ns == by_name["activator_proxy"].start_ns
    assert by_name["handle"].parent_id == ""


async def test_a_request_by_a_route_of_the_http_add_on_is_traced_as_others(lab: Any) -> None:
    backend = routed(lab)
    async with collecting() as collector, observing(lab, traced(collector)):
        client = await lab.connect()
        await client.send(lab.get_bytes(ROUTED_HOST, "/", GIVEN))
        await lab.until(lambda: backend.throttler.waiting == 1)
        app = await lab.app()
        lab.endpoints(backend, {app.port: lab.State.READY})
        assert (await client.response()).status == 200
        spans = await collector.until(6)
    assert {span.trace_id for span in spans} == {TRACE}
    assert {"handle", "throttler_try", "scale", "activator_proxy"} <= {s.name for s in spans}
    [request] = app.requests
    assert request.header("traceparent").startswith(f"00-{TRACE}-")


async def test_what_fails_says_why(lab: Any) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    lab.revision("broken", await lab.raw_app(hang_up))
    lab.ingress("gone", lab.rule("gone.test", {"gone": 100}))
    async with collecting() as collector, observing(lab, traced(collector)):
        broken = await lab.connect()
        await broken.send(b"POST / HTTP/1.1\r\nHost: broken.test\r\nContent-Length: 0\r\n\r\n")
        assert (await broken.response()).status == 502
        await collector.until(4)
        assert (await lab.get("nobody.test")).status == 404
        await collector.until(5)
    errors = {span.name: span.error for span in collector.spans if span.error}
    assert errors == dict.fromkeys(["handle", "activator_proxy", "POST /"], "upstream-reset")
    [unknown] = [
        s for s in collector.named("handle") if s.attributes["server.address"] == "nobody.test"
    ]
    assert unknown.attributes["error.type"] == "unknown-host"
    assert unknown.error is None  # a client's fault is no error of the server


async def test_what_is_not_sampled_passes_as_it_came(lab: Any) -> None:
    app = await lab.app()
    lab.revision("warm", app)
    unsampled = GIVEN[:-1] + "0"
    async with collecting() as collector, observing(lab, traced(collector, 0.000001)):
        await lab.get("warm.test", "/", unsampled)
        await lab.get("warm.test", "/", "K-Network-Probe: activator")
        await lab.get("warm.test", "/", GIVEN, "User-Agent: kube-probe/1.36")
        await lab.get("warm.test", "/sampled", GIVEN)
        await collector.until(4)
    first, probe, sampled = (request.header("traceparent") for request in app.requests)
    assert first == unsampled.partition(" ")[2]
    assert probe == GIVEN.partition(" ")[2]
    assert sampled is not None and sampled[3:35] == TRACE and sampled[36:52] != PARENT
    assert {span.trace_id for span in collector.spans} == {TRACE}
    assert len(collector.spans) == 4


async def test_an_invalid_context_begins_a_trace_and_drops_its_state(lab: Any) -> None:
    app = await lab.app()
    lab.revision("warm", app)
    async with collecting() as collector, observing(lab, traced(collector)):
        await lab.get("warm.test", "/", "traceparent: 00-nonsense", STATE)
        [handle, *_] = await collector.until(4)
    [request] = app.requests
    assert request.header("tracestate") is None
    assert (request.header("traceparent") or "")[3:35] == handle.trace_id


async def test_over_http2_the_context_goes_on_as_well(lab: Any) -> None:
    app = await lab.app()
    lab.revision("warm", app)
    async with collecting() as collector, observing(lab, traced(collector)):
        process = await asyncio.create_subprocess_exec(
            *("curl", "-s", "--http2-prior-knowledge", "-H", GIVEN, "-H", "Host: warm.test"),
            f"http://127.0.0.1:{lab.port}/",
            stdout=asyncio.subprocess.PIPE,
        )
        assert (await process.communicate())[0] == b"hello"
        await collector.until(4)
    [handle] = collector.named("handle")
    [sent] = collector.named("GET /")
    assert handle.attributes["network.protocol.version"] == "2.0"
    assert app.requests[0].header("traceparent") == f"00-{TRACE}-{sent.span_id}-01"


async def test_durations_have_exemplars_for_who_asks_for_openmetrics(lab: Any) -> None:
    lab.revision("warm", await lab.app())
    async with collecting() as collector, observing(lab, traced(collector)):
        await lab.get("warm.test", "/", GIVEN)
        await collector.until(4)
    registry = CollectorRegistry()
    registry.register(ActivatorCollector(lab.plane))
    shown = [line for line in generate_latest(registry).decode().splitlines() if "trace_id" in line]
    assert len(shown) == 1
    assert shown[0].startswith("kn_serving_invocation_duration_seconds_bucket{")
    assert f'# {{trace_id="{TRACE}"}} ' in shown[0]


async def test_the_request_log_has_a_line_for_each_request_by_knatives_template(lab: Any) -> None:
    app = await lab.app(lambda request: lab.text("made", status="201 Created"))
    lab.revision("warm", app, service="shop")
    written: list[str] = []
    default = ObservabilityConfig.from_data({"logging.enable-request-log": "true"})
    async with observing(lab, default, written):
        client = await lab.connect()
        await client.send(
            b'POST /a"b HTTP/1.1\r\nHost: warm.test\r\nContent-Length: 3\r\nReferer: there\r\n'
            b"User-Agent: me\r\n" + GIVEN.encode() + b"\r\n\r\nabc"
        )
        assert (await client.response()).status == 201
        await client.get("warm.test", "/", "K-Network-Probe: activator")
        await client.get("warm.test", "/", "User-Agent: kube-probe/1.36")
    [line] = "".join(written).splitlines()
    entry = json.loads(line)
    latency = entry["httpRequest"].pop("latency")
    assert latency.endswith("s") and 0 < float(latency[:-1]) < 60
    assert entry["httpRequest"].pop("remoteIp").startswith("127.0.0.1")
    assert entry == {
        "httpRequest": {
            "requestMethod": "POST",
            "requestUrl": '/a"b',
            "requestSize": "3",
            "status": 201,
            "responseSize": "4",
            "userAgent": "me",
            "serverIp": "127.0.0.1",
            "referer": "there",
            "protocol": "HTTP/1.1",
        },
        "traceId": TRACE,
    }


async def test_a_template_may_ask_for_any_field_and_fail_at_its_own_line(lab: Any) -> None:
    lab.revision("warm", await lab.app(), service="shop")
    written: list[str] = []
    template = '{{.Request.Header.Get "x-who"}} {{.Revision.Service}} {{.Request.URL.Path}}'
    async with observing(lab, logged(template, probes=True), written):
        await lab.get("warm.test", "/a?b", "X-Who: ann")
        await lab.get("warm.test", "/b", "K-Network-Probe: probe")
    async with observing(lab, logged("{{.Request.Nothing}}"), written):
        await lab.get("warm.test", "/c")
    ann, probe, wrong = "".join(written).splitlines()
    assert (ann, probe) == ("ann shop /a", "  /b")
    assert re.fullmatch(
        r"Invalid request log template: method: GET, response code: 200, "
        r"latency: [\d.e-]+, url: /c",
        wrong,
    )


async def test_without_settings_nobody_watches_and_what_is_configured_can_be_taken_back(
    lab: Any,
) -> None:
    lab.revision("warm", await lab.app())
    written: list[str] = []
    async with observing(lab, ObservabilityConfig(), written) as observation:
        assert lab.gateway.observer is None
        observation.configure(logged("{{.Response.Code}}"))
        await lab.get("warm.test")
        observation.configure(ObservabilityConfig())
        assert lab.gateway.observer is None
        await lab.get("warm.test")
    assert "".join(written) == "200\n"


async def test_a_log_that_nobody_takes_delays_no_request(lab: Any, monkeypatch: Any) -> None:
    lab.revision("warm", await lab.app())
    monkeypatch.setattr("activator.observing.requestlog.ROOM", 2)
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stuck(text: str) -> None:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()

    def make_log(template: Template) -> RequestLog:
        return RequestLog(template, write=stuck)

    before = _dropped()
    tracer = Tracer("activator", "knative-serving", limits=QUICK)
    observation = Observation(tracer, lab.gateway, make_log=make_log)
    observation.configure(logged("{{.Response.Code}}"))
    client = await lab.connect()
    for _ in range(10):
        assert (await client.get("warm.test")).status == 200
    assert 2 <= _dropped() - before <= 8
    gate.set()
    await asyncio.to_thread(observation.close)


def _dropped() -> float:
    value = REGISTRY.get_sample_value("hearth_request_logs_total", {"result": "dropped"})
    return value or 0.0

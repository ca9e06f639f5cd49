"""Traces of events: a broker on real sockets, and a collector that reads what it exports."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from time import monotonic

import pytest
from aiohttp import ClientSession, web
from multidict import CIMultiDict

from eventing.sources.ping.main import PingConfig
from eventing.sources.ping.main import run as ping
from hearth.knative.resources import PARALLELS, PINGSOURCES, TRIGGERS
from hearth.kube.errors import ApiError
from hearth.kube.resources import CONFIGMAPS
from hearth.observability.metrics import REGISTRY, SPANS
from hearth.observability.traces.config import HTTP, TracingConfig
from hearth.observability.traces.outbox import OutboxLimits
from hearth.observability.traces.tracer import Tracer
from tests.component.eventing.cluster import cluster, next_of, running
from tests.component.eventing.cluster import sink as cluster_sink
from tests.component.eventing.test_broker import FAST, headers, plane, sink
from tests.component.eventing.test_flows import loops_back, reply
from tests.component.eventing.test_joins import gatherer, joins
from tests.component.eventing.test_observer import Observer
from tests.otlp import Received, collecting
from tests.waiting import until

ROOT = Path(__file__).parents[3]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
UNSAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
QUICK = OutboxLimits(interval_seconds=0.02, close_seconds=1.0)


@contextlib.asynccontextmanager
async def traced(folder, url, *, rate=1.0, limits=QUICK, **more):
    """A data plane that exports to a collector."""
    tracer = Tracer("broker", "ns", limits=limits)
    tracer.configure(TracingConfig(HTTP, url, rate))
    try:
        async with plane(folder, tracer=tracer, **more) as broker:
            yield broker
    finally:
        await asyncio.to_thread(tracer.close)


async def send(broker, event_id, more=None, **attributes):
    sent = headers(event_id, **attributes) | (more or {})
    async with broker.session.post(broker.url, data=b"{}", headers=sent) as answer:
        return answer.status


def context(got):
    """Trace and span of the ``traceparent`` that a subscriber was sent."""
    version, trace_id, span_id, flags = got["traceparent"].split("-")
    assert (version, flags) == ("00", "01")
    return trace_id, span_id


def replying(**attributes):
    def answer(request, number):
        if request.headers["ce-type"] == "reply":
            return web.Response()
        return web.Response(headers=headers("r1", **attributes) | {"ce-type": "reply"})

    return answer


async def test_one_trace_from_the_event_to_its_reply_at_another_trigger(tmp_path):
    async with (
        collecting() as collector,
        sink(replying()) as first,
        sink() as second,
        traced(tmp_path, collector.url) as broker,
    ):
        await broker.subscribe("a", first, filters=[{"exact": {"type": "t"}}])
        await broker.subscribe("b", second, filters=[{"exact": {"type": "reply"}}])
        assert await send(broker, 1, GIVEN) == 202
        await second.until_ids("r1")
        spans = await collector.until(6)
    assert len(spans) == 6
    assert {span.trace_id for span in spans} == {TRACE}
    [taken, reply] = collector.named("broker:default.ns")
    [one] = collector.named("trigger:a.ns")
    [two] = collector.named("trigger:b.ns")
    [to_first] = collector.named(f"send {first.url}")
    [to_second] = collector.named(f"send {second.url}")
    found = [span.parent_id for span in (taken, one, to_first, reply, two, to_second)]
    assert found == [
        PARENT,
        taken.span_id,
        one.span_id,
        to_first.span_id,
        reply.span_id,
        two.span_id,
    ]
    kinds = [span.kind for span in (taken, one, to_first, reply)]
    assert kinds == ["SERVER", "CONSUMER", "CLIENT", "PRODUCER"]
    # Subscribers go on from the attempt that reached them.
    assert context(first.got[0][0]) == (TRACE, to_first.span_id)
    assert context(second.got[0][0]) == (TRACE, to_second.span_id)
    assert first.got[0][0]["tracestate"] == "vendor=1"
    assert taken.start_ns <= one.start_ns <= to_first.start_ns <= to_first.end_ns <= one.end_ns
    assert taken.resource["service.name"] == "broker"
    assert taken.resource["k8s.namespace.name"] == "ns"


async def test_what_spans_say(tmp_path):
    async with (
        collecting() as collector,
        sink() as target,
        traced(tmp_path, collector.url) as broker,
    ):
        await broker.subscribe("a", target)
        await send(broker, 7, subject="s")
        spans = await collector.until(3)
    of_event = {
        "cloudevents.type": "t",
        "cloudevents.source": "/test",
        "cloudevents.specversion": "1.0",
        "cloudevents.subject": "s",
        "cloudevents.datacontenttype": "application/json",
        "messaging.message.id": "7",
        "messaging.system": "knative",
        "messaging.operation.name": "send",
        "kn.broker.name": "default",
        "kn.broker.namespace": "ns",
        "http.request.method": "POST",
    }
    taken, one, sent = spans
    assert taken.parent_id == ""
    assert taken.attributes == of_event | {
        "messaging.destination.name": "broker:default.ns",
        "url.path": "/ns/default",
        "http.response.status_code": 202,
    }
    assert sent.attributes == of_event | {
        "messaging.destination.name": "trigger:a.ns",
        "url.full": target.url,
        "server.address": "127.0.0.1",
        "server.port": int(target.url.split(":")[-1].strip("/")),
        "http.response.status_code": 200,
        "hearth.delivery.hop": "subscriber",
        "hearth.delivery.follows": "done",
    }
    assert one.attributes["messaging.destination.name"] == "trigger:a.ns"
    assert [span.error for span in spans] == [None, None, None]


@pytest.mark.parametrize("observer", [None, Observer()])
async def test_an_event_that_no_filter_lets_pass_ends_in_a_span_that_says_so(tmp_path, observer):
    wanted = [{"exact": {"type": "wanted"}}]
    async with (
        collecting() as collector,
        sink() as target,
        traced(tmp_path, collector.url, rate=0.5) as broker,
    ):
        broker.runtime.observe(observer)
        await broker.subscribe("a", target, filters=[{"exact": {"type": "other"}}])
        await broker.subscribe("b", target, filters=wanted)
        await send(broker, 1, UNSAMPLED)
        await send(broker, 2, GIVEN)
        await send(broker, 3, GIVEN | {"ce-type": "wanted"})
        await collector.until(5)
    [discarded] = collector.named("discard ")
    [taken, _] = collector.named("broker:default.ns")
    assert discarded.name == "discard broker:default.ns"
    assert (discarded.kind, discarded.trace_id) == ("INTERNAL", TRACE)
    assert (discarded.parent_id, discarded.error) == (taken.span_id, None)
    told = discarded.attributes
    assert (told["messaging.operation.name"], told["messaging.message.id"]) == ("discard", "2")
    assert (told["hearth.subscriptions.asked"], told["kn.broker.name"]) == (2, "default")
    assert taken.start_ns <= discarded.start_ns <= discarded.end_ns


async def test_attempts_and_dead_letters(tmp_path):
    async with (
        collecting() as collector,
        sink(lambda request, number: web.Response(status=503)) as target,
        sink() as dead,
        traced(tmp_path, collector.url) as broker,
    ):
        await broker.subscribe("a", target, policy=FAST, dead_letter=dead)
        await send(broker, 1, GIVEN)
        await dead.until_ids(1)
        await collector.until(7)
    attempts = collector.named(f"send {target.url}")
    [to_dead] = collector.named(f"send {dead.url}")
    [one] = collector.named("trigger:a.ns")
    assert len(attempts) == 4
    assert [span.attributes.get("http.request.resend_count", 0) for span in attempts] == [
        0,
        1,
        2,
        3,
    ]
    assert {span.error for span in attempts} == {"the answer was 503"}
    assert {span.attributes["error.type"] for span in attempts} == {"503"}
    assert [span.attributes["hearth.delivery.follows"] for span in attempts] == [
        *("retry",) * 3,
        "dead letter",
    ]
    assert to_dead.attributes["hearth.delivery.hop"] == "dead letter"
    assert {span.parent_id for span in (*attempts, to_dead)} == {one.span_id}
    assert one.error == f"{target.url}: 503"
    assert context(dead.got[0][0]) == (TRACE, to_dead.span_id)
    sent = [context(got)[1] for got, _ in target.got]
    assert sent == [span.span_id for span in attempts]


async def test_a_subscriber_that_goes_on_with_the_trace_is_the_parent_of_its_reply(tmp_path):
    own = "00f067aa0ba902b7"

    def answer(request, number):
        if request.headers["ce-type"] == "reply":
            return web.Response()
        trace_id, _ = context(request.headers)
        more = {"ce-type": "reply", "traceparent": f"00-{trace_id}-{own}-01"}
        return web.Response(headers=headers("r1") | more)

    async with (
        collecting() as collector,
        sink(answer) as target,
        traced(tmp_path, collector.url) as broker,
    ):
        await broker.subscribe("a", target)
        await send(broker, 1, GIVEN)
        await collector.until(6)
    _, reply = collector.named("broker:default.ns")
    assert (reply.parent_id, reply.trace_id) == (own, TRACE)


@pytest.mark.parametrize("rate", [0.0, 0.5])
async def test_an_unsampled_event_goes_its_way_as_it_came(tmp_path, rate):
    async with (
        collecting() as collector,
        sink() as target,
        traced(tmp_path, collector.url, rate=rate) as broker,
    ):
        await broker.subscribe("a", target)
        await send(broker, 1, UNSAMPLED)
        await target.until_ids(1)
        assert target.got[0][0]["traceparent"] == UNSAMPLED["traceparent"]
        await broker.idle("a")
    assert collector.spans == []


async def test_rate_0_records_nothing_and_changes_nothing(tmp_path):
    async with (
        collecting() as collector,
        sink() as target,
        traced(tmp_path, collector.url, rate=0.0) as broker,
    ):
        await broker.subscribe("a", target)
        await send(broker, 1, GIVEN)
        await send(broker, 2)
        await target.until_ids(1, 2)
        by_id = {got["ce-id"]: got for got, _ in target.got}
        assert by_id["1"]["traceparent"] == GIVEN["traceparent"]
        assert "traceparent" not in by_id["2"]
    assert collector.requests == 0


async def test_at_rate_one_half_about_half_of_the_traces_are_whole_and_the_others_are_not_there(
    tmp_path,
):
    sent = 200
    async with (
        collecting() as collector,
        sink() as target,
        traced(tmp_path, collector.url, rate=0.5) as broker,
    ):
        await broker.subscribe("a", target)
        for number in range(sent):
            await send(broker, number)
        await target.until_ids(*range(sent))
        await broker.idle("a")
        marked = [got for got, _ in target.got if "traceparent" in got]
        await collector.until(3 * len(marked))
    # Beyond five standard deviations: once in a million runs.
    assert 65 <= len(marked) <= 135
    assert len(collector.spans) == 3 * len(marked)
    assert {span.trace_id for span in collector.spans} == {context(got)[0] for got in marked}


async def test_a_malformed_context_begins_a_new_trace(tmp_path):
    bad = {"traceparent": f"00-{TRACE.upper()}-{PARENT}-01", "tracestate": "vendor=1"}
    async with (
        collecting() as collector,
        sink() as target,
        traced(tmp_path, collector.url) as broker,
    ):
        await broker.subscribe("a", target)
        await send(broker, 1, bad)
        await target.until_ids(1)
        [taken, *_] = await collector.until(3)
    assert taken.parent_id == ""
    assert taken.trace_id not in (TRACE, TRACE.upper())
    assert "tracestate" not in target.got[0][0]


async def test_a_batch_is_one_span_and_each_of_its_events_has_its_own_deliveries(tmp_path):
    base = {"specversion": "1.0", "source": "/s", "type": "t"}
    batch = json.dumps([base | {"id": "1"}, base | {"id": "2"}])
    kind = {"content-type": "application/cloudevents-batch+json"}
    async with (
        collecting() as collector,
        sink() as target,
        traced(tmp_path, collector.url) as broker,
    ):
        await broker.subscribe("a", target)
        async with broker.session.post(broker.url, data=batch, headers=kind | GIVEN) as answer:
            assert answer.status == 202
        await collector.until(5)
    [taken] = collector.named("broker:")
    assert taken.attributes["messaging.batch.message_count"] == 2
    assert [each.parent_id for each in collector.named("trigger:a.ns")] == [taken.span_id] * 2


async def test_refusals_are_in_the_trace_of_who_sent(tmp_path):
    async with collecting() as collector, traced(tmp_path, collector.url) as broker:
        bad = headers(1) | GIVEN
        del bad["ce-source"]
        async with broker.session.post(broker.url, data=b"{}", headers=bad) as answer:
            assert answer.status == 400
        [span] = await collector.until(1)
    assert (span.name, span.parent_id) == ("POST /ns/default", PARENT)
    assert span.attributes["http.response.status_code"] == 400
    assert span.error is None


# -- collectors that fail ----------------------------------------------------------------------


async def events_go_on(broker, target, count=50):
    """All events are delivered, and quickly."""
    before, began = len(target.got), monotonic()
    for number in range(count):
        assert await send(broker, number) == 202
    await target.until(lambda: len(target.got) == before + count)
    return monotonic() - began


def counted(result):
    return SPANS.labels(result)._value.get()


async def test_a_collector_that_is_down_delays_nobody_and_is_told_of_once(tmp_path, caplog):
    limits = OutboxLimits(spans=20, batch=5, interval_seconds=0.02, close_seconds=0.2)
    dropped = counted("dropped")
    async with sink() as target, traced(tmp_path, "http://127.0.0.1:9", limits=limits) as broker:
        await broker.subscribe("a", target)
        assert await events_go_on(broker, target) < 20  # 25, did each event wait
        await broker.idle("a")
        assert counted("dropped") - dropped >= 150 - 2 * 20
        outbox = broker.runtime._services.tracer._outbox
        assert len(outbox._spans) <= limits.spans
    assert [text for text in caplog.messages if "traces" in text] in (
        [],
        ["traces are not exported"],
    )


@pytest.mark.parametrize("status", [429, 500, 404])
async def test_a_collector_that_refuses_is_told_of_once_and_again_when_it_is_over(
    tmp_path, caplog, status
):
    refusals = 3
    caplog.set_level("INFO")
    async with (
        collecting(lambda number: (status if number <= refusals else 200, 0.0)) as collector,
        sink() as target,
        traced(tmp_path, collector.url) as broker,
    ):
        await broker.subscribe("a", target)
        while collector.requests <= refusals or not collector.spans:
            assert await events_go_on(broker, target, 1) < 20
    told = [text for text in caplog.messages if "traces are" in text]
    # What is worth another attempt (429) is tried again by the exporter, and never told of.
    assert told == (
        [] if status == 429 else ["traces are not exported", "traces are exported again"]
    )


async def test_a_slow_collector_delays_nobody(tmp_path):
    async with (
        collecting(lambda number: (200, 0.5)) as collector,
        sink() as target,
        traced(tmp_path, collector.url) as broker,
    ):
        await broker.subscribe("a", target)
        assert await events_go_on(broker, target) < 20  # 25, did each event wait
        spans = await collector.until(150)
    assert len(spans) == 150


# -- as users switch it on ---------------------------------------------------------------------


async def set_observability(found, **data):
    given = {key.replace("_", "-"): value for key, value in data.items()}
    await found.client.patch(
        CONFIGMAPS, "config-observability", "knative-eventing", {"data": given}
    )


async def test_a_config_map_switches_traces_and_metrics_on_and_bad_values_are_refused(tmp_path):
    async with (
        collecting() as collector,
        cluster_sink() as (target, got),
        cluster(tmp_path) as found,
    ):
        await found.create_broker()
        await found.create_trigger("t", target)
        await found.until_ready(TRIGGERS, "t")
        with pytest.raises(ApiError, match="endpoint should be set for protocol"):
            await set_observability(found, tracing_protocol="http/protobuf")
        await set_observability(
            found,
            tracing_protocol="http/protobuf",
            tracing_endpoint=collector.url,
            tracing_sampling_rate="1",
            metrics_protocol="http/protobuf",
            metrics_endpoint=collector.url,
            metrics_export_interval="50ms",
        )
        broker = f"http://127.0.0.1:{found.port}/default/default"
        sent = None
        while sent is None or "traceparent" not in sent:  # till the broker has heard of it
            assert await found.send(broker) == 202
            sent = await got.get()
        assert len(await collector.until(3)) >= 3
        assert await found.send(broker, **{"ce-specversion": "7"}) == 400
        told = {"http_request_method": "POST", "http_response_status_code": "400"}
        places = (
            "kn_broker_namespace",
            "kn_broker_name",
            "kn_channel_namespace",
            "kn_channel_name",
        )
        labels = told | dict.fromkeys(places, "")
        metric = "http_server_request_duration_seconds_count"
        assert REGISTRY.get_sample_value(metric, labels) == 1
        await until(lambda: "hearth_trace_spans" in collector.metrics.get("broker", ()))
    assert {"broker:default.default", "trigger:t.default", f"send {target['uri']}"} <= {
        span.name for span in collector.spans
    }
    assert collector.spans[0].resource["k8s.namespace.name"] == "knative-eventing"


async def test_a_source_begins_the_trace(tmp_path):
    seen: list[Received] = []
    async with collecting() as collector, contextlib.AsyncExitStack() as others:
        target, got = await others.enter_async_context(cluster_sink())
        found = await others.enter_async_context(cluster(tmp_path))
        await set_observability(
            found,
            tracing_protocol="http/protobuf",
            tracing_endpoint=collector.url,
            tracing_sampling_rate="1",
        )
        await found.create_broker()
        await found.create_trigger("t", target)
        await found.until_ready(TRIGGERS, "t")
        to = {"uri": f"http://127.0.0.1:{found.port}/default/default"}
        await found.create(PINGSOURCES, "p", schedule="* * * * * *", sink=to)
        config = PingConfig(found.kubeconfig)
        async with running(lambda ready: ping(config, ready)):
            while not seen:
                await next_of(got)
                seen = [each for each in collector.spans if "kn.source.name" in each.attributes]
        await others.aclose()  # then both processes have told all that they had to tell
    begun = {each.trace_id: each for each in seen}
    whole = [each for each in collector.spans if each.trace_id in begun]
    first = begun[whole[0].trace_id]
    chain = {each.name: each for each in whole if each.trace_id == first.trace_id}
    assert (first.kind, first.parent_id) == ("PRODUCER", "")
    assert first.attributes["kn.source.name"] == "p"
    assert first.attributes["kn.source.namespace"] == "default"
    assert first.attributes["kn.source.resourcegroup"] == "pingsources.sources.knative.dev"
    assert first.resource["service.name"] == "pingsource-mt-adapter"
    taken = chain["broker:default.default"]
    assert taken.parent_id == first.span_id
    assert chain["trigger:t.default"].parent_id == taken.span_id


async def test_a_trace_goes_through_channels_and_flows_and_is_whole(tmp_path):
    """Two branches, joined: through four channels and back into one event."""
    async with collecting() as collector, contextlib.AsyncExitStack() as others:
        one, _ = await others.enter_async_context(cluster_sink(answer=reply("one")))
        end, got = await others.enter_async_context(gatherer())
        found = await others.enter_async_context(cluster(tmp_path, make_config=loops_back))
        await set_observability(
            found,
            tracing_protocol="http/protobuf",
            tracing_endpoint=collector.url,
            tracing_sampling_rate="1",
        )
        branches = [{"subscriber": one}, {"subscriber": one}]
        await found.create(PARALLELS, "p", annotations=joins(), branches=branches, reply=end)
        parallel = await found.until_ready(PARALLELS, "p")
        sent: dict[str, str] = {}
        while PARENT in sent.get("traceparent", PARENT):  # till the broker has heard of it
            assert await found.send_to(parallel, **GIVEN) == 202
            sent, _ = await next_of(got)
        await others.aclose()
    spans = [each for each in collector.spans if each.trace_id == TRACE]
    ids = {each.span_id for each in spans}
    assert {each.parent_id for each in spans} - ids == {PARENT}
    assert context(CIMultiDict(sent))[1] in ids
    kinds = {each.name.partition(":")[0].partition(" ")[0] for each in spans}
    assert kinds == {"channel", "subscription", "send"}


# -- across processes --------------------------------------------------------------------------

BROKER = """
import dataclasses, functools, sys
from eventing.runtime.policy import Backoff, DeliveryPolicy
from hearth.observability.traces.outbox import OutboxLimits
from tests.bench import broker_process as process

made = process.spec

def spec(number, matching, dialect, url):
    policy = DeliveryPolicy(retries=5, backoff=Backoff.EXPONENTIAL, delay_seconds=1.5)
    return dataclasses.replace(made(number, matching, dialect, url), policy=policy)

process.spec = spec
process.Tracer = functools.partial(process.Tracer, limits=OutboxLimits(interval_seconds=0.02))
process.run(*sys.argv[1:])
"""


@contextlib.asynccontextmanager
async def process_to(folder, target, collector):
    """A broker process that is killed in the end, as by ``kill -9``; its address."""
    told = (str(folder), "0", target.url, "1", "1", "exact", "off", "1", collector.url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BROKER, *told, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}/ns/default"
    finally:
        process.kill()
        await process.wait()


async def test_a_trace_outlives_the_process(tmp_path):
    answers = iter([503])
    answer = lambda request, number: web.Response(status=next(answers, 200))
    sent = headers(1) | GIVEN | {"ce-type": "bench"}
    async with collecting() as collector, sink(answer) as target:
        async with process_to(tmp_path, target, collector) as url, ClientSession() as session:
            async with session.post(url, data=b"{}", headers=sent) as answered:
                assert answered.status == 202
            await collector.until(2)
            await until(lambda: b"subscriber" in (tmp_path / "broker" / "cursors").read_bytes())
        async with process_to(tmp_path, target, collector):
            await collector.until(4)
    [taken] = collector.named("broker:")
    [one] = collector.named("trigger:t0.ns")
    first, second = collector.named(f"send {target.url}")
    assert {span.trace_id for span in collector.spans} == {TRACE}
    assert (taken.parent_id, one.parent_id) == (PARENT, taken.span_id)
    assert (first.parent_id, second.parent_id) == (one.span_id, one.span_id)
    assert second.attributes["http.request.resend_count"] == 1
    assert first.span_id != second.span_id


async def test_nothing_of_opentelemetry_is_imported_where_traces_are_off():
    program = "import sys, eventing.runtime.main, eventing.main; " + (
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    said, _ = await process.communicate()
    assert said.strip() == b"[]"
